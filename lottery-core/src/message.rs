//! What agencies ask and the central answers, as the business sees it: no bytes, no text.
//!
//! A [codec](crate::codec) makes these of bytes and bytes of these. What differs between the
//! dialects is data here: whether a message names its agency, and what an agency that has finished
//! waits for. Whether an answer is sent at all is the codec's business.

use thiserror::Error;

use crate::bet::{Bet, InvalidBet};
use crate::encoding::{self, Tally};

/// A message from a peer.
#[derive(Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The agency that the message's header names. The connection speaks for it from here on.
    pub agency: Option<u32>,
    /// What is asked.
    pub request: Request<'a>,
}

/// What a peer asks.
#[derive(Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// To be told what is stored of the agency, so that it can resume.
    Hello,
    /// To store these bets, all or none.
    Bets(Batch<'a>),
    /// To count the agency as finished: it has sent all its bets. This is what it waits for then.
    Finish(Awaits),
    /// To be told its winners, after the draw.
    Winners,
    /// To be told how far the lottery is. Needs no identification and changes nothing.
    Status,
    /// Nothing: a confirmation, or a header alone.
    Nothing,
}

/// What an agency that has finished waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaits {
    /// Nothing; it asks for its winners itself.
    Nothing,
    /// To be told that the draw was held.
    Draw,
    /// Its winners.
    Winners,
}

/// Typical size of an encoded bet, for the first allocation.
const BET_BYTES_TYPICAL: usize = 64;

/// Bets that are stored together or not at all.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch<'a> {
    /// Whose bets they are: the first bet says so, or a header. `None` when there are none.
    pub agency: Option<u32>,
    /// How many bets there are, valid or not.
    pub count: usize,
    /// The bets, or why they cannot be stored, whatever the state of the lottery.
    pub bets: Result<Bets<'a>, Refusal>,
}

/// Valid bets of one agency.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Bets<'a> {
    /// The bets, in order.
    pub bets: Vec<Bet<'a>>,
    /// Their [encodings](crate::encoding), one after the other.
    pub encodings: Vec<u8>,
}

impl<'a> Batch<'a> {
    /// Collects bets as a codec finds them. `header_agency` is the agency that a header names; without
    /// one the first bet says whose the batch is.
    ///
    /// # Errors
    ///
    /// The first error among `bets`: the message is malformed, which ends the connection.
    pub fn collect(
        header_agency: Option<u32>,
        bets: impl Iterator<Item = Result<FoundBet<'a>, Refusal>>,
    ) -> Result<Batch<'a>, Refusal> {
        // A codec knows how many bets are announced, and that they fit the message.
        let expected = bets.size_hint().0;
        let mut batch = Batch {
            agency: header_agency,
            count: 0,
            bets: Ok(Bets {
                bets: Vec::with_capacity(expected),
                encodings: Vec::with_capacity(expected * BET_BYTES_TYPICAL),
            }),
        };
        for found in bets {
            batch.push(found?);
        }
        Ok(batch)
    }

    fn push(&mut self, found: FoundBet<'a>) {
        self.count += 1;
        let expected = *self.agency.get_or_insert(found.agency);
        let Ok(bets) = &mut self.bets else { return };
        let position = self.count;
        let refusal = match found.bet {
            _ if found.agency != expected => {
                let found = found.agency;
                let reason = format!("is of agency {found}, and the first of agency {expected}");
                Refusal::new(Code::WrongAgency, format!("bet {position} {reason}"))
            }
            Ok(bet) => {
                match found.encoding {
                    Some(bytes) => bets.encodings.extend_from_slice(bytes),
                    None => encoding::encode(&bet, &mut bets.encodings),
                }
                return bets.bets.push(bet);
            }
            Err(invalid) => Refusal::new(Code::InvalidBet, format!("bet {position}: {invalid}")),
        };
        self.bets = Err(refusal);
    }
}

/// A bet as a codec finds it in a batch.
#[derive(Debug)]
pub struct FoundBet<'a> {
    /// The agency it names, or the header's.
    pub agency: u32,
    /// The bet, if it is valid.
    pub bet: Result<Bet<'a>, InvalidBet>,
    /// Its encoding, where the message has it.
    pub encoding: Option<&'a [u8]>,
}

/// A message from the central.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Where the agency stands: the answer to Hello.
    Welcome(Welcome),
    /// The oldest batch without an answer is stored.
    Stored,
    /// The agency counts as finished.
    Finished,
    /// The draw was held: what [`Awaits::Draw`] waits for.
    DrawHeld,
    /// The DNIs of the agency's winning bets, in the order in which the bets were stored.
    Winners(Vec<u32>),
    /// How far the lottery is.
    Status(StatusReport),
    /// The request is refused, and the central closes the connection.
    Refused(Refusal),
}

/// What is stored of an agency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Its bets.
    pub tally: Tally,
    /// What it may do next.
    pub stage: Stage,
}

/// How far an agency is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// More bets may come.
    Betting = 0,
    /// It has sent everything, and the draw was not held yet.
    Finished = 1,
    /// The draw was held.
    Drawn = 2,
}

/// How far the lottery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusReport {
    /// Agencies that take part.
    pub agencies: u32,
    /// Those that have not finished.
    pub missing: u32,
    /// Whether the draw was held.
    pub is_drawn: bool,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct Refusal {
    /// The kind of refusal.
    pub code: Code,
    /// What is wrong, for people.
    pub reason: String,
}

impl Refusal {
    /// A refusal with a reason of its own.
    pub fn new(code: Code, reason: impl Into<String>) -> Refusal {
        let reason = reason.into();
        Refusal { code, reason }
    }

    /// The bytes are a message of no known kind.
    pub fn unknown_message(reason: impl Into<String>) -> Refusal {
        Refusal::new(Code::UnknownMessage, reason)
    }

    /// The bytes are not a message.
    pub fn malformed(reason: impl Into<String>) -> Refusal {
        Refusal::new(Code::Malformed, reason)
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Refusal {
        Refusal::new(code, code.to_string())
    }
}

/// The kinds of refusal. The numbers travel in the native dialect and stand in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
#[repr(u16)]
pub enum Code {
    /// A message of no known kind, or a Hello of another version.
    #[error("unknown message")]
    UnknownMessage = 1,
    /// A bet breaks a rule, and with it the whole batch.
    #[error("a bet is invalid")]
    InvalidBet = 2,
    /// A message contradicts itself, or is larger than allowed.
    #[error("malformed or too large a message")]
    Malformed = 3,
    /// The connection speaks for another agency.
    #[error("not this connection's agency")]
    WrongAgency = 4,
    /// The agency has finished.
    #[error("betting is closed")]
    BettingClosed = 5,
    /// Agencies 1 to N take part.
    #[error("no such agency")]
    NoSuchAgency = 6,
    /// The disk did not take it; trying later may help.
    #[error("could not be stored")]
    NotStored = 7,
    /// Other agencies did not finish within the time set.
    #[error("the draw was not held in time")]
    DrawTimeout = 8,
    /// Not identified yet, or winners asked for before the agency has finished.
    #[error("out of turn")]
    OutOfTurn = 9,
}

impl Code {
    /// All codes, in the order of their numbers, which begin with 1.
    pub const ALL: [Code; 9] = [
        Code::UnknownMessage,
        Code::InvalidBet,
        Code::Malformed,
        Code::WrongAgency,
        Code::BettingClosed,
        Code::NoSuchAgency,
        Code::NotStored,
        Code::DrawTimeout,
        Code::OutOfTurn,
    ];

    /// The code as it travels.
    pub fn number(self) -> u16 {
        self as u16
    }

    /// The code that travels as `number`, if there is one.
    pub fn from_number(number: u16) -> Option<Code> {
        Code::ALL.into_iter().find(|code| code.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_numbered_one_to_nine() {
        for (number, code) in (1..).zip(Code::ALL) {
            assert_eq!(code.number(), number);
            assert_eq!(Code::from_number(number), Some(code));
        }
        assert_eq!((Code::from_number(0), Code::from_number(10)), (None, None));
    }
}
