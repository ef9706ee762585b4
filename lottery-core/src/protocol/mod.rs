//! The wire protocol between agencies and central: binary, big-endian, over TCP.
//!
//! Every message starts with two bytes, its type. Types 1–7 are those of agencies that exist
//! already; the others are ours. Nothing here reads a socket: bytes come in slices of whatever size
//! the network made of them.
//!
//! | type | message | from | after the type |
//! | --- | --- | --- | --- |
//! | 1 | RegisterBets | agency | `u32` count, then per bet `u32` length and the bet |
//! | 2 | RegisterBetOk | central | nothing; one per stored batch, in order |
//! | 3 | RegisterBetFailed | central | `u16` code |
//! | 4 | Ack | agency | nothing; may follow any answer, never required |
//! | 5 | AllBetsSent | agency | nothing |
//! | 6 | RequestWinners | agency | nothing |
//! | 7 | InformWinners | central | `u64` count, then `u32` DNIs |
//! | 8 | Hello | agency | `u16` version, `u32` agency |
//! | 9 | Welcome | central | `u64` bets, `u32` CRC-32, `u8` state |
//! | 32 | Status | anybody | nothing |
//! | 33 | StatusReport | central | `u32` agencies, `u32` missing, `u8` state |
//!
//! Reading is in two steps, each of which has one job. A *scanner* ([`request::RequestScanner`],
//! [`reply::ReplyScanner`]) answers "is a whole frame here?" without building anything, refuses
//! what is too large before it is read, and remembers where it stopped. A *parse*
//! ([`Request::parse`], [`Reply::parse`]) may then assume that the frame is whole. In between, a
//! [`FrameAssembler`] keeps the bytes of a frame that arrives in pieces.

pub mod bet_encoding;
mod frame;
mod reader;
pub mod reply;
pub mod request;
pub mod status;

use thiserror::Error;

pub use frame::{FrameAssembler, FrameError, Scan, Scanner};
pub use reply::{Reply, StatusReport, Welcome};
pub use request::Request;

/// The version that [`Request::Hello`] carries.
pub const VERSION: u16 = 1;

/// The largest message an agency of ours sends, in bytes, whatever its batches are set to.
pub const AGENCY_MESSAGE_BYTES_MAX: usize = 8192;

/// The first two bytes of a message.
mod message_type {
    pub const REGISTER_BETS: u16 = 1;
    pub const REGISTER_BET_OK: u16 = 2;
    pub const REGISTER_BET_FAILED: u16 = 3;
    pub const ACK: u16 = 4;
    pub const ALL_BETS_SENT: u16 = 5;
    pub const REQUEST_WINNERS: u16 = 6;
    pub const INFORM_WINNERS: u16 = 7;
    pub const HELLO: u16 = 8;
    pub const WELCOME: u16 = 9;
    // Numbers between are left for messages of the lottery itself.
    pub const STATUS: u16 = 32;
    pub const STATUS_REPORT: u16 = 33;
}

/// Bytes of a message's type.
const TYPE_BYTES: usize = 2;

/// Why the central refused, as the `u16` of RegisterBetFailed. The text is what people read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[repr(u16)]
pub enum Code {
    /// The type, or the version of a Hello, is not one of ours.
    #[error("unknown message")]
    UnknownMessage = 1,
    /// A bet breaks a rule, and with it the whole batch.
    #[error("a bet is invalid")]
    InvalidBet = 2,
    /// The lengths of a message contradict each other, or it is larger than allowed.
    #[error("malformed or too large a message")]
    Malformed = 3,
    /// The connection is identified as another agency.
    #[error("not this connection's agency")]
    WrongAgency = 4,
    /// The agency said earlier that it had sent everything.
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
    /// Not identified yet, or winners asked for before AllBetsSent.
    #[error("out of turn")]
    OutOfTurn = 9,
}

impl Code {
    const ALL: [Code; 9] = [
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

/// A whole frame whose inside contradicts itself: an inner length that is off, or a value that the
/// message does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// A length field points past the end of what contains it.
    #[error("a field of {wanted} bytes where {left} are left")]
    Overrun {
        /// Bytes that the field claims.
        wanted: usize,
        /// Bytes that there are.
        left: usize,
    },
    /// Bytes are left over where the fields end.
    #[error("{0} bytes too many")]
    Excess(usize),
    /// The message's type is none of those that this side receives.
    #[error("message type {0} is unknown")]
    UnknownType(u16),
    /// A Hello is of another protocol than ours.
    #[error("Hello of version {0}, expected {VERSION}")]
    OtherVersion(u16),
    /// The `u16` of a RegisterBetFailed is no [`Code`].
    #[error("failure code {0} is unknown")]
    UnknownCode(u16),
    /// The `u8` of a Welcome is no state.
    #[error("agency state {0} is unknown")]
    UnknownState(u8),
}

impl Malformed {
    /// The code with which such a message is refused.
    pub fn code(&self) -> Code {
        match self {
            Malformed::UnknownType(_) | Malformed::OtherVersion(_) => Code::UnknownMessage,
            _ => Code::Malformed,
        }
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
        assert_eq!(Code::from_number(0), None);
        assert_eq!(Code::from_number(10), None);
    }
}
