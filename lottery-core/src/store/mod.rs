//! The store: `bets.csv`, every bet in the order in which it was stored; `closings.csv`, a row for each
//! agency that has finished; and `draw.csv`, one row once the draw was held.
//!
//! Bets and closings are *staged* in memory and reach the files in a *group commit*: one append and
//! at most one sync for all that was staged, however many agencies it came from. Nobody may be told
//! that a bet is stored before [`Store::commit`] has returned.
//!
//! The files are all that is remembered. What is kept in memory, a count and a CRC for each agency, is
//! worked out from them at opening, so a store opened after a crash stands where the crashed one
//! stood.
//!
//! The names of the operations are those of the course: [`Store::store_bets`], [`load_bets`] and
//! [`crate::bet::has_won`].

mod append_file;
mod disk;
mod draw;
mod examine;
mod row;

use std::collections::BTreeMap;
use std::io;

use thiserror::Error;

pub use disk::{Disk, DiskFile, FileStatus, Folder, ReadFile};
pub use draw::{Draw, Winners, find_winners};
pub use examine::{
    APPEND_BYTES_MAX, Examination, Extent, StoredAgency, examine, load_bets, load_draw,
};
pub use row::{DrawRecord, write_bet};

use crate::encoding::Tally;
use crate::message::Bets;
use append_file::AppendFile;
use row::Closing;

/// The file of the bets.
pub const BETS_FILE: &str = "bets.csv";

/// The file of the agencies that have finished.
pub const CLOSINGS_FILE: &str = "closings.csv";

/// The file of the draw.
pub const DRAW_FILE: &str = "draw.csv";

/// The bets and closings of a lottery, on a disk.
///
/// The program opens one at its start, stages into it and commits at the end of every turn. After
/// a fatal [`CommitError`] it must be dropped: only opening it anew tells what the files hold.
pub struct Store<D: Disk> {
    disk: D,
    bets: AppendFile<D::File>,
    closings: AppendFile<D::File>,
    draw: Option<DrawRecord>,
    committed: BTreeMap<u32, StoredAgency>,
    /// How the agencies with something staged will stand after the next commit.
    staged: BTreeMap<u32, StoredAgency>,
    staged_rows: Vec<u8>,
    staged_closings: Vec<u8>,
}

/// What opening the store found and repaired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Bets stored, of all agencies.
    pub bets: u64,
    /// Agencies that have finished.
    pub finished: usize,
    /// Bytes of a torn append that were cut off each file.
    pub cut_bytes: [(&'static str, u64); 3],
}

/// Why the files cannot be read or opened. Nothing in them is changed then, unless a repair failed.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the texts name the fields")]
pub enum OpenError {
    /// A file cannot be opened, made, read or repaired.
    #[error("{file}: {error}")]
    File {
        file: &'static str,
        error: io::Error,
    },
    /// Corruption: a line is not as this store leaves it, whatever crash it went through.
    #[error("{file} line {line}: {reason}")]
    Corrupt {
        file: &'static str,
        line: u64,
        reason: String,
    },
    #[error("stopped before the end")]
    Stopped,
}

/// Why a commit did not store everything.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the texts name the fields")]
pub enum CommitError {
    /// None of what was staged is stored; what was appended is cut off, and the store is good for more.
    #[error("{file}: {error}")]
    NothingStored {
        file: &'static str,
        error: io::Error,
    },
    /// The bets are stored and the closings are not; the store is good for more.
    #[error("{CLOSINGS_FILE}: {0}")]
    ClosingsNotStored(io::Error),
    /// A sync failed, or a failed append could not be undone. Fatal. What is in doubt was cut off if the
    /// disk let it be; opening the store anew makes certain what it finds.
    #[error("{file}: {operation} failed: {error}; restart the server once the disk is good")]
    InDoubt {
        file: &'static str,
        operation: &'static str,
        error: io::Error,
    },
    /// Somebody removed, renamed, replaced or changed a file under the running server. Fatal.
    #[error(
        "{file} was removed, replaced or cut by somebody else; put it back and restart the server"
    )]
    Tampered { file: &'static str },
}

impl CommitError {
    /// Whether the store is of no further use.
    pub fn is_fatal(&self) -> bool {
        !matches!(
            self,
            CommitError::NothingStored { .. } | CommitError::ClosingsNotStored(_)
        )
    }
}

impl<D: Disk> Store<D> {
    /// Opens the store on `disk`, making its files when they are missing. What a crash left after the
    /// last whole row is cut off, and what is left is synced: what a crashed program had written, but
    /// not synced, counts from here on. Opening a large store takes a while, so it asks `should_stop`
    /// now and then.
    ///
    /// # Errors
    ///
    /// When a file cannot be used, or is corrupt in a way that no crash explains; nothing is
    /// changed then. [`OpenError::Stopped`] when it was to stop.
    pub fn open(
        disk: D,
        should_stop: impl FnMut() -> bool,
    ) -> Result<(Store<D>, Recovery), OpenError> {
        let unusable = |file| move |error| OpenError::File { file, error };
        let bets = disk.open(BETS_FILE).map_err(unusable(BETS_FILE))?;
        let closings = disk.open(CLOSINGS_FILE).map_err(unusable(CLOSINGS_FILE))?;
        let draw = disk.open_existing(DRAW_FILE).map_err(unusable(DRAW_FILE))?;
        let found = examine::examine(&bets, &closings, draw.as_ref(), should_stop)?;
        let standings = found.agencies.values();
        let recovery = Recovery {
            bets: standings.clone().map(|standing| standing.tally.bets).sum(),
            finished: standings.filter(|standing| standing.has_finished).count(),
            cut_bytes: [
                (BETS_FILE, found.bets_extent.torn_bytes),
                (CLOSINGS_FILE, found.closings_extent.torn_bytes),
                (DRAW_FILE, found.draw_extent.torn_bytes),
            ],
        };
        let store = Store {
            bets: recover(&disk, BETS_FILE, bets, found.bets_extent)?,
            closings: recover(&disk, CLOSINGS_FILE, closings, found.closings_extent)?,
            draw: found.draw,
            committed: found.agencies,
            disk,
            staged: BTreeMap::new(),
            staged_rows: Vec::new(),
            staged_closings: Vec::new(),
        };
        if let Some(draw) = draw {
            recover(&store.disk, DRAW_FILE, draw, found.draw_extent)?;
        }
        Ok((store, recovery))
    }

    /// Stages bets of `agency`, in order. They are stored once [`Store::commit`] has returned.
    pub fn store_bets(&mut self, agency: u32, bets: &Bets<'_>) {
        for bet in &bets.bets {
            assert_eq!(bet.agency, agency, "a batch has bets of one agency");
            write_bet(bet, &mut self.staged_rows);
        }
        let mut standing = self.standing(agency);
        assert!(!standing.has_finished, "nothing is stored after a closing");
        standing.tally.add(bets.bets.len() as u64, &bets.encodings);
        self.staged.insert(agency, standing);
    }

    /// Stages the closing of `agency`: it has finished, staged bets included.
    pub fn finish_agency(&mut self, agency: u32) {
        let mut standing = self.standing(agency);
        assert!(!standing.has_finished, "an agency finishes once");
        standing.has_finished = true;
        let tally = standing.tally;
        Closing { agency, tally }.write(&mut self.staged_closings);
        self.staged.insert(agency, standing);
    }

    /// Bytes staged for the next commit.
    pub fn staged_bytes(&self) -> usize {
        self.staged_rows.len() + self.staged_closings.len()
    }

    /// Whether something of `agency` waits for the next commit.
    pub fn has_staged(&self, agency: u32) -> bool {
        self.staged.contains_key(&agency)
    }

    /// The bets of `agency`, staged ones included.
    pub fn tally(&self, agency: u32) -> Tally {
        self.standing(agency).tally
    }

    /// Whether `agency` has finished, by a closing that may still be staged.
    pub fn has_finished(&self, agency: u32) -> bool {
        self.standing(agency).has_finished
    }

    /// The agencies of which something is committed, in order.
    pub fn agencies(&self) -> impl Iterator<Item = (u32, StoredAgency)> {
        let committed = self.committed.iter();
        committed.map(|(agency, standing)| (*agency, *standing))
    }

    /// Whether committed bets wait for a sync.
    pub fn is_unsynced(&self) -> bool {
        self.bets.is_unsynced
    }

    /// The draw that is on file.
    pub fn draw(&self) -> Option<DrawRecord> {
        self.draw
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
        let staged = std::mem::take(&mut self.staged);
        match &result {
            Ok(()) => self.committed.extend(staged),
            Err(CommitError::ClosingsNotStored(_)) => {
                for (agency, standing) in staged {
                    self.committed.entry(agency).or_default().tally = standing.tally;
                }
            }
            Err(_) => {}
        }
        result
    }

    /// Syncs the committed bets.
    ///
    /// # Errors
    ///
    /// A fatal [`CommitError`], and no other.
    pub fn sync(&mut self) -> Result<(), CommitError> {
        self.bets.sync()
    }

    /// Begins a draw over the bets committed so far.
    pub fn begin_draw(&self, winning_number: u32) -> Draw {
        Draw::new(winning_number, self.bets.bytes)
    }

    /// Advances a draw by a slice; returns the winners when it is done.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or is no longer what the store wrote; the draw may be advanced
    /// again, and goes on from the same place.
    pub fn advance_draw(&self, draw: &mut Draw) -> io::Result<Option<Winners>> {
        draw.advance(&self.bets.file)
    }

    /// Writes durably that the draw was held. Nobody may be told winners before that.
    ///
    /// # Errors
    ///
    /// [`CommitError::NothingStored`], after which it may be tried again, or a fatal one.
    pub fn record_draw(&mut self, record: DrawRecord) -> Result<(), CommitError> {
        assert_eq!(self.draw, None, "the draw is held once");
        self.check_untouched()?;
        let not_stored = |error| CommitError::NothingStored {
            file: DRAW_FILE,
            error,
        };
        let file = self.disk.open(DRAW_FILE).map_err(not_stored)?;
        if file.bytes().map_err(not_stored)? > 0 {
            // What a failed append of ours left was cut off.
            let reason = "somebody else wrote it while the server runs; move it away";
            let error = io::Error::new(io::ErrorKind::AlreadyExists, reason);
            return Err(not_stored(error));
        }
        let mut file = AppendFile::new(&self.disk, DRAW_FILE, file, 0).map_err(not_stored)?;
        let mut row = Vec::new();
        record.write(&mut row);
        file.append(&row)?.map_err(not_stored)?;
        file.sync()?;
        self.draw = Some(record);
        Ok(())
    }

    fn try_commit(&mut self, sync_bets: bool) -> Result<(), CommitError> {
        if self.staged_bytes() > 0 {
            self.check_untouched()?;
            // A closing that was undone must not come back after bets that it does not cover.
            self.closings.sync()?;
        }
        if !self.staged_rows.is_empty() {
            let appended = self.bets.append(&self.staged_rows)?;
            appended.map_err(|error| CommitError::NothingStored {
                file: BETS_FILE,
                error,
            })?;
        }
        if sync_bets || !self.staged_closings.is_empty() {
            self.bets.sync()?;
        }
        if !self.staged_closings.is_empty() {
            let appended = self.closings.append(&self.staged_closings)?;
            appended.map_err(CommitError::ClosingsNotStored)?;
            self.closings.sync()?;
        }
        Ok(())
    }

    /// Checks that no other process changed the files that hold what was acknowledged.
    fn check_untouched(&self) -> Result<(), CommitError> {
        self.bets.check_untouched(&self.disk)?;
        self.closings.check_untouched(&self.disk)
    }

    fn standing(&self, agency: u32) -> StoredAgency {
        let staged = self.staged.get(&agency);
        let standing = staged.or_else(|| self.committed.get(&agency));
        standing.copied().unwrap_or_default()
    }
}

/// Cuts off what a torn append left, and puts the rest on the medium.
///
/// A sync that failed, in this opening or in the run before, may have left the last append in the system's
/// cache alone: readable, and taken for written by every later sync. It is therefore written again.
fn recover<F: DiskFile>(
    disk: &impl Disk,
    name: &'static str,
    mut file: F,
    extent: Extent,
) -> Result<AppendFile<F>, OpenError> {
    let cut = match extent.torn_bytes {
        0 => Ok(()),
        _ => file.truncate(extent.bytes),
    };
    cut.and_then(|()| rewrite_tail(&mut file, extent.bytes))
        .and_then(|()| file.sync())
        .and_then(|()| AppendFile::new(disk, name, file, extent.bytes))
        .map_err(|error| OpenError::File { file: name, error })
}

/// Writes what may be the last append over itself.
fn rewrite_tail<F: DiskFile>(file: &mut F, end: u64) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut at = end.saturating_sub(APPEND_BYTES_MAX);
    while at < end {
        let wanted = (end - at).min(buffer.len() as u64) as usize;
        let read = file.read_at(at, &mut buffer[..wanted])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.write_at(at, &buffer[..read])?;
        at += read as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
