//! A disk in memory that fills, fails, tears, and forgets what was not synced when the power goes.
//!
//! It models Linux. Writes go to the system's cache, which every reader sees, and which outlives a crash
//! of the program. A good sync puts every sector written since the last one on the medium. A sync that
//! fails gives those sectors up: they stay in the cache and are readable, but no later sync writes them.
//!
//! A power cut leaves one of the states that a file was in since its last good sync, and any
//! [`SECTOR_BYTES`](super::SECTOR_BYTES) of what was written since may be missing, as zeros or as what was there before.
//! More zeros may follow, where the system had made room.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use fastrand::Rng;

use super::Statistics;
use super::inode::Inode;
use crate::store::{Disk, DiskFile, FileStatus, ReadFile};

/// The disk; a clone is the same one. It outlives every crash.
#[derive(Clone)]
pub struct SimDisk {
    state: Rc<RefCell<State>>,
}

/// An open file. Drop those of a crashed program with it.
pub struct SimFile {
    name: String,
    inode: usize,
    state: Rc<RefCell<State>>,
}

#[derive(Default)]
struct State {
    rng: Rng,
    names: BTreeMap<String, usize>,
    inodes: Vec<Inode>,
    faults: Faults,
    /// Set when the program died within an operation; every later change of that program fails.
    has_crashed: bool,
    generation: u64,
    statistics: Statistics,
}

/// What goes wrong, until told otherwise.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// The program dies within a change, after this many more.
    pub crash_after: Option<u32>,
    /// Bytes that writes still take before the disk is full.
    pub room: Option<usize>,
    /// These operations fail, on the files of these names.
    pub failing: Vec<(Operation, &'static str)>,
}

/// What a program asks of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// To open or make a file.
    Open,
    /// To ask whether its name still means it.
    Stat,
    /// To read from it.
    Read,
    /// To write to it. Half of the bytes are written when this fails.
    Write,
    /// To cut it.
    Truncate,
    /// To wait until what was written is on the medium.
    Sync,
}

/// Why an operation does not succeed.
#[derive(Clone, Copy)]
enum Fault {
    ProgramWasDead,
    ProgramDies,
    Fails,
}

impl Faults {
    /// These operations fail, and nothing else goes wrong.
    pub fn failing(failing: &[(Operation, &'static str)]) -> Faults {
        Faults {
            failing: failing.to_vec(),
            ..Faults::default()
        }
    }

    /// The disk is full after `bytes` more, and nothing else goes wrong.
    pub fn full_after(bytes: usize) -> Faults {
        Faults {
            room: Some(bytes),
            ..Faults::default()
        }
    }
}

impl Default for SimDisk {
    /// An empty disk for a test that has no seed.
    fn default() -> SimDisk {
        SimDisk::new(Rng::with_seed(0), Statistics::default())
    }
}

impl SimDisk {
    /// An empty disk whose accidents come from `rng`.
    pub fn new(rng: Rng, statistics: Statistics) -> SimDisk {
        let state = State {
            rng,
            statistics,
            ..State::default()
        };
        SimDisk {
            state: Rc::new(RefCell::new(state)),
        }
    }

    /// Changes what goes wrong from here on.
    pub fn set_faults(&self, faults: Faults) {
        self.state.borrow_mut().faults = faults;
    }

    /// What goes wrong.
    pub fn faults(&self) -> Faults {
        self.state.borrow().faults.clone()
    }

    /// Whether the program died within an operation.
    pub fn has_crashed(&self) -> bool {
        self.state.borrow().has_crashed
    }

    /// The program is dead; another may open the files. With `power_cut` the machine was dead too.
    pub fn restart(&self, power_cut: bool) {
        let state = &mut *self.state.borrow_mut();
        state.has_crashed = false;
        state.generation += 1;
        state.faults.crash_after = None;
        if power_cut {
            for inode in &mut state.inodes {
                inode.lose_power(&mut state.rng, &state.statistics);
            }
        }
    }

    /// A number that is another one whenever the contents may be.
    pub fn generation(&self) -> u64 {
        self.state.borrow().generation
    }

    /// Whether there is a file of this name.
    pub fn has(&self, name: &str) -> bool {
        self.state.borrow().names.contains_key(name)
    }

    /// What everybody reads in the file; nothing when it is missing.
    pub fn cached(&self, name: &str) -> Vec<u8> {
        self.look(name, |inode| inode.cached.clone())
    }

    /// What is on the medium for certain.
    pub fn synced(&self, name: &str) -> Vec<u8> {
        self.look(name, |inode| inode.medium.clone())
    }

    /// How many times the file was synced with success.
    pub fn syncs(&self, name: &str) -> usize {
        self.look(name, |inode| inode.syncs)
    }

    /// Replaces the file by one with this content, on the medium too.
    pub fn put(&self, name: &str, content: &[u8]) {
        let state = &mut *self.state.borrow_mut();
        state.names.remove(name);
        let inode = state.inode_named(name);
        state.inodes[inode].cached = content.to_vec();
        state.inodes[inode].medium = content.to_vec();
    }

    /// Removes the file; open handles stay valid.
    pub fn remove(&self, name: &str) {
        let state = &mut *self.state.borrow_mut();
        state.generation += 1;
        state.names.remove(name);
    }

    /// Renames the file.
    pub fn rename(&self, from: &str, to: &str) {
        let state = &mut *self.state.borrow_mut();
        state.generation += 1;
        if let Some(inode) = state.names.remove(from) {
            state.names.insert(to.to_owned(), inode);
        }
    }

    /// Cuts the file to `bytes`.
    pub fn cut(&self, name: &str, bytes: usize) {
        let state = &mut *self.state.borrow_mut();
        let inode = state.inode_named(name);
        state.inodes[inode].truncate(bytes);
    }

    fn look<T: Default>(&self, name: &str, look: impl FnOnce(&Inode) -> T) -> T {
        let state = self.state.borrow();
        let inode = state.names.get(name);
        inode.map_or_else(T::default, |inode| look(&state.inodes[*inode]))
    }
}

impl State {
    /// Counts a change, and says whether it succeeds.
    fn begin(&mut self, operation: Operation, name: &str) -> Result<(), Fault> {
        self.generation += 1;
        if self.has_crashed {
            return Err(Fault::ProgramWasDead);
        }
        match &mut self.faults.crash_after {
            Some(0) => {
                self.has_crashed = true;
                return Err(Fault::ProgramDies);
            }
            Some(left) => *left -= 1,
            None => {}
        }
        self.check_working(operation, name)
    }

    fn check_working(&self, operation: Operation, name: &str) -> Result<(), Fault> {
        if !self.faults.failing.contains(&(operation, name)) {
            return Ok(());
        }
        self.statistics.add(match operation {
            Operation::Open => "failed opens",
            Operation::Stat => "failed stats",
            Operation::Read => "failed reads",
            Operation::Write => "failed writes",
            Operation::Truncate => "failed truncations",
            Operation::Sync => "failed syncs",
        });
        Err(Fault::Fails)
    }

    /// A change that is carried out or not; one in which the program dies may have been.
    fn change(
        &mut self,
        operation: Operation,
        name: &str,
        carry_out: impl FnOnce(&mut State),
    ) -> io::Result<()> {
        let outcome = self.begin(operation, name);
        if outcome.is_ok() || matches!(outcome, Err(Fault::ProgramDies)) && self.rng.bool() {
            carry_out(self);
        }
        Ok(outcome?)
    }

    fn inode_named(&mut self, name: &str) -> usize {
        self.generation += 1;
        let inodes = &mut self.inodes;
        *self.names.entry(name.to_owned()).or_insert_with(|| {
            inodes.push(Inode::default());
            inodes.len() - 1
        })
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> io::Error {
        io::Error::other(match fault {
            Fault::ProgramWasDead | Fault::ProgramDies => "the program is dead",
            Fault::Fails => "simulated failure",
        })
    }
}

impl Disk for SimDisk {
    type File = SimFile;

    fn open(&self, name: &str) -> io::Result<SimFile> {
        let state = &mut *self.state.borrow_mut();
        state.change(Operation::Open, name, |state| {
            state.inode_named(name);
        })?;
        Ok(SimFile {
            name: name.to_owned(),
            inode: state.inode_named(name),
            state: self.state.clone(),
        })
    }

    fn open_existing(&self, name: &str) -> io::Result<Option<SimFile>> {
        match self.has(name) {
            true => self.open(name).map(Some),
            false => Ok(None),
        }
    }

    fn status(&self, name: &str) -> io::Result<FileStatus> {
        let state = self.state.borrow();
        state.check_working(Operation::Stat, name)?;
        let inode = *state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(FileStatus {
            inode: (0, inode as u64),
            bytes: state.inodes[inode].cached.len() as u64,
        })
    }
}

impl ReadFile for SimFile {
    fn bytes(&self) -> io::Result<u64> {
        let state = self.state.borrow();
        Ok(state.inodes[self.inode].cached.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let state = self.state.borrow();
        state.check_working(Operation::Read, &self.name)?;
        let cached = &state.inodes[self.inode].cached;
        let rest = cached.get(offset as usize..).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }
}

impl DiskFile for SimFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let state = &mut *self.state.borrow_mut();
        let outcome = state.begin(Operation::Write, &self.name);
        let length = state.inodes[self.inode].cached.len();
        let growth = (offset as usize + bytes.len()).saturating_sub(length);
        let lacking = growth.saturating_sub(state.faults.room.unwrap_or(usize::MAX));
        let fits = bytes.len() - lacking;
        let written = match outcome {
            Ok(()) => fits,
            Err(Fault::Fails) => fits / 2,
            Err(Fault::ProgramDies) => state.rng.usize(..=fits),
            Err(Fault::ProgramWasDead) => 0,
        };
        state.inodes[self.inode].write(offset as usize, &bytes[..written]);
        if let Some(room) = &mut state.faults.room {
            *room -= state.inodes[self.inode].cached.len() - length;
        }
        if matches!(outcome, Err(Fault::ProgramDies)) && (1..bytes.len()).contains(&written) {
            state.statistics.add("torn writes");
        }
        outcome?;
        if written < bytes.len() {
            state.statistics.add("appends to a full disk");
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        state.change(Operation::Truncate, &self.name, |state| {
            state.inodes[self.inode].truncate(bytes as usize);
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        let state = &mut *self.state.borrow_mut();
        let result = state.change(Operation::Sync, &self.name, |state| {
            state.inodes[self.inode].sync();
        });
        if result.is_err() && !state.has_crashed {
            state.inodes[self.inode].give_up_pages();
        }
        result
    }
}

#[cfg(test)]
mod tests;
