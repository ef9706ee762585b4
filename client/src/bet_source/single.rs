//! One bet, from the environment.

use lottery_core::bet::{Bet, BetText, InvalidBet};
use lottery_core::date::Date;
use lottery_core::name::Name;

use super::{BetSource, SourceError};

/// The bet of an agency that has a single one.
#[derive(Clone, Debug)]
pub struct SingleBet {
    agency: u32,
    first_name: String,
    last_name: String,
    document: u32,
    birthdate: Date,
    number: u32,
    is_taken: bool,
}

impl SingleBet {
    /// The bet that the texts spell, if it is valid on the day `today`.
    ///
    /// # Errors
    ///
    /// The first field that is not valid.
    pub fn new(agency: u32, text: &BetText<'_>, today: Date) -> Result<SingleBet, InvalidBet> {
        let bet = Bet::from_text(agency, text, today)?;
        Ok(SingleBet {
            agency,
            first_name: bet.first_name.to_string(),
            last_name: bet.last_name.to_string(),
            document: bet.document,
            birthdate: bet.birthdate,
            number: bet.number,
            is_taken: false,
        })
    }

    /// The bet.
    pub fn bet(&self) -> Bet<'_> {
        Bet {
            agency: self.agency,
            first_name: name(&self.first_name),
            last_name: name(&self.last_name),
            document: self.document,
            birthdate: self.birthdate,
            number: self.number,
        }
    }
}

fn name(text: &str) -> Name<'_> {
    Name::new(text.as_bytes()).expect("it was the name of a valid bet")
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
