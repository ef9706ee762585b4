//! The `flags` dialect: binary lengths, big-endian, with texts inside.
//!
//! The first byte of a connection is the agency, 1 to 255. Then messages, which begin with a `u8`:
//!
//! | flag | message | behind the flag |
//! | --- | --- | --- |
//! | 1 | bets | `u32` number of batches; per batch `u32` size and its text |
//! | 2 | end of bets, and the request for winners | nothing |
//!
//! The text of a batch is `agency,first,last,document,birthdate,number` for each bet, joined by `\n`.
//! The one reply is `u32` number of winners and each DNI as `u32`; then the central closes. There is
//! no word for failure.

use super::fields::field_at;
use super::text::{BetFormat, pieces};
use super::{After, Codec, Scan};
use crate::message::{Awaits, Batch, Code, Message, Refusal, Reply, Request};

const BETS_HEADER_BYTES: usize = 1 + 4;
const BATCH_HEADER_BYTES: usize = 4;

const FORMAT: BetFormat = BetFormat {
    separator: b',',
    trims: false,
};

/// The codec. A *bets* message may hold megabytes, so each of its batches is a message here.
#[derive(Debug)]
pub struct Flags {
    bytes_max: usize,
    next: Next,
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// The agency's number, which begins the connection.
    Agency,
    /// A flag.
    Flag,
    /// So many batches, at least one.
    Batches(u32),
}

impl Flags {
    /// A codec that accepts batches of at most `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Flags {
        Flags {
            bytes_max,
            next: Next::Agency,
        }
    }
}

impl Codec for Flags {
    fn scan(&mut self, bytes: &[u8]) -> Result<Scan, Refusal> {
        match (self.next, bytes.first()) {
            (Next::Agency, _) | (Next::Flag, Some(2)) => Ok(Scan::of_length(1, bytes)),
            (Next::Flag, Some(1)) => Ok(Scan::of_length(BETS_HEADER_BYTES, bytes)),
            (Next::Flag, Some(other)) => {
                let reason = format!("flag {other} is unknown");
                Err(Refusal::new(Code::UnknownMessage, reason))
            }
            (Next::Flag, None) => Ok(Scan::of_length(1, bytes)),
            (Next::Batches(_), _) => match field_at(bytes, 0).map(u32::from_be_bytes) {
                None => Ok(Scan::of_length(BATCH_HEADER_BYTES, bytes)),
                Some(size) => {
                    let length = BATCH_HEADER_BYTES as u64 + u64::from(size);
                    Scan::of_claim(length, bytes, self.bytes_max)
                }
            },
        }
    }

    fn parse<'a>(&mut self, message: &'a [u8]) -> Result<Message<'a>, Refusal> {
        let mut agency = None;
        let request = match self.next {
            Next::Agency => {
                agency = message.first().copied().map(u32::from);
                self.next = Next::Flag;
                Request::Nothing
            }
            Next::Flag => match field_at(message, 1).map(u32::from_be_bytes) {
                None => Request::Finish {
                    awaits: Awaits::Winners,
                },
                Some(batches) => {
                    self.next = after_batches(batches);
                    Request::Nothing
                }
            },
            Next::Batches(batches) => {
                self.next = after_batches(batches - 1);
                let text = message.get(BATCH_HEADER_BYTES..).unwrap_or_default();
                let bets = pieces(text, b'\n').map(|bet| FORMAT.bet_with_agency(bet));
                Request::Bets(Batch::collect(None, bets)?)
            }
        };
        Ok(Message { agency, request })
    }

    fn encode(&mut self, reply: &Reply, out: &mut Vec<u8>) -> After {
        match reply {
            Reply::Winners(documents) => {
                out.extend_from_slice(&(documents.len() as u32).to_be_bytes());
                for document in documents {
                    out.extend_from_slice(&document.to_be_bytes());
                }
                After::Closes
            }
            _ => After::of(reply),
        }
    }
}

fn after_batches(left: u32) -> Next {
    match left {
        0 => Next::Flag,
        left => Next::Batches(left),
    }
}
