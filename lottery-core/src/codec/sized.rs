//! The `sized` dialect: UTF-8 text after its size in eight ASCII digits, in both directions.
//! `docs/DIALECTS.md` has its tables.

use memchr::memchr;

use super::text::{
    bet_of_agency, check_count, encode_documents, parse_agency, parse_count, pieces, split,
};
use super::{Codec, Scan};
use crate::fields::field_at;
use crate::message::{Awaits, Batch, Message, Refusal, Reply, Request};

/// Digits in front of a body.
const SIZE_BYTES: usize = 8;

#[derive(Debug)]
pub struct SizedText {
    pub bytes_max: usize,
}

impl Codec for SizedText {
    fn scan(&mut self, bytes: &[u8]) -> Result<Scan, Refusal> {
        let size = match field_at::<SIZE_BYTES>(bytes, 0) {
            Some(size) => Some(parse_count("the size", &size)?),
            None if bytes.iter().all(u8::is_ascii_digit) => None,
            None => return Err(Refusal::malformed("a size that is no number")),
        };
        Scan::of_claim(SIZE_BYTES, size, bytes, self.bytes_max)
    }

    fn parse<'a>(&mut self, message: &'a [u8]) -> Result<Message<'a>, Refusal> {
        let body = message.get(SIZE_BYTES..).unwrap_or_default();
        let (agency, request) = match body {
            b"END" => (None, Request::Finish(Awaits::Winners)),
            body => {
                let batch = parse_batch(body)?;
                (batch.agency, Request::Bets(batch))
            }
        };
        Ok(Message { agency, request })
    }

    fn encode(&mut self, reply: &Reply, out: &mut Vec<u8>) {
        match reply {
            Reply::Stored => encode_body(b"success;Batch stored successfully.", out),
            Reply::Refused(refusal) => {
                encode_body(format!("error;{}", refusal.reason).as_bytes(), out);
            }
            Reply::Winners(documents) if documents.is_empty() => encode_body(b"NO_WINNERS", out),
            Reply::Winners(documents) => {
                let mut body = Vec::new();
                encode_documents(documents, b';', &mut body);
                encode_body(&body, out);
            }
            Reply::Welcome(_) | Reply::Finished | Reply::DrawHeld | Reply::Status(_) => {}
        }
    }
}

fn parse_batch(body: &[u8]) -> Result<Batch<'_>, Refusal> {
    let end = memchr(b'\n', body).unwrap_or(body.len());
    let (header, bets) = body.split_at(end);
    let separator = memchr(b';', header).ok_or_else(|| {
        Refusal::malformed("a body that is neither END nor begins with agency;count")
    })?;
    let agency = parse_agency(&header[..separator])?;
    let count = parse_count("the number of bets", &header[separator + 1..])?;
    let bets = bets.strip_prefix(b"\n").unwrap_or(bets);
    let bets = bets.strip_suffix(b"\n").unwrap_or(bets);
    let bets = pieces(bets, b'\n').map(|bet| Ok(bet_of_agency(agency, split(bet, b';')?)));
    check_count(count, Batch::collect(Some(agency), bets)?)
}

fn encode_body(body: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("{:08}", body.len()).as_bytes());
    out.extend_from_slice(body);
}
