//! The native dialect: binary, big-endian. Both sides of it: the central's codec, and what an agency
//! sends and reads.
//!
//! Every message starts with two bytes, its type. Types 1–7 are those of existing agencies.
//!
//! | type | message | from | after the type |
//! | --- | --- | --- | --- |
//! | 1 | RegisterBets | agency | `u32` count, then per bet `u64` length and [the bet](crate::encoding) |
//! | 2 | RegisterBetOk | central | nothing; one per stored batch, in order |
//! | 3 | RegisterBetFailed | central | `u16` code |
//! | 4 | Ack | agency | nothing; may follow any answer, never required |
//! | 5 | AllBetsSent | agency | nothing |
//! | 6 | RequestWinners | agency | nothing |
//! | 7 | InformWinners | central | `u64` count, then `u32` DNIs |
//! | 8 | Hello | agency | `u16` version, `u32` agency |
//! | 9 | Welcome | central | `u64` bets, `u32` CRC-32, `u8` stage: 0 betting, 1 finished, 2 drawn |
//! | 32 | Status | anybody | nothing |
//! | 33 | StatusReport | central | `u32` agencies, `u32` missing, `u8` 0 before the draw, 2 after it |

use super::{Codec, Scan, too_large};
use crate::bet::Bet;
use crate::encoding::{self, BET_BYTES_MIN, Tally};
use crate::fields::{Fields, field_at};
use crate::message::{
    Awaits, Batch, Code, FoundBet, Message, Refusal, Reply, Request, Stage, StatusReport, Welcome,
};

/// The version that Hello carries.
pub const VERSION: u16 = 1;

/// The largest message our agency sends, in bytes, whatever its batches are set to.
pub const AGENCY_MESSAGE_BYTES_MAX: usize = 8192;

/// Bytes of a RegisterBets before its first bet: the type and the count.
pub const BATCH_HEADER_BYTES: usize = TYPE_BYTES + 4;

/// Bytes of the length that precedes each bet of a RegisterBets.
pub const BET_LENGTH_BYTES: usize = 8;

const REGISTER_BETS: u16 = 1;
const REGISTER_BET_OK: u16 = 2;
const REGISTER_BET_FAILED: u16 = 3;
const ACK: u16 = 4;
const ALL_BETS_SENT: u16 = 5;
const REQUEST_WINNERS: u16 = 6;
const INFORM_WINNERS: u16 = 7;
const HELLO: u16 = 8;
const WELCOME: u16 = 9;
const STATUS: u16 = 32;
const STATUS_REPORT: u16 = 33;

const TYPE_BYTES: usize = 2;
const HELLO_BYTES: usize = TYPE_BYTES + 2 + 4;
const FAILED_BYTES: usize = TYPE_BYTES + 2;
const WELCOME_BYTES: usize = TYPE_BYTES + 8 + 4 + 1;
/// Bytes of the answer to a Status.
pub const STATUS_REPORT_BYTES: usize = TYPE_BYTES + 4 + 4 + 1;
const WINNERS_HEADER_BYTES: usize = TYPE_BYTES + 8;
const DOCUMENT_BYTES: usize = 4;

/// The central's codec.
#[derive(Debug)]
pub struct Native {
    bytes_max: usize,
    /// How far a RegisterBets was looked through, which does not say how long it is: each bet
    /// brings its own length.
    batch: Option<BatchScan>,
}

#[derive(Clone, Copy, Debug)]
struct BatchScan {
    bets_left: u32,
    /// Where the next bet's length begins.
    next_bet: usize,
}

impl Native {
    /// A codec that accepts messages of at most `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Native {
        let batch = None;
        Native { bytes_max, batch }
    }

    fn scan_batch(&mut self, bytes: &[u8]) -> Result<Scan, Refusal> {
        let Some(count) = field_at(bytes, TYPE_BYTES).map(u32::from_be_bytes) else {
            return Ok(Scan::of_length(BATCH_HEADER_BYTES, bytes));
        };
        let batch = self.batch.get_or_insert(BatchScan {
            bets_left: count,
            next_bet: BATCH_HEADER_BYTES,
        });
        loop {
            // The lengths seen, and the least that the bets announced must take.
            let bets_bytes = u64::from(batch.bets_left) * (BET_LENGTH_BYTES + BET_BYTES_MIN) as u64;
            let least = (batch.next_bet as u64).saturating_add(bets_bytes);
            if least > self.bytes_max as u64 {
                return Err(too_large(least, self.bytes_max));
            }
            if batch.bets_left == 0 {
                let scan = Scan::of_length(batch.next_bet, bytes);
                if matches!(scan, Scan::Whole(_)) {
                    self.batch = None;
                }
                return Ok(scan);
            }
            let Some(length) = field_at(bytes, batch.next_bet).map(u64::from_be_bytes) else {
                return Ok(Scan::of_length(batch.next_bet + BET_LENGTH_BYTES, bytes));
            };
            batch.bets_left -= 1;
            // A claim beyond the bound is refused in the next round.
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            batch.next_bet = (batch.next_bet + BET_LENGTH_BYTES).saturating_add(length);
        }
    }
}

impl Codec for Native {
    fn scan(&mut self, bytes: &[u8]) -> Result<Scan, Refusal> {
        let length = match field_at(bytes, 0).map(u16::from_be_bytes) {
            Some(REGISTER_BETS) => return self.scan_batch(bytes),
            Some(HELLO) => HELLO_BYTES,
            None | Some(ACK | ALL_BETS_SENT | REQUEST_WINNERS | STATUS) => TYPE_BYTES,
            Some(unknown) => return Err(unknown_type(unknown)),
        };
        Ok(Scan::of_length(length, bytes))
    }

    fn parse<'a>(&mut self, message: &'a [u8]) -> Result<Message<'a>, Refusal> {
        let mut fields = Fields(message);
        let mut agency = None;
        let request = match u16::from_be_bytes(fields.array()?) {
            REGISTER_BETS => {
                let count = u32::from_be_bytes(fields.array()?);
                let bets = (0..count).map(|_| parse_bet(&mut fields));
                Request::Bets(Batch::collect(None, bets)?)
            }
            ALL_BETS_SENT => Request::Finish(Awaits::Nothing),
            REQUEST_WINNERS => Request::Winners,
            HELLO => {
                let version = u16::from_be_bytes(fields.array()?);
                if version != VERSION {
                    let reason = format!("Hello of version {version}, expected {VERSION}");
                    return Err(Refusal::unknown_message(reason));
                }
                agency = Some(u32::from_be_bytes(fields.array()?));
                Request::Hello
            }
            STATUS => Request::Status,
            ACK => Request::Nothing,
            unknown => return Err(unknown_type(unknown)),
        };
        fields.end()?;
        Ok(Message { agency, request })
    }

    fn encode(&mut self, reply: &Reply, out: &mut Vec<u8>) {
        encode_reply(reply, out);
    }
}

fn unknown_type(number: u16) -> Refusal {
    Refusal::unknown_message(format!("message type {number} is unknown"))
}

fn parse_bet<'a>(fields: &mut Fields<'a>) -> Result<FoundBet<'a>, Refusal> {
    let length = u64::from_be_bytes(fields.array()?);
    let bytes = fields.bytes(length)?;
    let (agency, bet) = encoding::decode(bytes)?;
    Ok(FoundBet {
        agency,
        bet,
        encoding: Some(bytes),
    })
}

/// Appends a message of the central.
pub fn encode_reply(reply: &Reply, out: &mut Vec<u8>) {
    let mut put = |bytes: &[u8]| out.extend_from_slice(bytes);
    match reply {
        Reply::Stored => put(&REGISTER_BET_OK.to_be_bytes()),
        Reply::Refused(refusal) => {
            put(&REGISTER_BET_FAILED.to_be_bytes());
            put(&refusal.code.number().to_be_bytes());
        }
        Reply::Winners(documents) => {
            put(&INFORM_WINNERS.to_be_bytes());
            put(&(documents.len() as u64).to_be_bytes());
            for document in documents {
                put(&document.to_be_bytes());
            }
        }
        Reply::Welcome(Welcome { tally, stage }) => {
            put(&WELCOME.to_be_bytes());
            put(&tally.bets.to_be_bytes());
            put(&tally.crc.to_be_bytes());
            put(&[*stage as u8]);
        }
        Reply::Status(report) => {
            put(&STATUS_REPORT.to_be_bytes());
            put(&report.agencies.to_be_bytes());
            put(&report.missing.to_be_bytes());
            put(&[match report.is_drawn {
                true => Stage::Drawn as u8,
                false => Stage::Betting as u8,
            }]);
        }
        Reply::Finished | Reply::DrawHeld => {}
    }
}

/// Appends a Hello.
pub fn encode_hello(agency: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&HELLO.to_be_bytes());
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&agency.to_be_bytes());
}

/// Appends the front of a RegisterBets; `count` bets follow, each by [`encode_counted_bet`].
pub fn encode_batch_header(count: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&REGISTER_BETS.to_be_bytes());
    out.extend_from_slice(&count.to_be_bytes());
}

/// Appends a bet as a RegisterBets has it: its length, and its encoding.
pub fn encode_counted_bet(bet: &Bet<'_>, out: &mut Vec<u8>) {
    let length = encoding::encoded_bytes(bet) as u64;
    out.extend_from_slice(&length.to_be_bytes());
    encoding::encode(bet, out);
}

/// Appends an Ack.
pub fn encode_ack(out: &mut Vec<u8>) {
    out.extend_from_slice(&ACK.to_be_bytes());
}

/// Appends an AllBetsSent.
pub fn encode_all_bets_sent(out: &mut Vec<u8>) {
    out.extend_from_slice(&ALL_BETS_SENT.to_be_bytes());
}

/// Appends a RequestWinners.
pub fn encode_request_winners(out: &mut Vec<u8>) {
    out.extend_from_slice(&REQUEST_WINNERS.to_be_bytes());
}

/// Appends a Status.
pub fn encode_status(out: &mut Vec<u8>) {
    out.extend_from_slice(&STATUS.to_be_bytes());
}

/// Looks for a whole message of the central at the front of `bytes`. An agency distrusts the central's
/// lengths as the central distrusts the agencies': it accepts at most `winners_max` winners.
pub fn scan_reply(bytes: &[u8], winners_max: u64) -> Result<Scan, Refusal> {
    let length = match field_at(bytes, 0).map(u16::from_be_bytes) {
        None | Some(REGISTER_BET_OK) => TYPE_BYTES,
        Some(REGISTER_BET_FAILED) => FAILED_BYTES,
        Some(WELCOME) => WELCOME_BYTES,
        Some(STATUS_REPORT) => STATUS_REPORT_BYTES,
        Some(INFORM_WINNERS) => match field_at(bytes, TYPE_BYTES).map(u64::from_be_bytes) {
            None => WINNERS_HEADER_BYTES,
            Some(count) if count <= winners_max => {
                let documents = usize::try_from(count).unwrap_or(usize::MAX);
                documents
                    .saturating_mul(DOCUMENT_BYTES)
                    .saturating_add(WINNERS_HEADER_BYTES)
            }
            Some(count) => {
                let reason = format!("{count} winners, and at most {winners_max} can be");
                return Err(Refusal::malformed(reason));
            }
        },
        Some(unknown) => return Err(unknown_type(unknown)),
    };
    Ok(Scan::of_length(length, bytes))
}

/// Reads a message that [`scan_reply`] found whole.
pub fn parse_reply(message: &[u8]) -> Result<Reply, Refusal> {
    let mut fields = Fields(message);
    let reply = match u16::from_be_bytes(fields.array()?) {
        REGISTER_BET_OK => Reply::Stored,
        REGISTER_BET_FAILED => {
            let number = u16::from_be_bytes(fields.array()?);
            let unknown = || Refusal::malformed(format!("failure code {number} is unknown"));
            Reply::Refused(Code::from_number(number).ok_or_else(unknown)?.into())
        }
        INFORM_WINNERS => {
            let count = u64::from_be_bytes(fields.array()?);
            let documents = (0..count).map(|_| fields.array().map(u32::from_be_bytes));
            Reply::Winners(documents.collect::<Result<_, _>>()?)
        }
        WELCOME => Reply::Welcome(Welcome {
            tally: Tally {
                bets: u64::from_be_bytes(fields.array()?),
                crc: u32::from_be_bytes(fields.array()?),
            },
            stage: parse_stage(&mut fields)?,
        }),
        STATUS_REPORT => Reply::Status(StatusReport {
            agencies: u32::from_be_bytes(fields.array()?),
            missing: u32::from_be_bytes(fields.array()?),
            is_drawn: match parse_stage(&mut fields)? {
                Stage::Betting => false,
                Stage::Drawn => true,
                Stage::Finished => {
                    return Err(Refusal::malformed("a lottery finishes by its draw"));
                }
            },
        }),
        unknown => return Err(unknown_type(unknown)),
    };
    fields.end()?;
    Ok(reply)
}

fn parse_stage(fields: &mut Fields<'_>) -> Result<Stage, Refusal> {
    match fields.array()? {
        [0] => Ok(Stage::Betting),
        [1] => Ok(Stage::Finished),
        [2] => Ok(Stage::Drawn),
        [unknown] => Err(Refusal::malformed(format!("stage {unknown} is unknown"))),
    }
}
