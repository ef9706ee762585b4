//! Reading the files without changing them: what opening the store and an audit both do.

use std::collections::BTreeMap;
use std::io::{self, Read};

use memchr::memchr;

use super::disk::DiskFile;
use super::row::{
    Closing, DrawRecord, InvalidRow, ROW_BYTES_MAX, ROW_END, RowReader, is_beginning_of_bet,
    is_beginning_of_numbers,
};
use super::{BETS_FILE, CLOSINGS_FILE, DRAW_FILE};
use crate::bet::Bet;
use crate::encoding;
use crate::lines::{Line, Lines};
use crate::tally::Tally;

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
    /// The bets of each agency that has any.
    pub tallies: BTreeMap<u32, Tally>,
    /// The closing of each agency that has finished.
    pub closings: BTreeMap<u32, Tally>,
    /// The draw, if it was held.
    pub draw: Option<DrawRecord>,
    /// How far `bets.csv` is good.
    pub bets_extent: Extent,
    /// How far `closings.csv` is good.
    pub closings_extent: Extent,
    /// How far `draw.csv` is good.
    pub draw_extent: Extent,
}

/// How far a file is good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Bytes of whole rows.
    pub bytes: u64,
    /// Bytes behind them that a torn append left.
    pub torn_bytes: u64,
}

/// Corruption: a place where the files are not as this store leaves them, whatever crash it went
/// through.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// A malformed row.
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
    /// An agency finished twice, or two draws were held.
    #[error("{file} line {line}: a second row for the same")]
    Twice {
        /// The file's name.
        file: &'static str,
        /// The line, from 1.
        line: u64,
    },
    /// A closing and the bets disagree.
    #[error(
        "{CLOSINGS_FILE} line {line}: agency {agency} finished with {} bets of CRC {}, but \
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
    /// No corruption: the reading was stopped from outside.
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

/// Reads the files from beginning to end; asks `should_stop` now and then, as it may take long.
///
/// # Errors
///
/// The first [`Damage`]. What a crash leaves is none: see [`Extent`].
pub fn examine<F: DiskFile>(
    bets: &F,
    closings: &F,
    draw: Option<&F>,
    mut should_stop: impl FnMut() -> bool,
) -> Result<Examination, Damage> {
    let mut found = Examination::default();
    let mut run = Run::default();
    found.bets_extent = load_bets(bets, &mut should_stop, |bet| {
        if bet.agency != run.agency || run.encodings.len() > RUN_BYTES_MAX {
            run.end(&mut found.tallies);
            run.agency = bet.agency;
        }
        encoding::encode(bet, &mut run.encodings);
        run.bets += 1;
    })?;
    run.end(&mut found.tallies);
    let closings = NumberFile::new(CLOSINGS_FILE, closings, is_beginning_of_numbers::<3>);
    found.closings_extent = closings.read(&mut should_stop, Closing::read, |line, closing| {
        take_closing(&found.tallies, &mut found.closings, line, closing)
    })?;
    if let Some(draw) = draw {
        let draw = NumberFile::new(DRAW_FILE, draw, is_beginning_of_numbers::<4>);
        found.draw_extent =
            draw.read(
                &mut should_stop,
                DrawRecord::read,
                |line, record| match found.draw.replace(record) {
                    None => Ok(()),
                    Some(_) => Err(Damage::Twice {
                        file: DRAW_FILE,
                        line,
                    }),
                },
            )?;
    }
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
            let tally = tallies.entry(self.agency).or_default();
            tally.add(self.bets, &self.encodings);
            self.bets = 0;
            self.encodings.clear();
        }
    }
}

fn take_closing(
    tallies: &BTreeMap<u32, Tally>,
    closings: &mut BTreeMap<u32, Tally>,
    line: u64,
    closing: Closing,
) -> Result<(), Damage> {
    let (agency, closed) = (closing.agency, closing.tally);
    let stored = tallies.get(&agency).copied().unwrap_or_default();
    if closed != stored {
        return Err(Damage::ClosingMismatch {
            line,
            agency,
            closed,
            stored,
        });
    }
    match closings.insert(agency, closed) {
        None => Ok(()),
        Some(_) => Err(Damage::Twice {
            file: CLOSINGS_FILE,
            line,
        }),
    }
}

/// Hands each bet of `bets.csv` to `visit`, in the file's order, and says how far the file is good.
///
/// # Errors
///
/// The first [`Damage`].
pub fn load_bets<F: DiskFile>(
    file: &F,
    should_stop: impl FnMut() -> bool,
    mut visit: impl FnMut(&Bet<'_>),
) -> Result<Extent, Damage> {
    let mut reader = RowReader::default();
    let rows = Rows {
        name: BETS_FILE,
        file,
        is_beginning: is_beginning_of_bet,
    };
    rows.read(should_stop, |line, row| {
        let bet = reader.read_bet(row).map_err(|reason| Damage::Row {
            file: BETS_FILE,
            line,
            reason,
        })?;
        visit(&bet);
        Ok(())
    })
}

/// A file whose rows are numbers.
struct NumberFile<'f, F>(Rows<'f, F>);

impl<'f, F: DiskFile> NumberFile<'f, F> {
    fn new(name: &'static str, file: &'f F, is_beginning: fn(&[u8]) -> bool) -> NumberFile<'f, F> {
        NumberFile(Rows {
            name,
            file,
            is_beginning,
        })
    }

    fn read<T>(
        &self,
        should_stop: impl FnMut() -> bool,
        parse: impl Fn(&[u8]) -> Result<T, InvalidRow>,
        mut take: impl FnMut(u64, T) -> Result<(), Damage>,
    ) -> Result<Extent, Damage> {
        let file = self.0.name;
        self.0.read(should_stop, |line, row| {
            let record = parse(row).map_err(|reason| Damage::Row { file, line, reason })?;
            take(line, record)
        })
    }
}

/// A file of rows.
struct Rows<'f, F> {
    name: &'static str,
    file: &'f F,
    /// Whether bytes are the beginning of a row of this file.
    is_beginning: fn(&[u8]) -> bool,
}

impl<F: DiskFile> Rows<'_, F> {
    fn read(
        &self,
        mut should_stop: impl FnMut() -> bool,
        mut visit: impl FnMut(u64, &[u8]) -> Result<(), Damage>,
    ) -> Result<Extent, Damage> {
        let content = FromStart {
            file: self.file,
            offset: 0,
        };
        let mut lines = Lines::new(content, ROW_BYTES_MAX + ROW_END.len());
        let mut damage = None;
        for line in 1.. {
            let row_end = Damage::RowEnd {
                file: self.name,
                line,
            };
            let result = match lines.next_line().map_err(|error| self.unreadable(error))? {
                None => break,
                Some(Line::Whole(bytes)) => match bytes.strip_suffix(b"\r") {
                    Some(row) => visit(line, row),
                    None => Err(row_end),
                },
                Some(Line::Unended(_) | Line::Cut(_)) => Err(row_end),
            };
            if let Err(error) = result {
                damage = Some(error);
                break;
            }
            if line % LINES_BETWEEN_QUESTIONS == 0 && should_stop() {
                return Err(Damage::Stopped);
            }
        }
        let bytes = lines.offset();
        let torn_bytes = match damage {
            None => 0,
            Some(damage) => match self.torn_bytes(bytes, &mut should_stop)? {
                Some(torn_bytes) => torn_bytes,
                None => return Err(damage),
            },
        };
        Ok(Extent { bytes, torn_bytes })
    }

    /// How much follows a bad row at `offset`, if a torn append explains it: the row ends with the file,
    /// or breaks off into zeros, where the system had made room and not written yet. Behind zeros there
    /// may be more of the same append. A good row has no zero byte, and an append has a bound, so
    /// zeros farther from the end are corruption.
    fn torn_bytes(
        &self,
        offset: u64,
        should_stop: &mut impl FnMut() -> bool,
    ) -> Result<Option<u64>, Damage> {
        let unreadable = |error| self.unreadable(error);
        let length = self.file.bytes().map_err(unreadable)?;
        let torn_bytes = length - offset.min(length);
        let mut row = vec![0; ROW_BYTES_MAX + ROW_END.len()];
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
    ) -> Result<bool, Damage> {
        let mut buffer = vec![0; 1024 * 1024];
        loop {
            if should_stop() {
                return Err(Damage::Stopped);
            }
            let read = self.file.read_at(at, &mut buffer);
            match read.map_err(|error| self.unreadable(error))? {
                0 => return Ok(true),
                read if buffer[..read].iter().any(|byte| *byte != 0) => return Ok(false),
                read => at += read as u64,
            }
        }
    }

    fn unreadable(&self, error: io::Error) -> Damage {
        Damage::Read {
            file: self.name,
            error,
        }
    }
}

/// The draw in `draw.csv`, if there is one.
///
/// # Errors
///
/// The first [`Damage`].
pub fn load_draw<F: DiskFile>(file: &F) -> Result<Option<DrawRecord>, Damage> {
    let mut draw = None;
    let rows = NumberFile::new(DRAW_FILE, file, is_beginning_of_numbers::<4>);
    rows.read(
        || false,
        DrawRecord::read,
        |_, record| {
            draw = Some(record);
            Ok(())
        },
    )?;
    Ok(draw)
}

/// Reads at `offset` until the buffer is full or the file ends, and says how many bytes.
pub(super) fn read_full<F: DiskFile>(
    file: &F,
    offset: u64,
    buffer: &mut [u8],
) -> io::Result<usize> {
    let mut stream = FromStart { file, offset };
    let mut filled = 0;
    loop {
        match stream.read(&mut buffer[filled..])? {
            0 => return Ok(filled),
            read => filled += read,
        }
    }
}

/// A file as a stream.
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
