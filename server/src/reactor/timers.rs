//! When to look at which connection again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::ById;
use crate::connection::ConnectionId;

/// Stale timers kept before a clean-up.
const CLOSED_MAX: usize = 4096;

/// Times at which a connection is to be looked at. A timer is never cancelled: when it fires
/// early, it is set again.
#[derive(Debug, Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(Duration, ConnectionId)>>,
}

impl Timers {
    /// Has `id` come out at `deadline`.
    pub fn set(&mut self, deadline: Duration, id: ConnectionId) {
        self.heap.push(Reverse((deadline, id)));
    }

    /// Forgets the times of connections that are not in `open`, when those have become many: short
    /// connections must not fill the memory until their times have come.
    pub fn forget_closed<T>(&mut self, open: &ById<T>) {
        if self.heap.len() > 2 * open.len() + CLOSED_MAX {
            self.heap.retain(|Reverse((_, id))| open.contains_key(id));
        }
    }

    /// The earliest time set.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse((deadline, _))| *deadline)
    }

    /// Takes out a connection whose time has come.
    pub fn take_expired(&mut self, elapsed: Duration) -> Option<ConnectionId> {
        if self.next_deadline()? > elapsed {
            return None;
        }
        self.heap.pop().map(|Reverse((_, id))| id)
    }
}
