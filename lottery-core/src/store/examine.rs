//! Reading the two files without changing them: what opening the store and an audit both do.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::disk::DiskFile;
use super::row::{Closing, InvalidRow, ROW_BYTES_MAX, ROW_END, RowReader};
use super::tally::Tally;
use super::{BETS_FILE, CLOSINGS_FILE};
use crate::bet::Bet;
use crate::lines::{Line, Lines};
use crate::protocol::bet_encoding;

/// Lines after which it is asked whether to stop: some milliseconds' work.
const LINES_BETWEEN_QUESTIONS: u64 = 4096;

/// Encoded bets that are tallied at once, at most.
const RUN_BYTES_MAX: usize = 16 * 1024;

/// What the two files say.
#[derive(Debug, Default)]
pub struct Examination {
    /// The bets of each agency that has any.
    pub tallies: BTreeMap<u32, Tally>,
    /// The closing of each agency that has one.
    pub closings: BTreeMap<u32, Tally>,
    /// Bytes of whole rows in `bets.csv`.
    pub bets_bytes: u64,
    /// Bytes behind them, of a record that was torn.
    pub bets_torn_bytes: u64,
    /// Bytes of whole rows in `closings.csv`.
    pub closings_bytes: u64,
    /// Bytes behind them, of a record that was torn.
    pub closings_torn_bytes: u64,
}

/// A place where the files are not as this store leaves them, whatever crash it went through.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// A row is none of ours.
    #[error("{file} line {line}: {reason}")]
    Row {
        /// The file's name.
        file: &'static str,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: InvalidRow,
    },
    /// A line does not end in CRLF, or not at all where more follows.
    #[error("{file} line {line}: expected a row of at most {ROW_BYTES_MAX} bytes and CRLF")]
    RowEnd {
        /// The file's name.
        file: &'static str,
        /// The line, from 1.
        line: u64,
    },
    /// An agency closed twice.
    #[error("{CLOSINGS_FILE} line {line}: agency {agency} closed already")]
    ClosedTwice {
        /// The line, from 1.
        line: u64,
        /// The agency.
        agency: u32,
    },
    /// The closing and the bets disagree.
    #[error(
        "{CLOSINGS_FILE} line {line}: agency {agency} closed with {} bets of CRC {}, but \
         {BETS_FILE} has {} of CRC {}",
        closed.bets, closed.crc, stored.bets, stored.crc
    )]
    ClosingMismatch {
        /// The line, from 1.
        line: u64,
        /// The agency.
        agency: u32,
        /// What the closing says.
        closed: Tally,
        /// What the bets are.
        stored: Tally,
    },
    /// No damage: the reading was stopped from outside.
    #[error("stopped before the end")]
    Stopped,
    /// A file could not be read.
    #[error("{file}: {error}")]
    Read {
        /// The file's name.
        file: &'static str,
        /// What the system says.
        error: io::Error,
    },
}

/// Reads both files from beginning to end.
///
/// # Errors
///
/// The first [`Damage`]. A torn last record is none: it is what a crash leaves.
pub fn examine<F: DiskFile>(bets: &F, closings: &F) -> Result<Examination, Damage> {
    examine_unless(bets, closings, || false)
}

/// As [`examine`], asking `should_stop` now and then, as it may take long.
pub(super) fn examine_unless<F: DiskFile>(
    bets: &F,
    closings: &F,
    mut should_stop: impl FnMut() -> bool,
) -> Result<Examination, Damage> {
    let mut found = Examination::default();
    let mut run = Run::default();
    let rows = read_bets(bets, &mut should_stop, |bet| {
        if bet.agency != run.agency || run.encodings.len() > RUN_BYTES_MAX {
            run.end(&mut found.tallies);
            run.agency = bet.agency;
        }
        bet_encoding::encode(bet, &mut run.encodings);
        run.bets += 1;
    })?;
    run.end(&mut found.tallies);
    (found.bets_bytes, found.bets_torn_bytes) = rows;
    let rows = read_rows(CLOSINGS_FILE, closings, should_stop, |line, row| {
        let closing = Closing::read(row).map_err(|reason| Damage::Row {
            file: CLOSINGS_FILE,
            line,
            reason,
        })?;
        take_closing(&mut found, line, closing)
    })?;
    (found.closings_bytes, found.closings_torn_bytes) = rows;
    Ok(found)
}

/// Bets of one agency that follow each other. Batches make such runs, and to tally a run at once is
/// several times faster than bet by bet.
#[derive(Default)]
struct Run {
    agency: u32,
    bets: u64,
    encodings: Vec<u8>,
}

impl Run {
    /// Adds the run to the tally of its agency, and begins another.
    fn end(&mut self, tallies: &mut BTreeMap<u32, Tally>) {
        if self.bets > 0 {
            tallies
                .entry(self.agency)
                .or_default()
                .add(self.bets, &self.encodings);
            self.bets = 0;
            self.encodings.clear();
        }
    }
}

fn take_closing(found: &mut Examination, line: u64, closing: Closing) -> Result<(), Damage> {
    let Closing {
        agency,
        tally: closed,
    } = closing;
    let stored = found.tallies.get(&agency).copied().unwrap_or_default();
    if closed != stored {
        return Err(Damage::ClosingMismatch {
            line,
            agency,
            closed,
            stored,
        });
    }
    match found.closings.insert(agency, closed) {
        None => Ok(()),
        Some(_) => Err(Damage::ClosedTwice { line, agency }),
    }
}

/// Hands each bet of `bets.csv` to `visit`, in the file's order, and says how many bytes its rows
/// take and how many follow of a torn one.
///
/// # Errors
///
/// The first [`Damage`].
pub fn load_bets<F: DiskFile>(file: &F, visit: impl FnMut(&Bet<'_>)) -> Result<(u64, u64), Damage> {
    read_bets(file, || false, visit)
}

fn read_bets<F: DiskFile>(
    file: &F,
    should_stop: impl FnMut() -> bool,
    mut visit: impl FnMut(&Bet<'_>),
) -> Result<(u64, u64), Damage> {
    let mut reader = RowReader::default();
    read_rows(BETS_FILE, file, should_stop, |line, row| {
        let bet = reader.read_bet(row).map_err(|reason| Damage::Row {
            file: BETS_FILE,
            line,
            reason,
        })?;
        visit(&bet);
        Ok(())
    })
}

fn read_rows<F: DiskFile>(
    name: &'static str,
    file: &F,
    mut should_stop: impl FnMut() -> bool,
    mut visit: impl FnMut(u64, &[u8]) -> Result<(), Damage>,
) -> Result<(u64, u64), Damage> {
    let unreadable = |error| Damage::Read { file: name, error };
    let content = FromStart { file, offset: 0 };
    let mut lines = Lines::new(content, ROW_BYTES_MAX + ROW_END.len());
    for line in 1.. {
        let Some(Line::Whole(bytes)) = lines.next_line().map_err(unreadable)? else {
            break;
        };
        if line % LINES_BETWEEN_QUESTIONS == 0 && should_stop() {
            return Err(Damage::Stopped);
        }
        let Some(row) = bytes.strip_suffix(b"\r") else {
            return Err(Damage::RowEnd { file: name, line });
        };
        visit(line, row)?;
    }
    let (offset, length) = (lines.offset(), file.bytes().map_err(unreadable)?);
    if !is_torn_record(file, offset, length).map_err(unreadable)? {
        let line = lines.number();
        return Err(Damage::RowEnd { file: name, line });
    }
    Ok((offset, length - offset))
}

/// A file as a stream from its beginning.
struct FromStart<'f, F> {
    file: &'f F,
    offset: u64,
}

impl<F: DiskFile> Read for FromStart<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(self.offset, buffer)?;
        self.offset += read as u64;
        Ok(read)
    }
}

/// Whether the file's bytes from `offset` are what a crash in the middle of a write leaves: the
/// beginning of one row, and perhaps zeros where the system had made room for more.
fn is_torn_record<F: DiskFile>(file: &F, offset: u64, length: u64) -> io::Result<bool> {
    let mut buffer = vec![0; 64 * 1024];
    let mut at = offset;
    let mut zeros_from = offset;
    while at < length {
        let read = file.read_at(at, &mut buffer)?;
        if read == 0 {
            break;
        }
        let piece = &buffer[..read];
        if memchr::memchr(b'\n', piece).is_some() {
            return Ok(false);
        }
        if let Some(last) = piece.iter().rposition(|byte| *byte != 0) {
            zeros_from = at + last as u64 + 1;
        }
        at += read as u64;
    }
    Ok(zeros_from - offset <= (ROW_BYTES_MAX + ROW_END.len()) as u64)
}
