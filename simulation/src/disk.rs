//! A disk in memory that fills, fails, tears, and forgets what was not synced when the power goes.
//!
//! The model: writes go to the system's cache at once and are what every reader sees, a crash of the
//! program included. A sync makes the cache's contents last. When the power is cut, a file becomes
//! one of the states that it was in since its last sync, cut at some byte behind what was synced;
//! sometimes zeros follow, where the system had made room and not written yet.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use fastrand::Rng;
use lottery_core::store::{Disk, DiskFile};

use crate::statistics::Statistics;

/// The disk, shared by the files open on it. It outlives every crash.
#[derive(Clone)]
pub struct SimDisk {
    state: Rc<RefCell<State>>,
}

/// An open file. Those of a crashed central are dropped with it.
pub struct SimFile {
    name: String,
    state: Rc<RefCell<State>>,
}

struct State {
    rng: Rng,
    files: BTreeMap<String, File>,
    faults: Faults,
    /// Set when the program died within an operation; every later one of that program fails.
    crashed: bool,
    /// Counts the changes.
    generation: u64,
    statistics: Statistics,
}

#[derive(Default)]
struct File {
    /// What everybody reads.
    cached: Vec<u8>,
    /// What is on the medium for certain.
    synced: Vec<u8>,
    /// What the cache held at some time since the last sync: what may be on the medium instead.
    versions: Vec<Vec<u8>>,
}

/// What is to go wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The program dies within the operation after this many more.
    pub crash_after: Option<u32>,
    /// Bytes that writes still take before the disk is full.
    pub room: Option<usize>,
    /// The next sync fails.
    pub failing_sync: bool,
    /// The next cut fails.
    pub failing_truncate: bool,
    /// The next open fails.
    pub failing_open: bool,
}

impl SimDisk {
    /// An empty disk whose accidents come from `rng`.
    pub fn new(rng: Rng, statistics: Statistics) -> SimDisk {
        let state = State {
            rng,
            files: BTreeMap::new(),
            faults: Faults::default(),
            crashed: false,
            generation: 0,
            statistics,
        };
        SimDisk {
            state: Rc::new(RefCell::new(state)),
        }
    }

    /// Changes what is to go wrong.
    pub fn set_faults(&self, faults: Faults) {
        self.state.borrow_mut().faults = faults;
    }

    /// What is to go wrong.
    pub fn faults(&self) -> Faults {
        self.state.borrow().faults
    }

    /// Whether the program died within an operation.
    pub fn has_crashed(&self) -> bool {
        self.state.borrow().crashed
    }

    /// The program is dead; another may open the files. With `power_cut` the machine was dead too.
    pub fn restart(&self, power_cut: bool) {
        let mut state = self.state.borrow_mut();
        let State {
            rng,
            files,
            faults,
            crashed,
            generation,
            statistics,
        } = &mut *state;
        *crashed = false;
        *generation += 1;
        faults.crash_after = None;
        if power_cut {
            for file in files.values_mut() {
                file.lose_power(rng, statistics);
            }
        }
    }

    /// A number that is another one whenever the contents may be.
    pub fn generation(&self) -> u64 {
        self.state.borrow().generation
    }

    /// What everybody reads in the file.
    pub fn cached(&self, name: &str) -> Vec<u8> {
        self.file(name, |file| file.cached.clone())
    }

    /// What is on the medium for certain.
    pub fn synced(&self, name: &str) -> Vec<u8> {
        self.file(name, |file| file.synced.clone())
    }

    fn file<T: Default>(&self, name: &str, look: impl FnOnce(&File) -> T) -> T {
        self.state
            .borrow()
            .files
            .get(name)
            .map(look)
            .unwrap_or_default()
    }
}

impl File {
    fn lose_power(&mut self, rng: &mut Rng, statistics: &Statistics) {
        self.versions.push(self.cached.clone());
        let version = &self.versions[rng.usize(..self.versions.len())];
        let certain = common_prefix(version, &self.synced);
        let mut kept = certain + rng.usize(..=version.len() - certain);
        if version.len() < self.synced.len() && rng.bool() {
            // The cut itself did not reach the medium.
            kept = certain;
            self.cached.clone_from(&self.synced);
        } else {
            self.cached = version[..kept].to_vec();
            if kept < version.len() {
                statistics.add("unsynced bytes lost");
                if rng.u8(..) < 64 {
                    self.cached.resize(kept + rng.usize(1..600), 0);
                    statistics.add("zeros left by a power cut");
                }
            }
        }
        if self.cached[..kept]
            .last()
            .is_some_and(|byte| *byte != b'\n')
        {
            statistics.add("torn records");
        }
        self.synced.clone_from(&self.cached);
        self.versions.clear();
    }
}

fn common_prefix(one: &[u8], other: &[u8]) -> usize {
    one.iter()
        .zip(other)
        .take_while(|(one, other)| one == other)
        .count()
}

impl State {
    /// Counts an operation; an error when the program is dead, or dies in this one.
    fn begin(&mut self) -> Result<(), Death> {
        self.generation += 1;
        if self.crashed {
            return Err(Death::Before);
        }
        match &mut self.faults.crash_after {
            Some(0) => {
                self.crashed = true;
                Err(Death::Within)
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn file(&mut self, name: &str) -> &mut File {
        self.files.entry(name.to_owned()).or_default()
    }
}

/// When the program died.
enum Death {
    Before,
    Within,
}

impl From<Death> for io::Error {
    fn from(_: Death) -> io::Error {
        io::Error::other("the program is dead")
    }
}

fn fault(what: &str) -> io::Error {
    io::Error::other(format!("simulated: {what}"))
}

impl Disk for SimDisk {
    type File = SimFile;

    fn open(&self, name: &str) -> io::Result<SimFile> {
        let mut state = self.state.borrow_mut();
        state.begin()?;
        if std::mem::take(&mut state.faults.failing_open) {
            state.statistics.add("failed opens");
            return Err(fault("the file cannot be opened"));
        }
        state.file(name);
        Ok(SimFile {
            name: name.to_owned(),
            state: self.state.clone(),
        })
    }
}

impl DiskFile for SimFile {
    fn bytes(&self) -> io::Result<u64> {
        let mut state = self.state.borrow_mut();
        Ok(state.file(&self.name).cached.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state.borrow_mut();
        let cached = &state.file(&self.name).cached;
        let rest = cached.get(offset as usize..).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        let death = state.begin();
        let full = state.faults.room.filter(|room| *room < bytes.len());
        let written = match (&death, full) {
            (Err(Death::Before), _) => 0,
            (Err(Death::Within), _) => state.rng.usize(..=bytes.len()),
            (Ok(()), Some(room)) => room,
            (Ok(()), None) => bytes.len(),
        };
        if let Some(room) = &mut state.faults.room {
            *room -= written.min(*room);
        }
        if written > 0 {
            let file = state.file(&self.name);
            let before = file.cached.clone();
            file.versions.push(before);
            let end = offset as usize + written;
            let length = file.cached.len().max(end);
            file.cached.resize(length, 0);
            file.cached[offset as usize..end].copy_from_slice(&bytes[..written]);
        }
        if matches!(death, Err(Death::Within)) && written > 0 && written < bytes.len() {
            state.statistics.add("torn writes");
        }
        death?;
        if full.is_some() {
            state.statistics.add("appends to a full disk");
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        state.begin()?;
        if std::mem::take(&mut state.faults.failing_truncate) {
            state.statistics.add("failed cuts");
            return Err(fault("the file cannot be cut"));
        }
        let file = state.file(&self.name);
        let before = file.cached.clone();
        file.versions.push(before);
        file.cached.truncate(bytes as usize);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        state.begin()?;
        if std::mem::take(&mut state.faults.failing_sync) {
            state.statistics.add("failed syncs");
            return Err(fault("the file cannot be synced"));
        }
        let file = state.file(&self.name);
        file.synced.clone_from(&file.cached);
        file.versions.clear();
        Ok(())
    }
}
