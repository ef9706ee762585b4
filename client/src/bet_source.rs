//! Where an agency's bets come from: its file, or the environment.

mod csv_file;

use std::io;
use std::path::PathBuf;

use lottery_core::bet::Bet;
use lottery_core::encoding;
use thiserror::Error;

pub use csv_file::{CsvFile, RowError};

/// An agency's valid bets, one after the other and as often as they are needed: an agency that
/// reconnects goes through the first ones again, to check that the central has the same.
pub trait BetSource {
    /// Goes back to the first bet. Fails when the source cannot be read.
    fn rewind(&mut self) -> Result<(), SourceError>;

    /// Hands the next bet to `take` and gives back what that makes of it, or `None` after the last
    /// bet. What is no valid bet is reported and left out. Fails when the source cannot be read.
    fn next_bet<T>(&mut self, take: impl FnOnce(&Bet<'_>) -> T) -> Result<Option<T>, SourceError>;

    /// How many rows were no valid bets, as far as the source was read.
    fn rejected(&self) -> u64;

    /// Bytes of the source before the bet given last, or, behind the last one, all of them.
    fn offset(&self) -> u64 {
        0
    }
}

/// Why the next bet cannot be had.
#[derive(Debug, Error)]
pub enum SourceError {
    /// This file cannot be read.
    #[error("{}: {}", .0.display(), .1)]
    Read(PathBuf, io::Error),
    /// This file has rows, and none of them is a bet: it is another file than was meant.
    #[error("no row of {} is a bet: {}", .0.display(), .1)]
    NoBets(PathBuf, String),
}

/// The bet of an agency that has a single one.
pub(crate) struct SingleBet {
    encoding: Vec<u8>,
    is_taken: bool,
}

impl SingleBet {
    pub fn new(bet: &Bet<'_>) -> SingleBet {
        let mut encoding = Vec::new();
        encoding::encode(bet, &mut encoding);
        SingleBet {
            encoding,
            is_taken: false,
        }
    }

    pub fn bet(&self) -> Bet<'_> {
        let bet = encoding::decode(&self.encoding)
            .ok()
            .and_then(|(_, bet)| bet.ok());
        bet.expect("it was a valid bet that was encoded")
    }
}

impl BetSource for SingleBet {
    fn rewind(&mut self) -> Result<(), SourceError> {
        self.is_taken = false;
        Ok(())
    }

    fn next_bet<T>(&mut self, take: impl FnOnce(&Bet<'_>) -> T) -> Result<Option<T>, SourceError> {
        let is_first = !std::mem::replace(&mut self.is_taken, true);
        Ok(is_first.then(|| take(&self.bet())))
    }

    fn rejected(&self) -> u64 {
        0
    }
}
