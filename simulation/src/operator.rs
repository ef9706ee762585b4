//! Somebody who has access to the central's files: touches them while it runs, and puts them back, as
//! the central asks, before it is started again.

use fastrand::Rng;
use lottery_core::store::{BETS_FILE, CLOSINGS_FILE};
use lottery_core::testing::{SimDisk, Statistics};

/// The operator, and what the files are but for what was done to them.
pub struct Operator {
    disk: SimDisk,
    statistics: Statistics,
    /// The file that was touched, as it was.
    kept: Option<(&'static str, Vec<u8>)>,
}

impl Operator {
    pub fn new(disk: SimDisk, statistics: Statistics) -> Operator {
        Operator {
            disk,
            statistics,
            kept: None,
        }
    }

    /// Removes a file, puts another in its place, or cuts it; at most one until that is made good.
    pub fn touch(&mut self, rng: &mut Rng) {
        let name = [BETS_FILE, CLOSINGS_FILE][rng.usize(..2)];
        if self.kept.is_some() || !self.disk.has(name) {
            return;
        }
        let content = self.disk.cached(name);
        match rng.u8(..3) {
            0 if !content.is_empty() => {
                self.disk.cut(name, rng.usize(..content.len()));
                self.statistics.add("files cut under the central");
            }
            1 => self.disk.put(name, &content),
            _ => {
                self.disk.remove(name);
                self.statistics.add("files removed under the central");
            }
        }
        self.kept = Some((name, content));
    }

    pub fn has_touched(&self) -> bool {
        self.kept.is_some()
    }

    pub fn make_good(&mut self) {
        if let Some((name, content)) = self.kept.take() {
            self.disk.put(name, &content);
        }
    }

    /// What everybody would read in the file.
    pub fn cached(&self, name: &str) -> Vec<u8> {
        self.unless_touched(name, SimDisk::cached)
    }

    /// What is on the medium for certain, or was put aside.
    pub fn synced(&self, name: &str) -> Vec<u8> {
        self.unless_touched(name, SimDisk::synced)
    }

    fn unless_touched(&self, name: &str, look: impl Fn(&SimDisk, &str) -> Vec<u8>) -> Vec<u8> {
        match &self.kept {
            Some((kept, content)) if *kept == name => content.clone(),
            _ => look(&self.disk, name),
        }
    }

    /// A number that is another one whenever the contents may be.
    pub fn generation(&self) -> u64 {
        self.disk.generation()
    }
}
