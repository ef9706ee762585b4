//! A network in memory that gives each edge once, as epoll does, and a loop that reads and sends as
//! the event loop does. A line that nobody wakes stays silent here.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use lottery_core::protocol::reply::ReplyScanner;
use lottery_core::store::Store;

use super::*;
use crate::central::Rules;
use crate::testing::{MemoryDisk, MemoryFile};

const FRAME_BYTES_MAX: usize = 64 * 1024;

/// Bytes that the loop reads at once, and reads in a turn: those of the event loop.
pub const READ_BYTES: usize = 64 * 1024;
pub const READS_PER_TURN: usize = 4;

/// Turns after which a loop that still has something to do is taken to spin.
const TURNS_MAX: usize = 100_000;

/// A switchboard, its disk, and peers that connect by being mentioned.
pub struct Network {
    pub board: Switchboard<MemoryFile>,
    pub disk: MemoryDisk,
    peers: BTreeMap<ConnectionId, Peer>,
    pub elapsed: Duration,
}

/// A peer and its connection, both ends.
pub struct Peer {
    /// What the peer sent and the loop has not read.
    pub unread: Vec<u8>,
    has_ended: bool,
    is_readable: bool,
    is_queued: bool,
    /// What the loop sent.
    received: Vec<u8>,
    /// Bytes that the peer still takes.
    pub room: usize,
    pub is_closed: bool,
    /// Whether the loop has said that it will send no more.
    is_shut: bool,
}

impl Network {
    pub fn of(agencies: u32) -> Network {
        Network::with(rules(agencies))
    }

    pub fn with(rules: Rules) -> Network {
        let disk = MemoryDisk::default();
        let (store, _) = Store::open(&disk).unwrap();
        Network {
            board: Switchboard::new(Central::new(rules, store), FRAME_BYTES_MAX),
            disk,
            peers: BTreeMap::new(),
            elapsed: Duration::ZERO,
        }
    }

    pub fn now(&self) -> Moment {
        Moment {
            elapsed: self.elapsed,
            today: TODAY,
        }
    }

    pub fn peer(&mut self, id: ConnectionId) -> &mut Peer {
        self.peers.entry(id).or_insert_with(|| {
            self.board.connected(id, Ipv4Addr::LOCALHOST.into());
            Peer {
                unread: Vec::new(),
                has_ended: false,
                is_readable: false,
                is_queued: false,
                received: Vec::new(),
                room: usize::MAX,
                is_closed: false,
                is_shut: false,
            }
        })
    }

    /// The peer sends, and the loop is told of it.
    pub fn sends(&mut self, id: ConnectionId, bytes: impl AsRef<[u8]>) {
        let peer = self.peer(id);
        peer.unread.extend_from_slice(bytes.as_ref());
        peer.is_readable = true;
        peer.is_queued = true;
    }

    /// The peer sends, and the loop turns until it would sleep.
    pub fn hears(&mut self, id: ConnectionId, bytes: impl AsRef<[u8]>) {
        self.sends(id, bytes);
        self.run();
    }

    /// The peer sends no more, and still reads.
    pub fn ends(&mut self, id: ConnectionId) {
        self.sends(id, []);
        self.peer(id).has_ended = true;
    }

    /// The peer takes `bytes` more of what it was sent, and the loop is told if it waits for that.
    pub fn takes(&mut self, id: ConnectionId, bytes: usize) {
        let peer = self.peer(id);
        peer.room = peer.room.saturating_add(bytes);
        self.send(id);
    }

    pub fn disconnects(&mut self, id: ConnectionId) {
        if !std::mem::replace(&mut self.peer(id).is_closed, true) {
            self.board.disconnected(id);
        }
    }

    /// Turns until the loop would sleep.
    pub fn run(&mut self) {
        for _ in 0..TURNS_MAX {
            self.turn();
            let is_due = self
                .board
                .next_deadline()
                .is_some_and(|deadline| deadline <= self.elapsed);
            if !is_due && !self.peers.values().any(|peer| peer.is_queued) {
                return;
            }
        }
        panic!("the loop spins");
    }

    pub fn turn(&mut self) {
        self.read();
        let now = self.now();
        self.board.end_turn(now).unwrap();
        self.attend_touched();
    }

    pub fn read(&mut self) {
        let ids: Vec<_> = self.peers.keys().copied().collect();
        for id in ids {
            if self.board.is_turn_full() {
                return;
            }
            if std::mem::take(&mut self.peer(id).is_queued) {
                self.read_peer(id);
            }
        }
    }

    fn read_peer(&mut self, id: ConnectionId) {
        let now = self.now();
        for _ in 0..READS_PER_TURN {
            if self.peer(id).is_closed || self.peer(id).is_shut || !self.board.wants_input(id) {
                return;
            }
            let peer = self.peer(id);
            let bytes = peer.unread.len().min(READ_BYTES);
            let read: Vec<u8> = peer.unread.drain(..bytes).collect();
            if !read.is_empty() {
                self.board.receive(id, &read, now);
            } else {
                peer.is_readable = false;
                if peer.has_ended {
                    self.board.end_of_stream(id);
                }
                return;
            }
        }
        self.peer(id).is_queued = true;
    }

    pub fn attend_touched(&mut self) {
        for id in self.board.take_touched() {
            self.send(id);
            if self.peer(id).is_readable && self.board.wants_input(id) {
                self.peer(id).is_queued = true;
            }
        }
    }

    fn send(&mut self, id: ConnectionId) {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| !peer.is_closed) else {
            return;
        };
        let outgoing = self.board.outgoing(id).unwrap();
        if outgoing.ending() == Ending::Now {
            return self.disconnects(id);
        }
        let sent = outgoing.unsent().len().min(peer.room);
        assert!(
            sent == 0 || !peer.is_shut,
            "something to send after the last answer"
        );
        peer.received.extend_from_slice(&outgoing.unsent()[..sent]);
        peer.room -= sent;
        outgoing.advance(sent);
        if outgoing.unsent().is_empty() && outgoing.ending() == Ending::AfterFlush {
            peer.is_shut = true;
        }
    }

    /// What the peer was told so far.
    pub fn told(&mut self, id: ConnectionId) -> Vec<Reply> {
        let mut assembler = FrameAssembler::new(ReplyScanner::new(u64::MAX));
        let mut replies = Vec::new();
        let mut input = &self.peer(id).received[..];
        while let Some(frame) = assembler.next_frame(&mut input).unwrap() {
            replies.push(Reply::parse(frame).unwrap());
        }
        assert_eq!(assembler.kept_bytes(), 0);
        replies
    }

    /// What the peer was told since it was last looked at.
    pub fn told_anew(&mut self, id: ConnectionId) -> Vec<Reply> {
        let replies = self.told(id);
        self.peer(id).received.clear();
        replies
    }

    /// Whether the loop has closed the connection, at once or after the last answer.
    pub fn is_over(&mut self, id: ConnectionId) -> bool {
        let peer = self.peer(id);
        peer.is_closed || peer.is_shut
    }

    pub fn kept_bytes(&self, id: ConnectionId) -> usize {
        self.board.lines[&id].assembler.kept_bytes()
    }

    pub fn outgoing_bytes(&mut self, id: ConnectionId) -> usize {
        self.board.outgoing(id).unwrap().buffer().len()
    }
}
