//! From bytes to [messages](crate::message) and back, in each of the dialects that agencies speak.
//!
//! Reading is in two steps. [`Codec::scan`] answers "is a whole message here?" without building
//! anything, and refuses what is too large before it has arrived. [`Codec::parse`] may then assume
//! that the message is whole. In between, an [`Inbox`] keeps the bytes of a message that arrives
//! in pieces.
//!
//! A dialect is one file of this folder and a line in [`DIALECTS`]; `docs/DIALECTS.md` has their
//! bytes.

mod flags;
mod frames;
mod inbox;
mod lines;
pub mod native;
mod sized;
mod text;

use std::fmt::Debug;

use crate::message::{Message, Refusal, Reply};
use flags::Flags;
use frames::Frames;
use lines::LinesCodec;
use native::Native;
use sized::SizedText;

pub use inbox::Inbox;

/// One connection's side of a dialect. Made when the connection is accepted, and told every message
/// in order, since some dialects say only once which agency speaks. After an error it is of no further use.
pub trait Codec: Debug {
    /// Looks for a whole message at the front of `bytes`, which are those of the last call and
    /// perhaps more after them, unless that call found a message. Refuses bytes that cannot become one.
    fn scan(&mut self, bytes: &[u8]) -> Result<Scan, Refusal>;

    /// Reads a message that [`Codec::scan`] found whole. Refuses one that contradicts itself.
    fn parse<'a>(&mut self, message: &'a [u8]) -> Result<Message<'a>, Refusal>;

    /// Appends a reply, if the dialect has a word for it.
    fn encode(&mut self, reply: &Reply, out: &mut Vec<u8>);

    /// Whether the central closes the connection once this reply is sent.
    fn ends_with(&self, reply: &Reply) -> bool {
        matches!(reply, Reply::Refused(_))
    }
}

/// What is at the front of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// A message of this many bytes.
    Whole(usize),
    /// No whole message yet.
    Incomplete {
        /// A lower bound on its bytes, more than there are, where the dialect tells lengths.
        at_least: Option<usize>,
    },
}

impl Scan {
    /// What a message of `length` bytes is, when `bytes` is what there is of it.
    fn of_length(length: usize, bytes: &[u8]) -> Scan {
        if bytes.len() < length {
            Scan::Incomplete {
                at_least: Some(length),
            }
        } else {
            Scan::Whole(length)
        }
    }

    /// As [`Scan::of_length`], for a header that claims a size of what follows, once that has come.
    fn of_claim(
        header_bytes: usize,
        size: Option<u32>,
        bytes: &[u8],
        bytes_max: usize,
    ) -> Result<Scan, Refusal> {
        let length = header_bytes as u64 + u64::from(size.unwrap_or_default());
        match usize::try_from(length) {
            Ok(length) if length <= bytes_max => Ok(Scan::of_length(length, bytes)),
            _ => Err(too_large(length, bytes_max)),
        }
    }
}

fn too_large(length: u64, bytes_max: usize) -> Refusal {
    Refusal::malformed(format!(
        "a message of at least {length} bytes, and at most {bytes_max} are accepted"
    ))
}

/// A wire format.
#[derive(Debug)]
pub struct Dialect {
    /// Its name in the settings and the log.
    pub name: &'static str,
    /// Makes the codec of a new connection from the most bytes that a message may have.
    pub codec: fn(usize) -> Box<dyn Codec>,
}

/// Every dialect. The first is the default.
pub static DIALECTS: [Dialect; 5] = [
    Dialect::new("native", |bytes_max| Box::new(Native::new(bytes_max))),
    Dialect::new("frames", |bytes_max| Box::new(Frames { bytes_max })),
    Dialect::new("flags", |bytes_max| Box::new(Flags::new(bytes_max))),
    Dialect::new("lines", |bytes_max| Box::new(LinesCodec::new(bytes_max))),
    Dialect::new("sized", |bytes_max| Box::new(SizedText { bytes_max })),
];

impl Dialect {
    const fn new(name: &'static str, codec: fn(usize) -> Box<dyn Codec>) -> Dialect {
        Dialect { name, codec }
    }

    /// The dialect of this name.
    pub fn named(name: &str) -> Option<&'static Dialect> {
        DIALECTS.iter().find(|dialect| dialect.name == name)
    }
}

#[cfg(test)]
mod tests;
