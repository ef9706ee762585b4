//! Where an agency's bets come from: its file, or the environment.

mod csv_file;

use std::io;
use std::path::PathBuf;

use lottery_core::bet::Bet;
use thiserror::Error;

pub use csv_file::{CsvFile, RowError};

/// An agency's valid bets, one after the other and as often as they are needed: an agency that
/// reconnects goes through the first ones again, to check that the central has the same.
pub trait BetSource {
    /// Goes back to the first bet. Fails when the source cannot be read.
    fn rewind(&mut self) -> Result<(), SourceError>;

    /// Passes the next bet to `take` and returns its result; `None` after the last bet. Invalid rows
    /// are reported and skipped. Fails when the source cannot be read.
    fn next_bet<T>(&mut self, take: impl FnOnce(&Bet<'_>) -> T) -> Result<Option<T>, SourceError>;

    /// Invalid rows so far.
    fn rejected(&self) -> u64;

    /// Bytes of the source before the last bet that was passed; its length after the last of all.
    fn offset(&self) -> u64 {
        0
    }
}

/// Why there is no next bet.
#[derive(Debug, Error)]
pub enum SourceError {
    /// This file cannot be read.
    #[error("{}: {}", .0.display(), .1)]
    Read(PathBuf, io::Error),
    /// This file has rows, and none of them is a bet: it is the wrong file.
    #[error("no row of {} is a bet: {}", .0.display(), .1)]
    NoBets(PathBuf, String),
}

/// The bet of an agency that has a single one.
pub(crate) struct SingleBet<'a> {
    pub bet: Bet<'a>,
    is_taken: bool,
}

impl<'a> From<Bet<'a>> for SingleBet<'a> {
    fn from(bet: Bet<'a>) -> SingleBet<'a> {
        SingleBet {
            bet,
            is_taken: false,
        }
    }
}

impl BetSource for SingleBet<'_> {
    fn rewind(&mut self) -> Result<(), SourceError> {
        self.is_taken = false;
        Ok(())
    }

    fn next_bet<T>(&mut self, take: impl FnOnce(&Bet<'_>) -> T) -> Result<Option<T>, SourceError> {
        let is_first = !std::mem::replace(&mut self.is_taken, true);
        Ok(is_first.then(|| take(&self.bet)))
    }

    fn rejected(&self) -> u64 {
        0
    }
}
