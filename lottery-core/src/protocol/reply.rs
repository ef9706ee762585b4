//! What the central says: messages 2, 3, 7, 9 and 33.

use super::frame::{FrameError, Scan, Scanner};
use super::{Code, Malformed, TYPE_BYTES, message_type, reader::Reader};

const FAILED_BYTES: usize = TYPE_BYTES + 2;
const WINNERS_HEADER_BYTES: usize = TYPE_BYTES + 8;
const DOCUMENT_BYTES: usize = 4;
const WELCOME_BYTES: usize = TYPE_BYTES + 8 + 4 + 1;
const STATUS_REPORT_BYTES: usize = TYPE_BYTES + 4 + 4 + 1;

/// A message from the central.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The oldest batch without an answer is stored.
    RegisterBetOk,
    /// The request was refused, and the central will close the connection.
    RegisterBetFailed(Code),
    /// The DNIs of the agency's winning bets, in the order in which the bets were stored.
    InformWinners(Vec<u32>),
    /// Where the agency stands.
    Welcome(Welcome),
    /// How far the lottery is.
    StatusReport(StatusReport),
}

/// The answer to a Status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusReport {
    /// Agencies that take part.
    pub agencies: u32,
    /// Those of them that have not sent everything.
    pub missing: u32,
    /// [`AgencyState::Betting`] until the draw, and then [`AgencyState::Drawn`].
    pub state: AgencyState,
}

/// The answer to a Hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Bets stored for this agency.
    pub bets: u64,
    /// CRC-32 over the [encodings](super::bet_encoding) of those bets, in order.
    pub crc: u32,
    /// What the agency may do next.
    pub state: AgencyState,
}

/// An agency's state as a Welcome tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum AgencyState {
    /// More bets may come.
    Betting = 0,
    /// The agency has sent everything, and others have not.
    Closed = 1,
    /// The draw was held.
    Drawn = 2,
}

impl Reply {
    /// Reads a frame that a [`ReplyScanner`] found whole.
    ///
    /// # Errors
    ///
    /// When a code or a state is unknown, or the lengths contradict each other.
    pub fn parse(frame: &[u8]) -> Result<Reply, Malformed> {
        let mut reader = Reader(frame);
        let reply = match reader.u16()? {
            message_type::REGISTER_BET_OK => Reply::RegisterBetOk,
            message_type::REGISTER_BET_FAILED => {
                let number = reader.u16()?;
                let code = Code::from_number(number).ok_or(Malformed::UnknownCode(number))?;
                Reply::RegisterBetFailed(code)
            }
            message_type::INFORM_WINNERS => Reply::InformWinners(parse_winners(&mut reader)?),
            message_type::WELCOME => Reply::Welcome(Welcome {
                bets: reader.u64()?,
                crc: reader.u32()?,
                state: parse_state(&mut reader)?,
            }),
            message_type::STATUS_REPORT => Reply::StatusReport(StatusReport {
                agencies: reader.u32()?,
                missing: reader.u32()?,
                state: parse_state(&mut reader)?,
            }),
            unknown => return Err(Malformed::UnknownType(unknown)),
        };
        reader.end()?;
        Ok(reply)
    }

    /// Appends the message.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Reply::RegisterBetOk => {
                out.extend_from_slice(&message_type::REGISTER_BET_OK.to_be_bytes());
            }
            Reply::RegisterBetFailed(code) => {
                out.extend_from_slice(&message_type::REGISTER_BET_FAILED.to_be_bytes());
                out.extend_from_slice(&code.number().to_be_bytes());
            }
            Reply::InformWinners(documents) => encode_winners(documents, out),
            Reply::Welcome(welcome) => {
                out.extend_from_slice(&message_type::WELCOME.to_be_bytes());
                out.extend_from_slice(&welcome.bets.to_be_bytes());
                out.extend_from_slice(&welcome.crc.to_be_bytes());
                out.push(welcome.state as u8);
            }
            Reply::StatusReport(report) => {
                out.extend_from_slice(&message_type::STATUS_REPORT.to_be_bytes());
                out.extend_from_slice(&report.agencies.to_be_bytes());
                out.extend_from_slice(&report.missing.to_be_bytes());
                out.push(report.state as u8);
            }
        }
    }
}

fn encode_winners(documents: &[u32], out: &mut Vec<u8>) {
    out.reserve(WINNERS_HEADER_BYTES + documents.len() * DOCUMENT_BYTES);
    out.extend_from_slice(&message_type::INFORM_WINNERS.to_be_bytes());
    out.extend_from_slice(&(documents.len() as u64).to_be_bytes());
    for document in documents {
        out.extend_from_slice(&document.to_be_bytes());
    }
}

fn parse_state(reader: &mut Reader<'_>) -> Result<AgencyState, Malformed> {
    match reader.u8()? {
        0 => Ok(AgencyState::Betting),
        1 => Ok(AgencyState::Closed),
        2 => Ok(AgencyState::Drawn),
        unknown => Err(Malformed::UnknownState(unknown)),
    }
}

fn parse_winners(reader: &mut Reader<'_>) -> Result<Vec<u32>, Malformed> {
    let count = reader.u64()?;
    let mut documents = Vec::with_capacity(reader.0.len() / DOCUMENT_BYTES);
    for _ in 0..count {
        documents.push(reader.u32()?);
    }
    Ok(documents)
}

/// Finds the end of a reply. An agency distrusts the central's lengths as the central distrusts
/// the agencies': it accepts no more winners than it has registered bets.
#[derive(Debug)]
pub struct ReplyScanner {
    winners_max: u64,
}

impl ReplyScanner {
    /// A scanner that accepts an InformWinners of at most `winners_max` DNIs.
    pub fn new(winners_max: u64) -> ReplyScanner {
        ReplyScanner { winners_max }
    }

    /// Changes the bound, as more bets are registered.
    pub fn set_winners_max(&mut self, winners_max: u64) {
        self.winners_max = winners_max;
    }

    fn scan_winners(&self, bytes: &[u8]) -> Result<Scan, FrameError> {
        let Some(count) = bytes[TYPE_BYTES..].first_chunk() else {
            return Ok(Scan::Incomplete {
                at_least: WINNERS_HEADER_BYTES,
            });
        };
        let frame_bytes = |count: u64| {
            count
                .saturating_mul(DOCUMENT_BYTES as u64)
                .saturating_add(WINNERS_HEADER_BYTES as u64)
        };
        let claimed = frame_bytes(u64::from_be_bytes(*count));
        let max = usize::try_from(frame_bytes(self.winners_max)).unwrap_or(usize::MAX);
        match usize::try_from(claimed) {
            Ok(length) if length <= max => Ok(Scan::of_length(length, bytes)),
            _ => Err(FrameError::TooLarge { claimed, max }),
        }
    }
}

impl Scanner for ReplyScanner {
    fn scan(&mut self, bytes: &[u8]) -> Result<Scan, FrameError> {
        let Some(message_type) = bytes.first_chunk().copied().map(u16::from_be_bytes) else {
            return Ok(Scan::Incomplete {
                at_least: TYPE_BYTES,
            });
        };
        match message_type {
            message_type::REGISTER_BET_OK => Ok(Scan::of_length(TYPE_BYTES, bytes)),
            message_type::REGISTER_BET_FAILED => Ok(Scan::of_length(FAILED_BYTES, bytes)),
            message_type::INFORM_WINNERS => self.scan_winners(bytes),
            message_type::WELCOME => Ok(Scan::of_length(WELCOME_BYTES, bytes)),
            message_type::STATUS_REPORT => Ok(Scan::of_length(STATUS_REPORT_BYTES, bytes)),
            unknown => Err(FrameError::UnknownType(unknown)),
        }
    }
}
