//! Agencies' files, and what must become of them.

use csv::ReaderBuilder;
use time::Date;
use time::macros::format_description;

use super::native::{Bet, crc, losing_bets, rows};
use super::program::ROOT;

/// An agency's file. Every row of it is a valid bet and ends in CRLF.
#[derive(Clone, Debug)]
pub struct Dataset {
    pub agency: u32,
    pub file: String,
    pub bets: Vec<Bet>,
}

impl Dataset {
    pub fn bundled(agency: u32) -> Dataset {
        let file = std::fs::read_to_string(format!("{ROOT}/.data/agency-{agency}.csv")).unwrap();
        let mut reader = ReaderBuilder::new();
        let mut reader = reader.has_headers(false).from_reader(file.as_bytes());
        let rows = reader.deserialize().map(Result::unwrap);
        let dataset = Dataset::of(agency, rows.map(|row| bet(agency, row)).collect());
        assert!(dataset.file == file, "rows are written in another way");
        dataset
    }

    /// The same without commas in names: texts of dialects have no quotes.
    pub fn without_commas(self) -> Dataset {
        let bets = self.bets.into_iter().map(|bet| {
            let names = [bet.fields.first_name, bet.fields.last_name];
            let [first_name, last_name] = names.map(|name| &*name.replace(',', "").leak());
            bet.named(first_name, last_name)
        });
        Dataset::of(self.agency, bets.collect())
    }

    pub fn of(agency: u32, bets: Vec<Bet>) -> Dataset {
        // The agency's file is the server's without the first column.
        let stored = rows(&bets);
        let rows = stored.split_inclusive("\r\n");
        let file = rows.map(|row| row.split_once(',').unwrap().1).collect();
        Dataset { agency, file, bets }
    }

    pub fn losing(agency: u32, count: u32) -> Dataset {
        Dataset::of(agency, losing_bets(agency, count))
    }

    /// A file of 500 losing bets with one that wins in the middle, of DNI 100 and the agency.
    pub fn with_winner(agency: u32) -> Dataset {
        let mut bets = losing_bets(agency, 500);
        bets.insert(250, Bet::winning(agency, 100 + agency));
        Dataset::of(agency, bets)
    }

    /// The DNIs of those who win by default.
    pub fn winners(&self) -> Vec<u32> {
        let winning = self.bets.iter().filter(|bet| bet.fields.number == 7574);
        winning.map(|bet| bet.fields.document).collect()
    }

    /// The agency's row in `closings.csv`.
    pub fn closing(&self) -> String {
        let (bets, crc) = (self.bets.len(), crc(&self.bets));
        format!("{},{bets},{crc}\r\n", self.agency)
    }
}

pub fn rows_of(stored: &str, agency: u32) -> String {
    let first_column = format!("{agency},");
    let rows = stored.split_inclusive("\r\n");
    rows.filter(|row| row.starts_with(&first_column)).collect()
}

fn bet(agency: u32, row: (String, String, u32, String, u32)) -> Bet {
    let (first_name, last_name, document, birthdate, number) = row;
    let birthdate = Date::parse(&birthdate, format_description!("[year]-[month]-[day]"));
    let mut bet = Bet::losing(agency, document).named(first_name.leak(), last_name.leak());
    (bet.fields.birthdate, bet.fields.number) = (birthdate.unwrap(), number);
    bet
}
