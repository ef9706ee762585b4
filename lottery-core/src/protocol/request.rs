//! What an agency says: messages 1, 4, 5, 6 and 8; and 32, which anybody may say.

use super::frame::{FrameError, Scan, Scanner};
use super::{Malformed, TYPE_BYTES, bet_encoding, message_type, reader::Reader};
use crate::bet::{Bet, UncheckedBet};

/// Bytes of a RegisterBets before its first bet: the type and the count.
pub const BATCH_HEADER_BYTES: usize = TYPE_BYTES + 4;

/// Bytes of the length that precedes each bet of a RegisterBets.
pub const BET_LENGTH_BYTES: usize = 4;

const HELLO_BYTES: usize = TYPE_BYTES + 2 + 4;

/// A message from an agency, borrowing from the frame it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// Asks to store these bets, all or none.
    RegisterBets(Vec<UncheckedBet<'a>>),
    /// Confirms an answer; the central has no use for it.
    Ack,
    /// Says that no more bets will come.
    AllBetsSent,
    /// Asks for the winners, and waits for the draw.
    RequestWinners,
    /// Says which agency speaks, so that it may go on where it was.
    Hello {
        /// The agency's number.
        agency: u32,
    },
    /// Asks how far the lottery is. It changes nothing, and needs no identification.
    Status,
}

impl<'a> Request<'a> {
    /// Reads a frame that a [`RequestScanner`] found whole.
    ///
    /// # Errors
    ///
    /// When the lengths inside contradict each other.
    pub fn parse(frame: &'a [u8]) -> Result<Request<'a>, Malformed> {
        let mut reader = Reader(frame);
        let request = match reader.u16()? {
            message_type::REGISTER_BETS => Request::RegisterBets(parse_bets(&mut reader)?),
            message_type::ACK => Request::Ack,
            message_type::ALL_BETS_SENT => Request::AllBetsSent,
            message_type::REQUEST_WINNERS => Request::RequestWinners,
            message_type::HELLO => {
                let version = reader.u16()?;
                if version != super::VERSION {
                    return Err(Malformed::OtherVersion(version));
                }
                Request::Hello {
                    agency: reader.u32()?,
                }
            }
            message_type::STATUS => Request::Status,
            unknown => return Err(Malformed::UnknownType(unknown)),
        };
        reader.end()?;
        Ok(request)
    }
}

fn parse_bets<'a>(reader: &mut Reader<'a>) -> Result<Vec<UncheckedBet<'a>>, Malformed> {
    let count = reader.u32()? as usize;
    // Each bet has a length field in the frame, so the capacity is bounded by bytes that are here.
    let mut bets = Vec::with_capacity(count.min(reader.0.len() / BET_LENGTH_BYTES));
    for _ in 0..count {
        bets.push(bet_encoding::decode(reader.counted_bytes()?)?);
    }
    Ok(bets)
}

/// Appends an Ack.
pub fn encode_ack(out: &mut Vec<u8>) {
    out.extend_from_slice(&message_type::ACK.to_be_bytes());
}

/// Appends an AllBetsSent.
pub fn encode_all_bets_sent(out: &mut Vec<u8>) {
    out.extend_from_slice(&message_type::ALL_BETS_SENT.to_be_bytes());
}

/// Appends a RequestWinners.
pub fn encode_request_winners(out: &mut Vec<u8>) {
    out.extend_from_slice(&message_type::REQUEST_WINNERS.to_be_bytes());
}

/// Appends a Hello of this protocol's version.
pub fn encode_hello(agency: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&message_type::HELLO.to_be_bytes());
    out.extend_from_slice(&super::VERSION.to_be_bytes());
    out.extend_from_slice(&agency.to_be_bytes());
}

/// Appends a Status.
pub fn encode_status(out: &mut Vec<u8>) {
    out.extend_from_slice(&message_type::STATUS.to_be_bytes());
}

/// Appends the front of a RegisterBets; `count` bets, each after its length, are to follow.
pub fn encode_batch_header(count: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&message_type::REGISTER_BETS.to_be_bytes());
    out.extend_from_slice(&count.to_be_bytes());
}

/// Appends a bet as a RegisterBets has it: its length, and its encoding.
pub fn encode_counted_bet(bet: &Bet<'_>, out: &mut Vec<u8>) {
    // A bet has at most a few hundred bytes.
    let length = bet_encoding::encoded_bytes(bet) as u32;
    out.extend_from_slice(&length.to_be_bytes());
    bet_encoding::encode(bet, out);
}

/// Finds the end of a request without looking inside its bets.
///
/// A RegisterBets does not say how long it is: each bet brings its own length, and the scanner
/// hops from one to the next. It refuses a message as soon as the lengths seen, and the least that
/// the bets announced must take, exceed the bound.
#[derive(Debug)]
pub struct RequestScanner {
    bytes_max: usize,
    /// Set once the header of a RegisterBets has been seen.
    batch: Option<BatchScan>,
}

#[derive(Debug)]
struct BatchScan {
    bets_left: u32,
    /// Where the next bet's length field begins.
    next_bet: usize,
}

impl RequestScanner {
    /// A scanner that accepts messages of at most `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> RequestScanner {
        RequestScanner {
            bytes_max,
            batch: None,
        }
    }

    fn scan_batch(&mut self, bytes: &[u8]) -> Result<Scan, FrameError> {
        let batch = match &mut self.batch {
            Some(batch) => batch,
            none => {
                let Some(count) = u32_at(bytes, TYPE_BYTES) else {
                    return Ok(Scan::Incomplete {
                        at_least: BATCH_HEADER_BYTES,
                    });
                };
                none.insert(BatchScan {
                    bets_left: count,
                    next_bet: BATCH_HEADER_BYTES,
                })
            }
        };
        loop {
            let least = batch.next_bet as u64
                + u64::from(batch.bets_left)
                    * (BET_LENGTH_BYTES + bet_encoding::BET_BYTES_MIN) as u64;
            if least > self.bytes_max as u64 {
                return Err(FrameError::TooLarge {
                    claimed: least,
                    max: self.bytes_max,
                });
            }
            if batch.bets_left == 0 {
                let end = batch.next_bet;
                if bytes.len() < end {
                    return Ok(Scan::Incomplete { at_least: end });
                }
                self.batch = None;
                return Ok(Scan::Whole(end));
            }
            let Some(length) = u32_at(bytes, batch.next_bet) else {
                return Ok(Scan::Incomplete {
                    at_least: batch.next_bet + BET_LENGTH_BYTES,
                });
            };
            batch.bets_left -= 1;
            // Both terms are below 2^33: this cannot overflow where a usize has 64 bits, and a
            // claim beyond the bound is refused in the next round.
            batch.next_bet = batch
                .next_bet
                .saturating_add(BET_LENGTH_BYTES + length as usize);
        }
    }
}

impl Scanner for RequestScanner {
    fn scan(&mut self, bytes: &[u8]) -> Result<Scan, FrameError> {
        let Some(message_type) = bytes.first_chunk().copied().map(u16::from_be_bytes) else {
            return Ok(Scan::Incomplete {
                at_least: TYPE_BYTES,
            });
        };
        let length = match message_type {
            message_type::REGISTER_BETS => return self.scan_batch(bytes),
            message_type::ACK
            | message_type::ALL_BETS_SENT
            | message_type::REQUEST_WINNERS
            | message_type::STATUS => TYPE_BYTES,
            message_type::HELLO => HELLO_BYTES,
            unknown => return Err(FrameError::UnknownType(unknown)),
        };
        Ok(Scan::of_length(length, bytes))
    }
}

fn u32_at(bytes: &[u8], position: usize) -> Option<u32> {
    let field = bytes.get(position..)?.first_chunk()?;
    Some(u32::from_be_bytes(*field))
}
