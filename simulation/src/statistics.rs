//! What a run of worlds has met.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Counts by name, shared by everything in a world.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    counts: Rc<RefCell<BTreeMap<&'static str, u64>>>,
}

/// Counts by name, of any number of worlds.
pub type Counts = BTreeMap<&'static str, u64>;

/// Everything that a world may meet. A run that is to be believed has met all of it.
pub const EXPECTED: &[&str] = &[
    "agencies without Hello",
    "agency crashes",
    "appends to a full disk",
    "batches acknowledged",
    "batches refused for want of storage",
    "bytes lost in a cut",
    "central crashes by power cut",
    "central crashes within a commit",
    "central crashes",
    "central stops in doubt",
    "cut connections",
    "draw timeouts",
    "draws",
    "failed cuts",
    "failed opens",
    "failed syncs",
    "frames split on the way",
    "half-open connections",
    "restarts after the draw",
    "resumes",
    "strangers",
    "takeovers",
    "timeouts of agencies",
    "torn records",
    "torn writes",
    "twins",
    "unsynced bytes lost",
    "winners asked for again",
    "winners told",
    "zeros left by a power cut",
];

impl Statistics {
    /// Counts one.
    pub fn add(&self, name: &'static str) {
        debug_assert!(EXPECTED.contains(&name), "{name} is not listed");
        *self.counts.borrow_mut().entry(name).or_default() += 1;
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        self.counts.borrow().clone()
    }
}

/// Adds `more` to `counts`.
pub fn merge(counts: &mut Counts, more: &Counts) {
    for (name, count) in more {
        *counts.entry(name).or_default() += count;
    }
}
