//! A connection of the network in memory, and what happens to it by chance.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use fastrand::Rng;
use lottery_core::testing::Statistics;

use crate::connection::{ConnectionId, Readiness};

/// On a random network, the most that the system takes of the server's answers before it has no room:
/// some of them, and parts of others.
const ROOM_MAX: usize = 40;

/// What an end of a connection can still expect of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// Bytes may come.
    Open,
    /// No more bytes will come.
    Ended,
    /// The connection is broken, and this end is told so.
    Reset,
    /// The connection is dead, and nobody tells this end.
    Silent,
}

/// What happens by chance, if anything does.
#[derive(Default)]
pub(super) struct Chance {
    pub rng: Option<Rng>,
    pub statistics: Statistics,
}

/// A connection, both ends.
pub(super) struct Link {
    pub chance: Rc<RefCell<Chance>>,
    /// The number by which the server's system announces it, once it was accepted.
    pub id: Option<ConnectionId>,
    pub to_server: VecDeque<u8>,
    pub to_peer: VecDeque<u8>,
    pub server_sees: Outlook,
    pub peer_sees: Outlook,
    pub server_end: ServerEnd,
    /// Bytes that have arrived: so many of those that are on their way may be read.
    pub arrived: usize,
    /// Whether the end, or the break, of the connection has arrived.
    pub has_end_arrived: bool,
    /// Bytes that the system still takes.
    pub room: usize,
    /// Whether the server is to be told when there is room again.
    pub is_full: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServerEnd {
    Open,
    /// It has said that it sends no more.
    ShutDown,
    /// It was closed, or its program is dead.
    Gone,
}

impl Link {
    pub fn edge(&mut self) -> Readiness {
        let mut edge = Readiness::default();
        if self.server_end == ServerEnd::Gone || self.server_sees == Outlook::Silent {
            return edge;
        }
        let chance = &mut *self.chance.borrow_mut();
        let on_the_way = self.to_server.len() - self.arrived;
        if on_the_way > 0 {
            self.arrived += chance.piece(on_the_way);
            edge.readable = true;
        }
        if self.is_full {
            self.room = chance.room().unwrap_or(self.room);
            edge.writable = self.room > 0;
            self.is_full = self.room == 0;
        }
        let is_at_end = self.server_sees != Outlook::Open && self.arrived == self.to_server.len();
        if is_at_end && !self.has_end_arrived {
            self.has_end_arrived = true;
            edge.readable = true;
            edge.ended = true;
            edge.dead =
                self.server_sees == Outlook::Reset || self.server_end == ServerEnd::ShutDown;
        }
        edge
    }

    /// Whether the server has closed its end, and nothing it sent is on its way.
    pub fn is_over(&self) -> bool {
        self.server_end == ServerEnd::Gone && self.to_peer.is_empty()
    }

    pub fn count_silence(&self) {
        if self.server_sees == Outlook::Silent || self.peer_sees == Outlook::Silent {
            self.chance.borrow().statistics.add("half-open connections");
        }
    }

    /// The server's end is gone, with what it had not read, and perhaps the last of what it had sent.
    pub fn lose_server(&mut self) {
        self.server_end = ServerEnd::Gone;
        self.to_server.clear();
        self.arrived = 0;
        self.chance.borrow_mut().lose_tail(&mut self.to_peer, 0);
    }

    /// The server closes its end. What it sent before still arrives, unless bytes of the peer were left
    /// unread, in which case it may not.
    pub fn close(&mut self) {
        let is_gentle = self.to_server.is_empty();
        match is_gentle {
            true => self.server_end = ServerEnd::Gone,
            false => self.lose_server(),
        }
        self.peer_sees = match self.peer_sees {
            Outlook::Open if is_gentle => Outlook::Ended,
            Outlook::Open | Outlook::Ended if !is_gentle => Outlook::Reset,
            unchanged => unchanged,
        };
    }
}

impl Chance {
    /// How much of `available` bytes comes at once: mostly a few, so that messages are split, and
    /// sometimes all that there are.
    pub fn piece(&mut self, available: usize) -> usize {
        let Some(rng) = &mut self.rng else {
            return available;
        };
        let most = match rng.bool() {
            true => available,
            false => available.min(9),
        };
        let taken = rng.usize(1..=most);
        if taken < available {
            self.statistics.add("messages split on the way");
        }
        taken
    }

    /// How many bytes the system takes, if chance decides it.
    pub fn room(&mut self) -> Option<usize> {
        self.rng.as_mut().map(|rng| rng.usize(1..=ROOM_MAX))
    }

    /// Whether what is on its way stays there for now.
    pub fn is_late(&mut self) -> bool {
        self.rng.as_mut().is_some_and(|rng| rng.u8(..4) == 0)
    }

    /// May lose some of the last bytes on their way, but none of the first `safe`.
    pub fn lose_tail(&mut self, queue: &mut VecDeque<u8>, safe: usize) {
        if let Some(rng) = &mut self.rng {
            let kept = rng.usize(safe..=queue.len());
            if kept < queue.len() {
                self.statistics.add("bytes lost in a cut");
            }
            queue.truncate(kept);
        }
    }

    /// How an end learns that the connection broke.
    pub fn break_seen(&mut self) -> Outlook {
        match self.rng.as_mut().is_some_and(Rng::bool) {
            true => Outlook::Silent,
            false => Outlook::Reset,
        }
    }
}
