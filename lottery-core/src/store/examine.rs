//! Reading the files without changing them: what opening the store and an audit both do.

use std::collections::BTreeMap;
use std::io::{self, Read};

use memchr::memchr;

use super::disk::ReadFile;
use super::row::{
    Closing, DrawRecord, InvalidRow, LINE_BYTES_MAX, RowReader, is_beginning_of_bet,
    is_beginning_of_numbers,
};
use super::{BETS_FILE, CLOSINGS_FILE, DRAW_FILE, OpenError};
use crate::bet::Bet;
use crate::encoding::{self, Tally};
use crate::lines::{Line, Lines};

/// The most that one append can leave unsynced with durability `always`: what a turn of the server may
/// stage. A power cut may lose any sector of it.
pub const APPEND_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Lines after which it is asked whether to stop: some milliseconds' work.
const LINES_BETWEEN_QUESTIONS: u64 = 4096;

/// Encoded bets that are tallied at once, at most.
const RUN_BYTES_MAX: usize = 16 * 1024;

/// What the files say.
#[derive(Debug, Default)]
pub struct Examination {
    /// How each agency stands that has bets or has finished.
    pub agencies: BTreeMap<u32, StoredAgency>,
    /// The draw, if it was held.
    pub draw: Option<DrawRecord>,
    /// How far `bets.csv` is good.
    pub bets_extent: Extent,
    /// How far `closings.csv` is good.
    pub closings_extent: Extent,
    /// How far `draw.csv` is good.
    pub draw_extent: Extent,
}

/// How an agency stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredAgency {
    /// Its bets.
    pub tally: Tally,
    /// Whether it has finished.
    pub has_finished: bool,
}

/// How far a file is good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Bytes of whole rows.
    pub bytes: u64,
    /// Bytes after them that a torn append left.
    pub torn_bytes: u64,
}

/// Reads the files from beginning to end; asks `should_stop` now and then, as it may take long. A torn
/// tail is not an error: see [`Extent`].
pub fn examine<F: ReadFile>(
    bets: &F,
    closings: &F,
    draw: Option<&F>,
    mut should_stop: impl FnMut() -> bool,
) -> Result<Examination, OpenError> {
    let mut found = Examination::default();
    let mut run = Run::default();
    found.bets_extent = load_bets(bets, &mut should_stop, |bet| {
        if bet.agency != run.agency || run.encodings.len() > RUN_BYTES_MAX {
            run.end(&mut found.agencies);
            run.agency = bet.agency;
        }
        encoding::encode(bet, &mut run.encodings);
        run.bets += 1;
    })?;
    run.end(&mut found.agencies);
    let closings = Rows {
        name: CLOSINGS_FILE,
        file: closings,
        is_beginning: is_beginning_of_numbers::<3>,
    };
    found.closings_extent = closings.read(&mut should_stop, |row| {
        let Closing { agency, tally } = Closing::read(row)?;
        let standing = found.agencies.entry(agency).or_default();
        if tally != standing.tally {
            return Err(InvalidRow::ClosingMismatch {
                agency,
                closed: tally,
                stored: standing.tally,
            });
        }
        match std::mem::replace(&mut standing.has_finished, true) {
            true => Err(InvalidRow::Twice),
            false => Ok(()),
        }
    })?;
    if let Some(draw) = draw {
        (found.draw, found.draw_extent) = read_draw(draw, should_stop)?;
    }
    Ok(found)
}

/// The draw in `draw.csv`, if there is one.
pub fn load_draw<F: ReadFile>(file: &F) -> Result<Option<DrawRecord>, OpenError> {
    read_draw(file, || false).map(|(draw, _)| draw)
}

fn read_draw<F: ReadFile>(
    file: &F,
    should_stop: impl FnMut() -> bool,
) -> Result<(Option<DrawRecord>, Extent), OpenError> {
    let mut draw = None;
    let rows = Rows {
        name: DRAW_FILE,
        file,
        is_beginning: is_beginning_of_numbers::<4>,
    };
    let extent = rows.read(should_stop, |row| {
        match draw.replace(DrawRecord::read(row)?) {
            Some(_) => Err(InvalidRow::Twice),
            None => Ok(()),
        }
    })?;
    Ok((draw, extent))
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
    fn end(&mut self, agencies: &mut BTreeMap<u32, StoredAgency>) {
        if self.bets > 0 {
            let standing = agencies.entry(self.agency).or_default();
            standing.tally.add(self.bets, &self.encodings);
            self.bets = 0;
            self.encodings.clear();
        }
    }
}

/// Hands each bet of `bets.csv` to `visit`, in the file's order, and says how far the file is good.
pub fn load_bets<F: ReadFile>(
    file: &F,
    should_stop: impl FnMut() -> bool,
    mut visit: impl FnMut(&Bet<'_>),
) -> Result<Extent, OpenError> {
    let mut reader = RowReader::default();
    let rows = Rows {
        name: BETS_FILE,
        file,
        is_beginning: is_beginning_of_bet,
    };
    rows.read(should_stop, |row| {
        visit(&reader.read_bet(row)?);
        Ok(())
    })
}

/// A file of rows.
struct Rows<'f, F> {
    name: &'static str,
    file: &'f F,
    /// Whether bytes are the beginning of a row of this file.
    is_beginning: fn(&[u8]) -> bool,
}

impl<F: ReadFile> Rows<'_, F> {
    fn read(
        &self,
        mut should_stop: impl FnMut() -> bool,
        mut visit: impl FnMut(&[u8]) -> Result<(), InvalidRow>,
    ) -> Result<Extent, OpenError> {
        let content = FileReader {
            file: self.file,
            offset: 0,
        };
        let mut lines = Lines::new(content, LINE_BYTES_MAX);
        loop {
            let result = match lines.next_line().map_err(|error| self.unreadable(error))? {
                None => break,
                Some(Line::Whole(bytes)) => match bytes.strip_suffix(b"\r") {
                    Some(row) => visit(row),
                    None => Err(InvalidRow::End),
                },
                Some(Line::Unended(_) | Line::Cut(_)) => Err(InvalidRow::End),
            };
            let (bytes, line) = (lines.offset(), lines.number());
            if let Err(reason) = result {
                let corrupt = OpenError::Corrupt {
                    file: self.name,
                    line,
                    reason: reason.to_string(),
                };
                let torn_bytes = self.torn_bytes(bytes, &mut should_stop)?.ok_or(corrupt)?;
                return Ok(Extent { bytes, torn_bytes });
            }
            if line % LINES_BETWEEN_QUESTIONS == 0 && should_stop() {
                return Err(OpenError::Stopped);
            }
        }
        let bytes = lines.offset();
        Ok(Extent {
            bytes,
            torn_bytes: 0,
        })
    }

    /// How much follows a bad row at `offset`, if a torn append explains it: the row ends with the file,
    /// or breaks off into zeros, where the system had made room and not written yet. Behind zeros there
    /// may be more of the same append. A good row has no zero byte, and an append has a bound, so
    /// zeros farther from the end are corruption.
    fn torn_bytes(
        &self,
        offset: u64,
        should_stop: &mut impl FnMut() -> bool,
    ) -> Result<Option<u64>, OpenError> {
        let unreadable = |error| self.unreadable(error);
        let length = self.file.bytes().map_err(unreadable)?;
        let torn_bytes = length - offset.min(length);
        let mut row = vec![0; LINE_BYTES_MAX];
        let read = read_full(self.file, offset, &mut row).map_err(unreadable)?;
        let zero = memchr(0, &row[..read]);
        if !(self.is_beginning)(&row[..zero.unwrap_or(read)]) {
            return Ok(None);
        }
        let is_torn = match zero {
            None => torn_bytes == read as u64,
            Some(_) if torn_bytes <= APPEND_BYTES_MAX => true,
            Some(zero) => self.is_zero_from(offset + zero as u64, should_stop)?,
        };
        Ok(is_torn.then_some(torn_bytes))
    }

    fn is_zero_from(
        &self,
        mut at: u64,
        should_stop: &mut impl FnMut() -> bool,
    ) -> Result<bool, OpenError> {
        let mut buffer = vec![0; 1024 * 1024];
        loop {
            if should_stop() {
                return Err(OpenError::Stopped);
            }
            let read = self.file.read_at(at, &mut buffer);
            match read.map_err(|error| self.unreadable(error))? {
                0 => return Ok(true),
                read if buffer[..read].iter().any(|byte| *byte != 0) => return Ok(false),
                read => at += read as u64,
            }
        }
    }

    fn unreadable(&self, error: io::Error) -> OpenError {
        OpenError::File {
            file: self.name,
            error,
        }
    }
}

/// Reads at `offset` until the buffer is full or the file ends, and says how many bytes.
pub fn read_full<F: ReadFile>(file: &F, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut stream = FileReader { file, offset };
    let mut filled = 0;
    loop {
        match stream.read(&mut buffer[filled..])? {
            0 => return Ok(filled),
            read => filled += read,
        }
    }
}

/// A file as a stream.
struct FileReader<'f, F> {
    file: &'f F,
    offset: u64,
}

impl<F: ReadFile> Read for FileReader<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(self.offset, buffer)?;
        self.offset += read as u64;
        Ok(read)
    }
}
