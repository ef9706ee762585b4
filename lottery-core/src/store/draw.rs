//! The draw: a scan of `bets.csv` for rows that end in the winning number.

use std::collections::BTreeMap;
use std::io;

use memchr::memmem::Finder;
use memchr::memrchr;

use super::disk::ReadFile;
use super::examine::read_full;
use super::row::{LINE_BYTES_MAX, ROW_BYTES_MAX, ROW_END, RowReader};
use crate::bet::has_won;

/// The DNIs of each agency's winning bets, in the order in which the bets were stored.
pub type Winners = BTreeMap<u32, Vec<u32>>;

/// Bytes of the file that one slice of the draw looks at: about half a millisecond's work, so that
/// other connections hardly notice.
pub const SLICE_BYTES: usize = 1024 * 1024;

/// A draw under way. It is advanced slice by slice, so that the connections are served meanwhile.
#[derive(Debug)]
pub struct Draw {
    winning_number: u32,
    /// How the row of a winning bet ends; in no row does this occur elsewhere, as no field of a
    /// valid bet contains a line break.
    ending: Finder<'static>,
    /// Up to where the file was looked at; always the beginning of a row.
    offset: u64,
    /// Where the bets end.
    end: u64,
    buffer: Vec<u8>,
    winners: Winners,
}

impl Draw {
    /// A draw over the first `end` bytes of `bets.csv`, which must end with a whole row.
    pub(super) fn new(winning_number: u32, end: u64) -> Draw {
        let mut ending = format!(",{winning_number}").into_bytes();
        ending.extend_from_slice(ROW_END);
        Draw {
            winning_number,
            ending: Finder::new(&ending).into_owned(),
            offset: 0,
            end,
            buffer: vec![0; SLICE_BYTES],
            winners: Winners::new(),
        }
    }

    /// Looks at the next slice of `file`. Returns the winners when that was the last.
    pub(super) fn advance<F: ReadFile>(&mut self, file: &F) -> io::Result<Option<Winners>> {
        let wanted = usize::try_from(self.end - self.offset).unwrap_or(usize::MAX);
        let wanted = wanted.min(self.buffer.len());
        let filled = read_full(file, self.offset, &mut self.buffer[..wanted])?;
        if filled < wanted {
            return Err(corrupt("is shorter than what was written to it"));
        }
        let rows_end = match memrchr(b'\n', &self.buffer[..filled]) {
            Some(last) => last + 1,
            None if filled == 0 => 0,
            None => return Err(corrupt("has a row without an end")),
        };
        self.take_winners(rows_end)?;
        self.offset += rows_end as u64;
        if self.offset < self.end {
            return Ok(None);
        }
        Ok(Some(std::mem::take(&mut self.winners)))
    }

    fn take_winners(&mut self, rows_end: usize) -> io::Result<()> {
        let mut reader = RowReader::default();
        let rows = &self.buffer[..rows_end];
        let mut found = Vec::new();
        for position in self.ending.find_iter(rows) {
            let nearest = position.saturating_sub(ROW_BYTES_MAX);
            let row_start = match memrchr(b'\n', &rows[nearest..position]) {
                Some(end_of_last) => nearest + end_of_last + 1,
                None => nearest,
            };
            let row_end = position + self.ending.needle().len() - ROW_END.len();
            let bet = reader
                .read_bet(&rows[row_start..row_end])
                .map_err(|reason| corrupt(&format!("has a damaged row: {reason}")))?;
            if has_won(&bet, self.winning_number) {
                found.push((bet.agency, bet.document));
            }
        }
        for (agency, document) in found {
            self.winners.entry(agency).or_default().push(document);
        }
        Ok(())
    }
}

/// The winners among the whole rows of `bets.csv`, which a server may be appending to.
pub fn find_winners<F: ReadFile>(bets: &F, winning_number: u32) -> io::Result<Winners> {
    let bytes = bets.bytes()?;
    let mut tail = vec![0; LINE_BYTES_MAX];
    let start = bytes.saturating_sub(tail.len() as u64);
    let read = read_full(bets, start, &mut tail)?;
    let end = memrchr(b'\n', &tail[..read]).map_or(0, |last| start + last as u64 + 1);
    let mut draw = Draw::new(winning_number, end);
    loop {
        if let Some(winners) = draw.advance(bets)? {
            return Ok(winners);
        }
    }
}

fn corrupt(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("bets.csv {what}"))
}
