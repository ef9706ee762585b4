//! What the microbenchmarks in `bench/benches/` work on: bets like the bundled ones, and disks in
//! memory, so that the code is measured and not the medium.

use std::io::{self, Write};

use anyhow::Result;
use lottery_core::bet::UncheckedBet;
use lottery_core::date::Date;
use lottery_core::protocol::Request;
use lottery_core::store::{Disk, DiskFile};
use tempfile::NamedTempFile;
use time::macros::date;

use crate::datasets::{Bets, Options, write_csv};
use crate::load::Script;

/// The day on which bets are checked.
pub const TODAY: Date = date!(2026 - 11 - 21);

/// The agency of all bets here.
pub const AGENCY: u32 = 1;

/// The bets of one file, as the client reads them.
///
/// # Errors
///
/// When the temporary file cannot be written.
pub fn csv_file(bets: u32) -> Result<NamedTempFile> {
    let options = Options {
        bets: Some(vec![bets]),
        agencies: Some(1),
        ..Options::default()
    };
    let plan = options.plan()?;
    let mut csv = Vec::new();
    write_csv(Bets::new(&plan, &plan.agencies[0]), &mut csv)?;
    let mut file = NamedTempFile::new()?;
    file.write_all(&csv)?;
    Ok(file)
}

/// A RegisterBets of 125 bets.
///
/// # Errors
///
/// When the temporary file cannot be used.
pub fn batch() -> Result<Vec<u8>> {
    let script = Script::lottery(AGENCY, csv_file(125)?.path(), 125, false)?;
    let first = script.iter_messages().next().unwrap_or_default();
    Ok(first.to_vec())
}

/// The bets in a RegisterBets.
///
/// # Panics
///
/// When it is none.
pub fn bets_in(message: &[u8]) -> Vec<UncheckedBet<'_>> {
    match Request::parse(message) {
        Ok(Request::RegisterBets(bets)) => bets,
        other => panic!("expected RegisterBets, found {other:?}"),
    }
}

/// A disk whose files forget everything but their length.
#[derive(Debug)]
pub struct Forgetful;

/// A file in memory.
#[derive(Debug, Default)]
pub struct MemoryFile {
    contents: Vec<u8>,
    /// Set for a file that forgets: its length.
    forgotten: Option<u64>,
}

impl MemoryFile {
    /// A file that holds these bytes.
    pub fn holding(contents: Vec<u8>) -> MemoryFile {
        MemoryFile {
            contents,
            forgotten: None,
        }
    }
}

impl Disk for Forgetful {
    type File = MemoryFile;

    fn open(&self, _: &str) -> io::Result<MemoryFile> {
        Ok(MemoryFile {
            contents: Vec::new(),
            forgotten: Some(0),
        })
    }
}

impl DiskFile for MemoryFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.forgotten.unwrap_or(self.contents.len() as u64))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.contents.get(start..).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        match &mut self.forgotten {
            Some(length) => *length = offset + bytes.len() as u64,
            None => return Err(io::ErrorKind::ReadOnlyFilesystem.into()),
        }
        Ok(())
    }

    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        match &mut self.forgotten {
            Some(length) => *length = bytes,
            None => return Err(io::ErrorKind::ReadOnlyFilesystem.into()),
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}
