//! Where an agency's bets come from: its file, or the environment.

mod csv_file;
mod single;

use std::io;
use std::path::PathBuf;

use lottery_core::bet::Bet;
use thiserror::Error;

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

/// The source cannot be read.
#[derive(Debug, Error)]
#[error("{}: {error}", path.display())]
pub struct SourceError {
    /// The file.
    pub path: PathBuf,
    /// What the system says.
    pub error: io::Error,
}
