//! A file of the simulated disk: what of it is in the cache, and what on the medium.

use std::collections::BTreeSet;

use fastrand::Rng;

use super::Statistics;

/// Bytes that reach the medium together or not at all.
pub const SECTOR_BYTES: usize = 512;

/// The most room that the system makes ahead of what it writes.
const ROOM_AHEAD_BYTES_MAX: usize = 600;

/// A file, whatever its name.
#[derive(Default)]
pub(super) struct Inode {
    /// What everybody reads.
    pub cached: Vec<u8>,
    /// What is on the medium for certain.
    pub medium: Vec<u8>,
    /// Sectors that the next sync writes.
    dirty: BTreeSet<usize>,
    /// What the cache held before each cut since the last sync: what may be on the medium instead.
    versions: Vec<Vec<u8>>,
    pub syncs: usize,
}

impl Inode {
    pub fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        self.cached.resize(self.cached.len().max(end), 0);
        self.cached[offset..end].copy_from_slice(bytes);
        self.dirty
            .extend(offset / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES));
    }

    pub fn truncate(&mut self, bytes: usize) {
        self.versions.push(self.cached.clone());
        self.cached.truncate(bytes);
    }

    pub fn sync(&mut self) {
        self.medium.resize(self.cached.len(), 0);
        for sector in &self.dirty {
            copy_sector(*sector, &self.cached, &mut self.medium);
        }
        self.syncs += 1;
        self.give_up_pages();
    }

    /// Takes the sectors written so far for clean.
    pub fn give_up_pages(&mut self) {
        self.dirty.clear();
        self.versions.clear();
    }

    pub fn lose_power(&mut self, rng: &mut Rng, statistics: &Statistics) {
        self.versions.push(std::mem::take(&mut self.cached));
        let last = &self.versions[rng.usize(..self.versions.len())];
        let (short, long) = (self.medium.len(), last.len());
        let length = match short <= long {
            true if rng.bool() => long,
            true => rng.usize(short..=long),
            // A cut may not have reached the medium.
            false => [short, long][rng.usize(..2)],
        };
        let mut found = self.medium.clone();
        found.resize(length, 0);
        // Chance in eight that a sector is lost.
        let missing = [0, 0, 2, 8][rng.usize(..4)];
        let mut lost = None;
        for sector in &self.dirty {
            if rng.usize(..8) < missing {
                lost.get_or_insert(*sector);
            } else {
                copy_sector(*sector, last, &mut found);
                if lost.is_some() && sector * SECTOR_BYTES < length {
                    statistics.add("sectors lost within an append");
                }
            }
        }
        if found != *last {
            statistics.add("unsynced bytes lost");
        }
        if short < long && length == long && rng.usize(..4) == 0 {
            found.resize(length + rng.usize(1..ROOM_AHEAD_BYTES_MAX), 0);
        }
        let written = found.iter().rposition(|byte| *byte != 0);
        match written {
            Some(at) if found[at] != b'\n' => statistics.add("torn records"),
            _ => {}
        }
        if written.map_or(0, |at| at + 1) < found.len() {
            statistics.add("zeros left by a power cut");
        }
        self.cached.clone_from(&found);
        self.medium = found;
        self.give_up_pages();
    }
}

fn copy_sector(sector: usize, from: &[u8], to: &mut [u8]) {
    let start = sector * SECTOR_BYTES;
    let end = (start + SECTOR_BYTES).min(from.len()).min(to.len());
    if start < end {
        to[start..end].copy_from_slice(&from[start..end]);
    }
}
