//! The `frames` dialect: binary frames, little-endian, with texts inside.
//! `docs/DIALECTS.md` has its tables.

use super::text::{bet_of_agency, encode_documents, split};
use super::{Codec, Scan};
use crate::fields::{Fields, field_at};
use crate::message::{Awaits, Batch, FoundBet, Message, Refusal, Reply, Request};

/// Bytes of a request in front of its payload.
const HEADER_BYTES: usize = 1 + 4 + 4;

#[derive(Debug)]
pub struct Frames {
    pub bytes_max: usize,
}

impl Codec for Frames {
    fn scan(&mut self, bytes: &[u8]) -> Result<Scan, Refusal> {
        if let Some(kind @ 4..) = bytes.first() {
            return Err(unknown_kind(*kind));
        }
        let size = field_at(bytes, 1).map(u32::from_le_bytes);
        Scan::of_claim(HEADER_BYTES, size, bytes, self.bytes_max)
    }

    fn parse<'a>(&mut self, message: &'a [u8]) -> Result<Message<'a>, Refusal> {
        let mut fields = Fields(message);
        let [kind] = fields.array()?;
        fields.array::<4>()?;
        let agency = u32::from_le_bytes(fields.array()?);
        let request = match kind {
            0 => {
                let bet = bet_of_agency(agency, split(fields.0, b',')?);
                Request::Bets(Batch::collect(Some(agency), [Ok(bet)].into_iter())?)
            }
            1 => {
                let bets = std::iter::from_fn(|| next_bet(agency, &mut fields).transpose());
                Request::Bets(Batch::collect(Some(agency), bets)?)
            }
            2 => {
                fields.end()?;
                Request::Finish(Awaits::Draw)
            }
            3 => {
                fields.end()?;
                Request::Winners
            }
            other => return Err(unknown_kind(other)),
        };
        let agency = Some(agency);
        Ok(Message { agency, request })
    }

    fn encode(&mut self, reply: &Reply, out: &mut Vec<u8>) {
        match reply {
            Reply::Stored | Reply::Finished => encode_frame(0, out, |out| out.push(0)),
            Reply::Refused(_) => encode_frame(0, out, |out| out.push(1)),
            Reply::DrawHeld => encode_frame(1, out, |_| ()),
            Reply::Winners(documents) => {
                encode_frame(2, out, |out| encode_documents(documents, b',', out));
            }
            Reply::Welcome(_) | Reply::Status(_) => {}
        }
    }
}

fn unknown_kind(kind: u8) -> Refusal {
    Refusal::unknown_message(format!("frame kind {kind} is unknown"))
}

fn next_bet<'a>(agency: u32, fields: &mut Fields<'a>) -> Result<Option<FoundBet<'a>>, Refusal> {
    if fields.0.is_empty() {
        return Ok(None);
    }
    let size = u32::from_le_bytes(fields.array()?);
    let text = fields.bytes(size.into())?;
    Ok(Some(bet_of_agency(agency, split(text, b',')?)))
}

fn encode_frame(kind: u8, out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind);
    let size_at = out.len();
    out.extend_from_slice(&[0; 4]);
    let start = out.len();
    payload(out);
    // Winners are bounded by the bets that were sent, far below four gigabytes.
    let size = (out.len() - start) as u32;
    out[size_at..start].copy_from_slice(&size.to_le_bytes());
}
