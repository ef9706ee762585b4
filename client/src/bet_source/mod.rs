//! Where an agency's bets come from: its file, or the environment.

mod csv_file;
mod single;

use std::io;
use std::path::PathBuf;

use lottery_core::bet::Bet;
use thiserror::Error;

use crate::interruption::Interrupted;

pub use csv_file::{CsvFile, RowError, RowProblem};
pub use single::SingleBet;

/// An agency's valid bets, one after the other and as often as they are needed: an agency that
/// reconnects goes through the first ones again, to check that the central has the same.
pub trait BetSource {
    /// Goes back to the first bet.
    ///
    /// # Errors
    ///
    /// When the source cannot be read.
    fn rewind(&mut self) -> Result<(), SourceError>;

    /// Hands the next bet to `take` and gives back what that makes of it, or `None` after the last
    /// bet. What is no valid bet is reported and left out.
    ///
    /// # Errors
    ///
    /// When the source cannot be read.
    fn next_bet<T>(&mut self, take: impl FnOnce(&Bet<'_>) -> T) -> Result<Option<T>, SourceError>;

    /// How many rows were no valid bets, as far as the source was read.
    fn rejected(&self) -> u64;
}

/// Why the next bet cannot be had.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The source cannot be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A signal came: going through a file may take longer than the program has then.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}
