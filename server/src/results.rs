//! The winners, read from the files of a server that runs or does not.

use std::fmt::Write as _;
use std::io;

use clap::ValueEnum;
use lottery_core::store::{
    BETS_FILE, DRAW_FILE, DrawRecord, Folder, OpenError, Winners, find_winners, load_draw,
};
use serde_json::json;
use thiserror::Error;

/// How to print winners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// `agency,document`, a row for each winning bet.
    Csv,
    /// One object.
    Json,
}

/// A draw that was held, and who won.
#[derive(Debug)]
pub struct Results {
    draw: DrawRecord,
    winners: Winners,
}

/// Why there are no results.
#[derive(Debug, Error)]
pub enum ResultsError {
    /// There is no `draw.csv`, or nothing in it yet.
    #[error("the draw was not held yet")]
    NotDrawn,
    /// A file cannot be read, or is corrupt.
    #[error(transparent)]
    File(#[from] OpenError),
    /// `draw.csv` and `bets.csv` disagree.
    #[error("{DRAW_FILE} says {recorded} winning bets, and {BETS_FILE} has {found}: corruption")]
    Mismatch {
        /// What `draw.csv` says.
        recorded: u64,
        /// What `bets.csv` has.
        found: u64,
    },
}

impl Results {
    /// The results in `folder`.
    ///
    /// # Errors
    ///
    /// When the draw was not held, or the files cannot be read or disagree.
    pub fn of(folder: &Folder) -> Result<Results, ResultsError> {
        let unreadable = |file| move |error| OpenError::File { file, error };
        let draw = match folder.open_to_read(DRAW_FILE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            file => load_draw(&file.map_err(unreadable(DRAW_FILE))?)?,
        };
        let draw = draw.ok_or(ResultsError::NotDrawn)?;
        let mut winners = folder
            .open_to_read(BETS_FILE)
            .and_then(|bets| find_winners(&bets, draw.winning_number))
            .map_err(unreadable(BETS_FILE))?;
        // Earlier settings may have let in agencies that did not take part in the draw.
        winners.retain(|agency, _| *agency <= draw.agencies);
        let found = winners.values().map(|winners| winners.len() as u64).sum();
        match draw.winners {
            recorded if recorded == found => Ok(Results { draw, winners }),
            recorded => Err(ResultsError::Mismatch { recorded, found }),
        }
    }

    /// The winners of all agencies, or of one, as text.
    pub fn shown(&self, only: Option<u32>, format: Format) -> String {
        let agencies = match only {
            Some(agency) => agency..=agency,
            None => 1..=self.draw.agencies,
        };
        let winners = agencies.map(|agency| {
            let documents = self.winners.get(&agency).map_or(&[][..], Vec::as_slice);
            (agency, documents)
        });
        match format {
            Format::Table => self.table(winners),
            Format::Csv => csv(winners),
            Format::Json => self.json(winners),
        }
    }

    fn table<'w>(&self, winners: impl Iterator<Item = (u32, &'w [u32])>) -> String {
        let number = self.draw.winning_number;
        let mut text = format!("number drawn: {number}\n\nagency  winners  documents\n");
        let mut total = 0;
        for (agency, documents) in winners {
            total += documents.len();
            let listed: Vec<String> = documents.iter().map(u32::to_string).collect();
            let line = format!("{agency:>6}  {:>7}  {}", documents.len(), listed.join(", "));
            text += line.trim_end();
            text.push('\n');
        }
        // A string takes whatever is written.
        let _ = writeln!(text, " total  {total:>7}");
        text
    }

    fn json<'w>(&self, winners: impl Iterator<Item = (u32, &'w [u32])>) -> String {
        let agencies =
            winners.map(|(agency, documents)| json!({ "agency": agency, "winners": documents }));
        let all = json!({
            "number": self.draw.winning_number,
            "bets": self.draw.bets,
            "agencies": agencies.collect::<Vec<_>>(),
        });
        format!("{all}\n")
    }
}

fn csv<'w>(winners: impl Iterator<Item = (u32, &'w [u32])>) -> String {
    let rows = winners.flat_map(|(agency, documents)| {
        documents
            .iter()
            .map(move |document| format!("{agency},{document}\r\n"))
    });
    rows.collect()
}
