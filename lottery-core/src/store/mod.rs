//! The store: `bets.csv`, every bet in the order in which it was stored, and `closings.csv`, a row
//! for each agency that has sent everything.
//!
//! Bets and closings are *staged* in memory and reach the files in a *group commit*: one append and
//! at most one sync for all that was staged, however many agencies it came from. Nobody may be told
//! that a bet is stored before [`Store::commit`] has returned.
//!
//! The two files are all that is remembered. What is kept in memory, a count and a CRC for each
//! agency, is worked out from them at opening, so a store opened after a crash stands where the
//! crashed one stood.
//!
//! The names of the operations are those of the course: [`Store::store_bets`], [`load_bets`] and
//! [`crate::bet::has_won`].

mod disk;
mod draw;
mod examine;
mod row;
mod tally;

use std::collections::BTreeMap;
use std::io;

use thiserror::Error;

pub use disk::{Disk, DiskFile, Folder};
pub use draw::{Draw, Winners};
pub use examine::{Damage, Examination, examine, load_bets};
pub use row::{InvalidRow, ROW_BYTES_MAX, write_bet};
pub use tally::Tally;

use crate::bet::Bet;
use crate::protocol::bet_encoding;
use examine::examine_unless;
use row::Closing;

/// The file of the bets.
pub const BETS_FILE: &str = "bets.csv";

/// The file of the closings.
pub const CLOSINGS_FILE: &str = "closings.csv";

/// The bets and closings of a lottery, on a disk.
///
/// The program opens one at its start, stages into it and commits at the end of every turn. After
/// a [`CommitError::InDoubt`] it must be dropped: only opening it anew tells what the files hold.
#[derive(Debug)]
pub struct Store<F> {
    bets: F,
    closings: F,
    /// Bytes of `bets.csv` that are committed.
    bets_bytes: u64,
    /// Bytes of `closings.csv` that are committed.
    closings_bytes: u64,
    /// Whether bets were appended since the last sync.
    unsynced: bool,
    agencies: BTreeMap<u32, AgencyRecord>,
    /// Agencies with something staged; may name one twice.
    staged_agencies: Vec<u32>,
    staged_rows: Vec<u8>,
    staged_closings: Vec<u8>,
    /// Scratch space for the encodings of one batch.
    encodings: Vec<u8>,
}

/// What is known of an agency: as committed, and as it will be after the next commit.
#[derive(Clone, Copy, Debug, Default)]
struct AgencyRecord {
    committed: Standing,
    staged: Standing,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Standing {
    tally: Tally,
    closed: bool,
}

/// What opening the store found and mended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Bets stored, of all agencies.
    pub bets: u64,
    /// Agencies that have sent everything.
    pub closed: usize,
    /// Bytes of a torn record cut off `bets.csv`.
    pub bets_cut_bytes: u64,
    /// Bytes of a torn record cut off `closings.csv`.
    pub closings_cut_bytes: u64,
}

/// Why a store cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// A file cannot be opened, made, or mended.
    #[error("{file}: {error}")]
    File {
        /// The file's name.
        file: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// The files are not what this store leaves behind.
    #[error(transparent)]
    Damage(#[from] Damage),
}

/// Why a commit did not store everything.
#[derive(Debug, Error)]
pub enum CommitError {
    /// None of what was staged is stored; the file was cut back, and the store is good for more.
    #[error("{BETS_FILE}: {0}")]
    NothingStored(io::Error),
    /// The bets are stored and the closings are not; the store is good for more.
    #[error("{CLOSINGS_FILE}: {0}")]
    ClosingsNotStored(io::Error),
    /// What the files hold is unknown: a sync failed, or a failed append could not be undone.
    #[error("{file} is in doubt after a failed {operation}: {error}")]
    InDoubt {
        /// The file's name.
        file: &'static str,
        /// What failed last.
        operation: &'static str,
        /// What the system says.
        error: io::Error,
    },
}

impl<F: DiskFile> Store<F> {
    /// Opens the store on `disk`, making its files when they are missing. A torn last record is
    /// cut off, and what is left is synced: what a crashed program had written, but not synced,
    /// counts from here on.
    ///
    /// # Errors
    ///
    /// When a file cannot be used, or is damaged in a way that no crash explains; nothing is
    /// changed then.
    pub fn open<D: Disk<File = F>>(disk: &D) -> Result<(Store<F>, Recovery), OpenError> {
        Store::open_unless(disk, || false)
    }

    /// As [`Store::open`], for a store so large that opening it takes a while: asks `should_stop`
    /// now and then.
    ///
    /// # Errors
    ///
    /// As [`Store::open`], and with [`Damage::Stopped`] when it was to stop.
    pub fn open_unless<D: Disk<File = F>>(
        disk: &D,
        should_stop: impl FnMut() -> bool,
    ) -> Result<(Store<F>, Recovery), OpenError> {
        let mut bets = open_file(disk, BETS_FILE)?;
        let mut closings = open_file(disk, CLOSINGS_FILE)?;
        let found = examine_unless(&bets, &closings, should_stop)?;
        let recovery = Recovery {
            bets: found.tallies.values().map(|tally| tally.bets).sum(),
            closed: found.closings.len(),
            bets_cut_bytes: found.bets_torn_bytes,
            closings_cut_bytes: found.closings_torn_bytes,
        };
        mend(
            BETS_FILE,
            &mut bets,
            found.bets_bytes,
            found.bets_torn_bytes,
        )?;
        mend(
            CLOSINGS_FILE,
            &mut closings,
            found.closings_bytes,
            found.closings_torn_bytes,
        )?;
        let store = Store {
            bets,
            closings,
            bets_bytes: found.bets_bytes,
            closings_bytes: found.closings_bytes,
            unsynced: false,
            agencies: agency_records(&found),
            staged_agencies: Vec::new(),
            staged_rows: Vec::new(),
            staged_closings: Vec::new(),
            encodings: Vec::new(),
        };
        Ok((store, recovery))
    }

    /// Stages bets of `agency`, in order. They are stored once [`Store::commit`] has returned.
    pub fn store_bets(&mut self, agency: u32, bets: &[Bet<'_>]) {
        self.encodings.clear();
        for bet in bets {
            assert_eq!(bet.agency, agency, "the caller sorts the bets by agency");
            bet_encoding::encode(bet, &mut self.encodings);
            write_bet(bet, &mut self.staged_rows);
        }
        let record = self.agencies.entry(agency).or_default();
        assert!(!record.staged.closed, "nothing is stored behind a closing");
        record.staged.tally.add(bets.len() as u64, &self.encodings);
        self.staged_agencies.push(agency);
    }

    /// Stages the closing of `agency`: it has sent everything, staged bets included.
    pub fn close_agency(&mut self, agency: u32) {
        let record = self.agencies.entry(agency).or_default();
        assert!(!record.staged.closed, "an agency closes once");
        record.staged.closed = true;
        Closing {
            agency,
            tally: record.staged.tally,
        }
        .write(&mut self.staged_closings);
        self.staged_agencies.push(agency);
    }

    /// Bytes staged for the next commit.
    pub fn staged_bytes(&self) -> usize {
        self.staged_rows.len() + self.staged_closings.len()
    }

    /// Whether something of `agency` waits for the next commit.
    pub fn has_staged(&self, agency: u32) -> bool {
        self.agencies
            .get(&agency)
            .is_some_and(|record| record.staged != record.committed)
    }

    /// The bets of `agency`, staged ones included.
    pub fn tally(&self, agency: u32) -> Tally {
        self.standing(agency).tally
    }

    /// Whether `agency` has sent everything, by a closing that may still be staged.
    pub fn is_closed(&self, agency: u32) -> bool {
        self.standing(agency).closed
    }

    /// The agencies that have sent everything, in order.
    pub fn closed_agencies(&self) -> impl Iterator<Item = u32> {
        let closed = self
            .agencies
            .iter()
            .filter(|(_, record)| record.staged.closed);
        closed.map(|(agency, _)| *agency)
    }

    /// Whether committed bets wait for a sync.
    pub fn is_unsynced(&self) -> bool {
        self.unsynced
    }

    /// Appends what is staged. With `sync_bets` the bets are synced too; before a closing they
    /// always are, and so is the closing, since the draw rests on it.
    ///
    /// # Errors
    ///
    /// See [`CommitError`]. In each case nothing stays staged.
    pub fn commit(&mut self, sync_bets: bool) -> Result<(), CommitError> {
        let result = self.try_commit(sync_bets);
        self.staged_rows.clear();
        self.staged_closings.clear();
        for agency in self.staged_agencies.drain(..) {
            if let Some(record) = self.agencies.get_mut(&agency) {
                match &result {
                    Ok(()) => record.committed = record.staged,
                    Err(CommitError::ClosingsNotStored(_)) => {
                        record.committed.tally = record.staged.tally;
                        record.staged = record.committed;
                    }
                    Err(_) => record.staged = record.committed,
                }
            }
        }
        result
    }

    /// Syncs the committed bets.
    ///
    /// # Errors
    ///
    /// [`CommitError::InDoubt`], and no other.
    pub fn sync(&mut self) -> Result<(), CommitError> {
        if self.unsynced {
            self.bets.sync().map_err(in_doubt(BETS_FILE, "sync"))?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// Begins a draw over the bets committed so far.
    pub fn begin_draw(&self, winning_number: u32) -> Draw {
        Draw::new(winning_number, self.bets_bytes)
    }

    /// Advances a draw by a slice; returns the winners when it is done.
    ///
    /// # Errors
    ///
    /// As [`Draw::advance`].
    pub fn advance_draw(&self, draw: &mut Draw) -> io::Result<Option<Winners>> {
        draw.advance(&self.bets)
    }

    fn try_commit(&mut self, sync_bets: bool) -> Result<(), CommitError> {
        if !self.staged_rows.is_empty() {
            append(
                BETS_FILE,
                &mut self.bets,
                &mut self.bets_bytes,
                &self.staged_rows,
            )?
            .map_err(CommitError::NothingStored)?;
            self.unsynced = true;
        }
        if sync_bets || !self.staged_closings.is_empty() {
            self.sync()?;
        }
        if !self.staged_closings.is_empty() {
            let closings = &mut self.closings;
            append(
                CLOSINGS_FILE,
                closings,
                &mut self.closings_bytes,
                &self.staged_closings,
            )?
            .map_err(CommitError::ClosingsNotStored)?;
            closings.sync().map_err(in_doubt(CLOSINGS_FILE, "sync"))?;
        }
        Ok(())
    }

    fn standing(&self, agency: u32) -> Standing {
        self.agencies
            .get(&agency)
            .map(|record| record.staged)
            .unwrap_or_default()
    }
}

/// Appends `rows` behind the committed `bytes` of `file`. The inner error means that the file was
/// cut back to where it was.
fn append<F: DiskFile>(
    name: &'static str,
    file: &mut F,
    bytes: &mut u64,
    rows: &[u8],
) -> Result<io::Result<()>, CommitError> {
    let result = file.write_at(*bytes, rows);
    match result {
        Ok(()) => *bytes += rows.len() as u64,
        Err(_) => file.truncate(*bytes).map_err(in_doubt(name, "cut"))?,
    }
    Ok(result)
}

fn in_doubt(file: &'static str, operation: &'static str) -> impl FnOnce(io::Error) -> CommitError {
    move |error| CommitError::InDoubt {
        file,
        operation,
        error,
    }
}

fn open_file<D: Disk>(disk: &D, name: &'static str) -> Result<D::File, OpenError> {
    disk.open(name)
        .map_err(|error| OpenError::File { file: name, error })
}

fn mend<F: DiskFile>(
    name: &'static str,
    file: &mut F,
    bytes: u64,
    torn_bytes: u64,
) -> Result<(), OpenError> {
    let cut = if torn_bytes > 0 {
        file.truncate(bytes)
    } else {
        Ok(())
    };
    cut.and_then(|()| file.sync())
        .map_err(|error| OpenError::File { file: name, error })
}

fn agency_records(found: &Examination) -> BTreeMap<u32, AgencyRecord> {
    let mut records: BTreeMap<u32, AgencyRecord> = BTreeMap::new();
    for (agency, tally) in &found.tallies {
        records.entry(*agency).or_default().committed.tally = *tally;
    }
    for agency in found.closings.keys() {
        records.entry(*agency).or_default().committed.closed = true;
    }
    for record in records.values_mut() {
        record.staged = record.committed;
    }
    records
}

#[cfg(test)]
mod tests;
