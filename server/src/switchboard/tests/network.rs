//! The switchboard behind the production reactor, over a network in memory that tells each edge once,
//! as epoll does. A line that nobody wakes stays silent here.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;

use lottery_core::protocol::reply::ReplyScanner;
use lottery_core::store::Store;

use super::*;
use crate::central::Rules;
use crate::reactor::{Budget, Reactor, Readiness, Sockets};
use crate::testing::{MemoryDisk, MemoryFile};

const FRAME_BYTES_MAX: usize = 64 * 1024;

/// Bytes that the reactor reads at once, and reads in a turn: as the event loop has it.
pub const READ_BYTES: usize = 64 * 1024;
pub const READS_PER_TURN: usize = 4;

/// Turns after which a reactor that still has something to do is taken to spin.
const TURNS_MAX: usize = 100_000;

/// A switchboard, its disk, and peers that connect by being mentioned.
pub struct Network {
    reactor: Reactor<Switchboard<MemoryFile>>,
    pub disk: MemoryDisk,
    peers: Peers,
    pub elapsed: Duration,
}

/// The peers and their connections, both ends.
#[derive(Default)]
struct Peers(BTreeMap<ConnectionId, Peer>);

pub struct Peer {
    /// What the peer sent and the reactor has not read.
    pub unread: Vec<u8>,
    has_ended: bool,
    /// What the reactor sent.
    received: Vec<u8>,
    /// Bytes that the peer still takes.
    pub room: usize,
    pub is_closed: bool,
    /// Whether it was told that no more will come.
    is_shut: bool,
}

impl Peers {
    fn open(&mut self, id: ConnectionId) -> io::Result<&mut Peer> {
        let peer = self.0.get_mut(&id).filter(|peer| !peer.is_closed);
        peer.ok_or_else(|| ErrorKind::NotConnected.into())
    }
}

impl Sockets for Peers {
    fn read(&mut self, id: ConnectionId, buffer: &mut [u8]) -> io::Result<usize> {
        let peer = self.open(id)?;
        if peer.unread.is_empty() && !peer.has_ended {
            return Err(ErrorKind::WouldBlock.into());
        }
        let bytes = peer.unread.len().min(buffer.len());
        buffer[..bytes].copy_from_slice(&peer.unread[..bytes]);
        peer.unread.drain(..bytes);
        Ok(bytes)
    }

    fn write(&mut self, id: ConnectionId, bytes: &[u8]) -> io::Result<usize> {
        let peer = self.open(id)?;
        assert!(!peer.is_shut, "something to send after the last answer");
        if peer.room == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let taken = bytes.len().min(peer.room);
        peer.received.extend_from_slice(&bytes[..taken]);
        peer.room -= taken;
        Ok(taken)
    }

    fn shut_down_writing(&mut self, id: ConnectionId) -> io::Result<()> {
        self.open(id)?.is_shut = true;
        Ok(())
    }

    fn close(&mut self, id: ConnectionId) {
        if let Ok(peer) = self.open(id) {
            peer.is_closed = true;
        }
    }
}

impl Network {
    pub fn of(agencies: u32) -> Network {
        Network::with(rules(agencies))
    }

    pub fn with(rules: Rules) -> Network {
        let disk = MemoryDisk::default();
        let (store, _) = Store::open(&disk).unwrap();
        let board = Switchboard::new(Central::new(rules, store), FRAME_BYTES_MAX);
        let budget = Budget {
            read_bytes: READ_BYTES,
            reads_per_turn: READS_PER_TURN,
            idle_timeout: None,
        };
        Network {
            reactor: Reactor::new(board, budget),
            disk,
            peers: Peers::default(),
            elapsed: Duration::ZERO,
        }
    }

    pub fn board(&self) -> &Switchboard<MemoryFile> {
        self.reactor.service()
    }

    pub fn board_mut(&mut self) -> &mut Switchboard<MemoryFile> {
        self.reactor.service_mut()
    }

    pub fn now(&self) -> Moment {
        Moment {
            elapsed: self.elapsed,
            today: TODAY,
        }
    }

    pub fn peer(&mut self, id: ConnectionId) -> &mut Peer {
        self.peers.0.entry(id).or_insert_with(|| {
            let ip = Ipv4Addr::LOCALHOST.into();
            self.reactor.connected(id, ip, self.elapsed);
            Peer {
                unread: Vec::new(),
                has_ended: false,
                received: Vec::new(),
                room: usize::MAX,
                is_closed: false,
                is_shut: false,
            }
        })
    }

    fn tell(&mut self, id: ConnectionId, readiness: Readiness) {
        self.reactor
            .note(id, readiness, &mut self.peers, self.elapsed);
    }

    /// The peer sends, and the reactor is told of it.
    pub fn sends(&mut self, id: ConnectionId, bytes: impl AsRef<[u8]>) {
        self.peer(id).unread.extend_from_slice(bytes.as_ref());
        let readable = Readiness {
            readable: true,
            ..Readiness::default()
        };
        self.tell(id, readable);
    }

    /// The peer sends, and the reactor turns until it would sleep.
    pub fn hears(&mut self, id: ConnectionId, bytes: impl AsRef<[u8]>) {
        self.sends(id, bytes);
        self.run();
    }

    /// The peer sends no more, and still reads.
    pub fn ends(&mut self, id: ConnectionId) {
        self.peer(id).has_ended = true;
        let ended = Readiness {
            readable: true,
            ended: true,
            ..Readiness::default()
        };
        self.tell(id, ended);
    }

    /// The peer takes `bytes` more of what it was sent, and the reactor is told.
    pub fn takes(&mut self, id: ConnectionId, bytes: usize) {
        let peer = self.peer(id);
        peer.room = peer.room.saturating_add(bytes);
        let writable = Readiness {
            writable: true,
            ..Readiness::default()
        };
        self.tell(id, writable);
    }

    /// Nobody is left at the other end.
    pub fn disconnects(&mut self, id: ConnectionId) {
        self.peer(id);
        let dead = Readiness {
            readable: true,
            ended: true,
            dead: true,
            ..Readiness::default()
        };
        self.tell(id, dead);
    }

    /// Turns until the reactor would sleep.
    pub fn run(&mut self) {
        for _ in 0..TURNS_MAX {
            self.turn();
            let deadline = self.reactor.next_deadline();
            if deadline.is_none_or(|deadline| deadline > self.elapsed) {
                return;
            }
        }
        panic!("the reactor spins");
    }

    pub fn turn(&mut self) {
        self.try_turn().unwrap();
    }

    pub fn try_turn(&mut self) -> Result<(), TurnError> {
        let now = self.now();
        self.reactor.turn(&mut self.peers, now)
    }

    /// The end of a run.
    pub fn shuts_down(&mut self) {
        let now = self.now();
        self.reactor.shut_down(now).unwrap();
        self.reactor.flush(&mut self.peers, self.elapsed);
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

    /// Whether the reactor has closed the connection, at once or after the last answer.
    pub fn is_over(&mut self, id: ConnectionId) -> bool {
        let peer = self.peer(id);
        peer.is_closed || peer.is_shut
    }

    pub fn kept_bytes(&self, id: ConnectionId) -> usize {
        self.board().lines[&id].assembler.kept_bytes()
    }

    pub fn outgoing_bytes(&mut self, id: ConnectionId) -> usize {
        self.board_mut().outgoing(id).unwrap().buffer().len()
    }
}
