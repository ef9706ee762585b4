//! What the tests of this crate share: rules, bets, a disk in memory that fails when told to, and a
//! look at the log.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Once;

use log::{LevelFilter, Log, Metadata, Record};
use lottery_core::bet::UncheckedBet;
use lottery_core::date::{Date, unix_midnight};
use lottery_core::store::{BETS_FILE, Disk, DiskFile};
use time::macros::date;

use crate::central::{Durability, Rules};

/// The day on which all tests take place.
pub const TODAY: Date = date!(2026 - 03 - 17);

/// The number that wins in all tests.
pub const WINNING_NUMBER: u32 = 7574;

/// A lottery of so many agencies in which each turn is synced and nobody waits too long.
pub fn rules(agencies: u32) -> Rules {
    Rules {
        agencies,
        winning_number: WINNING_NUMBER,
        durability: Durability::Always,
        draw_timeout: None,
    }
}

/// A bet of `agency` on a number that does not win.
pub fn bet(agency: u32, document: u32) -> UncheckedBet<'static> {
    UncheckedBet {
        agency,
        first_name: b"Ana",
        last_name: "Núñez".as_bytes(),
        document,
        birthdate: unix_midnight(date!(1999 - 03 - 17)),
        number: 1,
    }
}

/// A bet of `agency` on the number that wins.
pub fn winning_bet(agency: u32, document: u32) -> UncheckedBet<'static> {
    UncheckedBet {
        number: WINNING_NUMBER,
        ..bet(agency, document)
    }
}

/// A disk whose two files outlive the store that uses them, as a disk does.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    pub bets: MemoryFile,
    pub closings: MemoryFile,
}

impl MemoryDisk {
    /// Agency and document of each stored bet, in order.
    pub fn stored(&self) -> Vec<(u32, u32)> {
        let rows = self.rows().into_iter();
        rows.map(|(agency, document, _)| (agency, document))
            .collect()
    }

    /// The documents that `agency` has stored, in order.
    pub fn stored_by(&self, agency: u32) -> Vec<u32> {
        self.documents(|of, _| of == agency)
    }

    /// The documents of the stored bets of `agency` that win, in order.
    pub fn winners_of(&self, agency: u32) -> Vec<u32> {
        self.documents(|of, number| of == agency && number == WINNING_NUMBER)
    }

    fn documents(&self, is_wanted: impl Fn(u32, u32) -> bool) -> Vec<u32> {
        let rows = self.rows().into_iter();
        rows.filter(|(agency, _, number)| is_wanted(*agency, *number))
            .map(|(_, document, _)| document)
            .collect()
    }

    /// Agency, document and number of each row.
    fn rows(&self) -> Vec<(u32, u32, u32)> {
        let contents = self.bets.0.borrow();
        let text = std::str::from_utf8(&contents.bytes).unwrap();
        let rows = text.lines().map(|row| {
            let mut fields = row.rsplit(',');
            let number = fields.next().unwrap().parse().unwrap();
            let document = fields.nth(1).unwrap().parse().unwrap();
            let agency = row.split(',').next().unwrap().parse().unwrap();
            (agency, document, number)
        });
        rows.collect()
    }
}

impl Disk for MemoryDisk {
    type File = MemoryFile;

    fn open(&self, name: &str) -> io::Result<MemoryFile> {
        Ok(if name == BETS_FILE {
            self.bets.clone()
        } else {
            self.closings.clone()
        })
    }
}

/// A file in memory; a clone is the same file.
#[derive(Clone, Debug, Default)]
pub struct MemoryFile(Rc<RefCell<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    bytes: Vec<u8>,
    synced_bytes: usize,
    syncs: usize,
    failing: Vec<Operation>,
}

/// What can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Write,
    Truncate,
    Sync,
    Read,
}

impl MemoryFile {
    /// Has these operations fail from here on, and no others.
    pub fn fail(&self, operations: &[Operation]) {
        self.0.borrow_mut().failing = operations.to_vec();
    }

    /// Whether everything written is on the medium.
    pub fn is_synced(&self) -> bool {
        let contents = self.0.borrow();
        contents.synced_bytes == contents.bytes.len()
    }

    /// How often it was synced.
    pub fn syncs(&self) -> usize {
        self.0.borrow().syncs
    }

    fn attempt(&self, operation: Operation) -> io::Result<()> {
        if self.0.borrow().failing.contains(&operation) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl DiskFile for MemoryFile {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.0.borrow().bytes.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.attempt(Operation::Read)?;
        let contents = self.0.borrow();
        let rest = &contents.bytes[(offset as usize).min(contents.bytes.len())..];
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    /// A write that fails leaves half of what it should have written.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let outcome = self.attempt(Operation::Write);
        let written = if outcome.is_ok() {
            bytes
        } else {
            &bytes[..bytes.len() / 2]
        };
        let mut contents = self.0.borrow_mut();
        contents.bytes.truncate(offset as usize);
        contents.bytes.extend_from_slice(written);
        outcome
    }

    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        self.attempt(Operation::Truncate)?;
        self.0.borrow_mut().bytes.truncate(bytes as usize);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.attempt(Operation::Sync)?;
        let mut contents = self.0.borrow_mut();
        contents.synced_bytes = contents.bytes.len();
        contents.syncs += 1;
        Ok(())
    }
}

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// A log that remembers each test's own lines; a test has a thread to itself.
struct Memory;

impl Log for Memory {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        LINES.with_borrow_mut(|lines| lines.push(record.args().to_string()));
    }

    fn flush(&self) {}
}

/// Remembers what this test logs from here on, at INFO and above.
pub fn remember_log() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        log::set_logger(&Memory).unwrap();
        log::set_max_level(LevelFilter::Info);
    });
    LINES.with_borrow_mut(Vec::clear);
}

/// How many lines were logged that begin with `beginning`, since [`remember_log`].
pub fn times_logged(beginning: &str) -> usize {
    LINES.with_borrow(|lines| {
        let lines = lines.iter();
        lines.filter(|line| line.starts_with(beginning)).count()
    })
}
