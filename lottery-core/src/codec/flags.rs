//! The `flags` dialect: binary lengths, big-endian, with texts inside.
//! `docs/DIALECTS.md` has its tables.

use super::text::{bet_with_agency, pieces, split};
use super::{Codec, Scan};
use crate::fields::field_at;
use crate::message::{Awaits, Batch, Message, Refusal, Reply, Request};

const BETS_HEADER_BYTES: usize = 1 + 4;
const BATCH_HEADER_BYTES: usize = 4;

/// A *bets* message may hold megabytes, so each of its batches is a message here.
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
    Flag,
    /// So many batches, at least one.
    Batches(u32),
}

impl Flags {
    pub fn new(bytes_max: usize) -> Flags {
        let next = Next::Agency;
        Flags { bytes_max, next }
    }
}

impl Codec for Flags {
    fn scan(&mut self, bytes: &[u8]) -> Result<Scan, Refusal> {
        match (self.next, bytes.first()) {
            (Next::Agency, _) | (Next::Flag, None | Some(2)) => Ok(Scan::of_length(1, bytes)),
            (Next::Flag, Some(1)) => Ok(Scan::of_length(BETS_HEADER_BYTES, bytes)),
            (Next::Flag, Some(other)) => {
                Err(Refusal::unknown_message(format!("flag {other} is unknown")))
            }
            (Next::Batches(_), _) => {
                let size = field_at(bytes, 0).map(u32::from_be_bytes);
                Scan::of_claim(BATCH_HEADER_BYTES, size, bytes, self.bytes_max)
            }
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
                None => Request::Finish(Awaits::Winners),
                Some(batches) => {
                    self.next = after_batches(batches);
                    Request::Nothing
                }
            },
            Next::Batches(batches) => {
                self.next = after_batches(batches - 1);
                let text = message.get(BATCH_HEADER_BYTES..).unwrap_or_default();
                let bets = pieces(text, b'\n').map(|bet| bet_with_agency(split(bet, b',')?));
                Request::Bets(Batch::collect(None, bets)?)
            }
        };
        Ok(Message { agency, request })
    }

    fn encode(&mut self, reply: &Reply, out: &mut Vec<u8>) {
        if let Reply::Winners(documents) = reply {
            out.extend_from_slice(&(documents.len() as u32).to_be_bytes());
            for document in documents {
                out.extend_from_slice(&document.to_be_bytes());
            }
        }
    }

    fn ends_with(&self, reply: &Reply) -> bool {
        matches!(reply, Reply::Refused(_) | Reply::Winners(_))
    }
}

fn after_batches(left: u32) -> Next {
    match left {
        0 => Next::Flag,
        left => Next::Batches(left),
    }
}
