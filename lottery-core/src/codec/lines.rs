//! The `lines` dialect: UTF-8 text, two lines a message. `docs/DIALECTS.md` has its tables.

use memchr::memchr;

use super::text::{bet_with_agency, check_count, encode_documents, parse_count, pieces, split};
use super::{Codec, Scan, too_large};
use crate::message::{Awaits, Batch, Message, Refusal, Reply, Request};

#[derive(Debug)]
pub struct LinesCodec {
    line_bytes_max: usize,
    /// Bytes of the first line and its end, once that was found.
    first_line_bytes: Option<usize>,
    /// Bytes known to have no end of a line, after the first line if that was found.
    searched_bytes: usize,
}

impl LinesCodec {
    pub fn new(line_bytes_max: usize) -> LinesCodec {
        LinesCodec {
            line_bytes_max,
            first_line_bytes: None,
            searched_bytes: 0,
        }
    }

    /// The bytes of the line, with its end, that begins at `start`.
    fn find_line(&mut self, bytes: &[u8], start: usize) -> Result<Option<usize>, Refusal> {
        let from = start + self.searched_bytes;
        let found = memchr(b'\n', &bytes[from..]).map(|at| from + at - start);
        let line_bytes = found.unwrap_or(bytes.len() - start);
        if line_bytes > self.line_bytes_max {
            return Err(too_large(line_bytes as u64, self.line_bytes_max));
        }
        self.searched_bytes = if found.is_some() { 0 } else { line_bytes };
        Ok(found.map(|line_bytes| line_bytes + 1))
    }
}

impl Codec for LinesCodec {
    fn scan(&mut self, bytes: &[u8]) -> Result<Scan, Refusal> {
        if self.first_line_bytes.is_none() {
            self.first_line_bytes = self.find_line(bytes, 0)?;
            if let Some(line_bytes) = self.first_line_bytes {
                // Refuse an unknown first line at once, without waiting for the second.
                Kind::of(&bytes[..line_bytes])?;
            }
        }
        if let Some(first) = self.first_line_bytes
            && let Some(second) = self.find_line(bytes, first)?
        {
            self.first_line_bytes = None;
            return Ok(Scan::Whole(first + second));
        }
        Ok(Scan::Incomplete { at_least: None })
    }

    fn parse<'a>(&mut self, message: &'a [u8]) -> Result<Message<'a>, Refusal> {
        let end = memchr(b'\n', message).unwrap_or(message.len());
        let (first, second) = message.split_at(end);
        let second = second.trim_ascii();
        let request = match Kind::of(first)? {
            Kind::Bets(count) => {
                let bets = pieces(second, b'~').map(|bet| {
                    let fields = split(bet, b';')?;
                    bet_with_agency(fields.map(<[u8]>::trim_ascii))
                });
                Request::Bets(check_count(count, Batch::collect(None, bets)?)?)
            }
            Kind::Finished if second == b"FINISHED" => Request::Finish(Awaits::Winners),
            Kind::Finished => return Err(Refusal::malformed("F:1 without FINISHED")),
        };
        let agency = None;
        Ok(Message { agency, request })
    }

    fn encode(&mut self, reply: &Reply, out: &mut Vec<u8>) {
        match reply {
            Reply::Stored => out.extend_from_slice(b"R:1\nOK\n"),
            Reply::Refused(_) => out.extend_from_slice(b"R:1\nFAIL\n"),
            Reply::Winners(documents) if documents.is_empty() => {
                out.extend_from_slice(b"W:0\nN\n");
            }
            Reply::Winners(documents) => {
                out.extend_from_slice(format!("W:{}\n", documents.len()).as_bytes());
                encode_documents(documents, b'~', out);
                out.push(b'\n');
            }
            Reply::Welcome(_) | Reply::Finished | Reply::DrawHeld | Reply::Status(_) => {}
        }
    }
}

enum Kind {
    Bets(u32),
    Finished,
}

impl Kind {
    fn of(first_line: &[u8]) -> Result<Kind, Refusal> {
        let line = first_line.trim_ascii();
        if line == b"F:1" {
            return Ok(Kind::Finished);
        }
        match line.strip_prefix(b"S:") {
            Some(count) => Ok(Kind::Bets(parse_count("the number of bets", count)?)),
            None => {
                let line = String::from_utf8_lossy(&line[..line.len().min(32)]);
                let reason = format!("line {line:?} is neither S:N nor F:1");
                Err(Refusal::unknown_message(reason))
            }
        }
    }
}
