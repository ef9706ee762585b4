//! What a test or a run of worlds has met.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Counts by name, shared by everything in a world; a clone counts into the same.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    counts: Rc<RefCell<Counts>>,
}

/// Counts by name, of any number of worlds.
pub type Counts = BTreeMap<&'static str, u64>;

impl Statistics {
    /// Counts one.
    pub fn add(&self, name: &'static str) {
        self.add_times(name, 1);
    }

    /// Counts `times`.
    pub fn add_times(&self, name: &'static str, times: usize) {
        if times > 0 {
            *self.counts.borrow_mut().entry(name).or_default() += times as u64;
        }
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
