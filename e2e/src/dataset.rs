//! The bets of an agency as its file has them, and what must become of them, found out here by
//! reading the file a second time and by hand.

use crate::ServerSetup;
use crate::wire::{self, HandBet, WINNING_NUMBER};

/// An agency's file. Every row of it is a valid bet and ends in CRLF.
#[derive(Clone, Debug)]
pub struct Dataset {
    agency: u32,
    file: String,
}

impl Dataset {
    /// The file that comes with the project.
    pub fn bundled(agency: u32) -> Dataset {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../.data");
        let file = std::fs::read_to_string(format!("{folder}/agency-{agency}.csv")).unwrap();
        Dataset { agency, file }
    }

    /// A file with these bets.
    pub fn of(agency: u32, bets: &[HandBet]) -> Dataset {
        let stored = wire::rows(bets);
        let rows = stored.split_inclusive("\r\n");
        // The agency's file is the store's without the first column.
        let file = rows.map(|row| row.split_once(',').unwrap().1).collect();
        Dataset { agency, file }
    }

    /// The agency's number.
    pub fn agency(&self) -> u32 {
        self.agency
    }

    /// What the file says.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// How many bets it has.
    pub fn bets(&self) -> usize {
        self.rows().count()
    }

    /// What must be stored of it.
    pub fn stored_rows(&self) -> String {
        let agency = self.agency;
        self.rows().map(|row| format!("{agency},{row}")).collect()
    }

    /// The DNIs of the winning bets, counted from the end of a row, since a quoted name may hold a
    /// comma.
    pub fn winners(&self) -> Vec<u32> {
        self.rows()
            .filter_map(|row| {
                let mut fields = row.trim_end().rsplit(',');
                let number: u32 = fields.next().unwrap().parse().unwrap();
                let document = fields.nth(1).unwrap();
                (number == WINNING_NUMBER).then(|| document.parse().unwrap())
            })
            .collect()
    }

    /// What must be in `closings.csv` once the agency has finished.
    pub fn closing(&self) -> String {
        let bets: Vec<HandBet> = self
            .rows()
            .map(|row| HandBet::from_row(self.agency, row.trim_end()))
            .collect();
        format!("{},{},{}\r\n", self.agency, bets.len(), wire::crc(&bets))
    }

    fn rows(&self) -> impl Iterator<Item = &str> {
        self.file.split_inclusive("\r\n")
    }
}

/// Expects that what is stored is exactly these files, each in its order, and that exactly their
/// agencies have finished.
pub fn expect_all_stored(setup: &ServerSetup, datasets: &[Dataset]) {
    let stored = setup.bets_file();
    for dataset in datasets {
        let own = rows_of(&stored, dataset.agency);
        assert!(
            own == dataset.stored_rows(),
            "agency {}: {}",
            dataset.agency,
            first_difference(&own, &dataset.stored_rows())
        );
    }
    let bets: usize = datasets.iter().map(Dataset::bets).sum();
    assert_eq!(
        stored.split_inclusive("\r\n").count(),
        bets,
        "rows of nobody"
    );
    let closings = setup.closings_file();
    let mut closings: Vec<&str> = closings.split_inclusive("\r\n").collect();
    // They are in the order in which the agencies finished.
    closings.sort_unstable();
    let mut expected: Vec<String> = datasets.iter().map(Dataset::closing).collect();
    expected.sort_unstable();
    assert_eq!(closings, expected);
}

/// The rows of an agency in what is stored.
pub fn rows_of(stored: &str, agency: u32) -> String {
    let first_column = format!("{agency},");
    let rows = stored.split_inclusive("\r\n");
    rows.filter(|row| row.starts_with(&first_column)).collect()
}

fn first_difference(one: &str, other: &str) -> String {
    let (mut one, mut other) = (one.lines(), other.lines());
    for line in 1.. {
        let (is, should) = (one.next(), other.next());
        if is != should || is.is_none() {
            return format!("row {line} is {is:?} and should be {should:?}");
        }
    }
    unreachable!("both are finite")
}
