//! A network in memory: sockets for the reactor, and the peers at their other ends.
//!
//! The server is told of each change once, as epoll does, and never again. On a network made by
//! [`Network::default`] everything that was sent has arrived when it is asked for, and a peer takes as much as it
//! has room for: a unit test decides. On one made by [`Network::random`] it arrives later, in other
//! pieces, or not at all: a simulator decides.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::rc::Rc;
use std::sync::Arc;

use fastrand::Rng;
use lottery_core::testing::Statistics;
use rustls::ClientConfig;

use super::authority::TlsEnd;
use crate::connection::{ConnectionId, Readiness};
use crate::transport::Socket;

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

/// What reading gave a peer.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// Some bytes.
    Bytes(Vec<u8>),
    /// Nothing yet.
    Nothing,
    /// The server sends no more.
    Ended,
    /// The connection is broken.
    Broken,
}

/// All connections of a world. Unit tests can do without, by [`Peer::edge`].
#[derive(Default)]
pub struct Network {
    links: Vec<Rc<RefCell<Link>>>,
    chance: Rc<RefCell<Chance>>,
}

/// The server's end of a connection. Dropping it closes it.
pub struct SimSocket(Rc<RefCell<Link>>);

/// The other end; a clone is the same one.
#[derive(Clone)]
pub struct Peer {
    link: Rc<RefCell<Link>>,
    tls: Option<Rc<RefCell<TlsEnd>>>,
}

/// What happens by chance, if anything does.
#[derive(Default)]
struct Chance {
    rng: Option<Rng>,
    statistics: Statistics,
}

/// A connection, both ends.
struct Link {
    chance: Rc<RefCell<Chance>>,
    /// The number by which the server's system announces it, once it was accepted.
    id: Option<ConnectionId>,
    to_server: VecDeque<u8>,
    to_peer: VecDeque<u8>,
    server_sees: Outlook,
    peer_sees: Outlook,
    server_end: ServerEnd,
    /// Bytes that have arrived: so many of those that are on their way may be read.
    arrived: usize,
    /// Whether the end, or the break, of the connection has arrived.
    has_end_arrived: bool,
    /// Bytes that the system still takes.
    room: usize,
    /// Whether the server is to be told when there is room again.
    is_full: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServerEnd {
    Open,
    /// It has said that it sends no more.
    ShutDown,
    /// It was closed, or its program is dead.
    Gone,
}

impl Network {
    /// A network whose accidents come from `rng`.
    pub fn random(rng: Rng, statistics: Statistics) -> Network {
        let chance = Chance {
            rng: Some(rng),
            statistics,
        };
        Network {
            links: Vec::new(),
            chance: Rc::new(RefCell::new(chance)),
        }
    }

    /// Makes a connection. The server's end waits to be accepted.
    pub fn connect(&mut self) -> (Peer, SimSocket) {
        let room = self.chance.borrow_mut().room();
        let link = Rc::new(RefCell::new(Link {
            chance: self.chance.clone(),
            id: None,
            to_server: VecDeque::new(),
            to_peer: VecDeque::new(),
            server_sees: Outlook::Open,
            peer_sees: Outlook::Open,
            server_end: ServerEnd::Open,
            arrived: 0,
            has_end_arrived: false,
            room: room.unwrap_or(usize::MAX),
            is_full: false,
        }));
        self.links.push(link.clone());
        let peer = Peer {
            link: link.clone(),
            tls: None,
        };
        (peer, SimSocket(link))
    }

    /// Lets some of what is on its way to the server arrive, and makes room for more of its answers.
    /// Gives the edges of that, of the connections that were [accepted](SimSocket::accept).
    pub fn edges(&mut self) -> Vec<(ConnectionId, Readiness)> {
        let mut edges = Vec::new();
        self.links.retain(|link| !link.borrow().is_over());
        for link in &self.links {
            let link = &mut *link.borrow_mut();
            let Some(id) = link.id else { continue };
            if self.chance.borrow_mut().is_late() {
                continue;
            }
            let edge = link.edge();
            if edge != Readiness::default() {
                edges.push((id, edge));
            }
        }
        if let Some(rng) = &mut self.chance.borrow_mut().rng {
            rng.shuffle(&mut edges);
        }
        edges
    }

    /// The server's program is gone, and its sockets are to be dropped. Each peer learns of it, or, after
    /// a power cut, does not. With `loses_answers` nothing more arrives of what the server had sent.
    pub fn server_crashes(&mut self, power_cut: bool, loses_answers: bool) {
        for link in &self.links {
            let link = &mut *link.borrow_mut();
            if loses_answers {
                link.to_peer.clear();
            }
            if link.server_end == ServerEnd::Gone {
                continue;
            }
            link.server_end = ServerEnd::Gone;
            link.to_server.clear();
            link.arrived = 0;
            link.chance.borrow_mut().lose_tail(&mut link.to_peer, 0);
            if link.peer_sees == Outlook::Open {
                link.peer_sees = match power_cut {
                    true => Outlook::Silent,
                    false => Outlook::Reset,
                };
            }
        }
    }
}

impl SimSocket {
    /// From here on [`Network::edges`] announces the connection by this number.
    pub fn accept(&self, id: ConnectionId) {
        self.0.borrow_mut().id = Some(id);
    }
}

impl Peer {
    /// From here on speaks TLS, and begins the handshake.
    pub fn secure(&mut self, config: Arc<ClientConfig>) {
        self.tls = Some(Rc::new(RefCell::new(TlsEnd::new(config))));
        self.send(&[]);
    }

    /// Whether it speaks TLS.
    pub fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    /// Sends; what is sent into a dead connection is lost, and says so only later.
    pub fn send(&self, bytes: &[u8]) {
        match &self.tls {
            Some(tls) => self.send_raw(&tls.borrow_mut().seal(bytes)),
            None => self.send_raw(bytes),
        }
    }

    /// Takes some of what has arrived, on a network without chance all of it.
    pub fn receive(&self) -> Received {
        let received = self.receive_raw();
        let (Received::Bytes(records), Some(tls)) = (&received, &self.tls) else {
            return received;
        };
        match tls.borrow_mut().open(records) {
            Err(_) => Received::Broken,
            Ok((bytes, answer)) => {
                self.send_raw(&answer);
                Received::Bytes(bytes)
            }
        }
    }

    fn send_raw(&self, bytes: &[u8]) {
        let link = &mut *self.link.borrow_mut();
        if link.server_sees == Outlook::Open && link.server_end != ServerEnd::Gone {
            link.to_server.extend(bytes);
        }
    }

    fn receive_raw(&self) -> Received {
        let link = &mut *self.link.borrow_mut();
        if !link.to_peer.is_empty() {
            let taken = link.chance.borrow_mut().piece(link.to_peer.len());
            return Received::Bytes(link.to_peer.drain(..taken).collect());
        }
        match link.peer_sees {
            Outlook::Open | Outlook::Silent => Received::Nothing,
            Outlook::Ended => Received::Ended,
            Outlook::Reset => Received::Broken,
        }
    }

    /// What this end can still expect.
    pub fn outlook(&self) -> Outlook {
        self.link.borrow().peer_sees
    }

    /// Whether the server has closed its end.
    pub fn is_closed(&self) -> bool {
        self.link.borrow().server_end == ServerEnd::Gone
    }

    /// Bytes sent that the server has not read.
    pub fn unread_bytes(&self) -> usize {
        self.link.borrow().to_server.len()
    }

    /// Has the system take this many bytes of answers and no more.
    pub fn set_room(&self, bytes: usize) {
        self.link.borrow_mut().room = bytes;
    }

    /// Sends no more, and still reads.
    pub fn end(&self) {
        let link = &mut *self.link.borrow_mut();
        if link.server_sees == Outlook::Open {
            link.server_sees = Outlook::Ended;
        }
    }

    /// This end is gone. The server learns of it by `server_sees`, or not.
    pub fn leave(&self, server_sees: Outlook) {
        let link = &mut *self.link.borrow_mut();
        link.peer_sees = Outlook::Reset;
        link.to_peer.clear();
        // A peer that had ended before is announced once more, as gone.
        if matches!(link.server_sees, Outlook::Open | Outlook::Ended) {
            link.server_sees = server_sees;
            link.has_end_arrived = false;
        }
        link.count_silence();
    }

    /// The connection breaks in the middle. What was on its way may be lost, and each end learns of it in
    /// its own way, or not.
    pub fn cut(&self) {
        let link = &mut *self.link.borrow_mut();
        {
            let chance = &mut *link.chance.borrow_mut();
            chance.statistics.add("cut connections");
            chance.lose_tail(&mut link.to_server, link.arrived);
            chance.lose_tail(&mut link.to_peer, 0);
            for sees in [&mut link.server_sees, &mut link.peer_sees] {
                if matches!(sees, Outlook::Open | Outlook::Ended) {
                    *sees = chance.break_seen();
                }
            }
        }
        link.has_end_arrived = false;
        link.count_silence();
    }

    /// What the system would announce of the server's end now, and never again.
    pub fn edge(&self) -> Readiness {
        self.link.borrow_mut().edge()
    }
}

impl Link {
    fn edge(&mut self) -> Readiness {
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
    fn is_over(&self) -> bool {
        self.server_end == ServerEnd::Gone && self.to_peer.is_empty()
    }

    fn count_silence(&self) {
        if self.server_sees == Outlook::Silent || self.peer_sees == Outlook::Silent {
            self.chance.borrow().statistics.add("half-open connections");
        }
    }

    /// The server closes its end. What it sent before still arrives, unless bytes of the peer were left
    /// unread, in which case it may not.
    fn close(&mut self) {
        let chance = &mut *self.chance.borrow_mut();
        if self.server_end == ServerEnd::Open && self.server_sees == Outlook::Open {
            chance.statistics.add("connections closed at once");
        }
        self.server_end = ServerEnd::Gone;
        let is_gentle = self.to_server.is_empty();
        if !is_gentle {
            self.to_server.clear();
            self.arrived = 0;
            chance.lose_tail(&mut self.to_peer, 0);
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
    fn piece(&mut self, available: usize) -> usize {
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
    fn room(&mut self) -> Option<usize> {
        self.rng.as_mut().map(|rng| rng.usize(1..=ROOM_MAX))
    }

    /// Whether what is on its way stays there for now.
    fn is_late(&mut self) -> bool {
        self.rng.as_mut().is_some_and(|rng| rng.u8(..4) == 0)
    }

    /// May lose some of the last bytes on their way, but none of the first `safe`.
    fn lose_tail(&mut self, queue: &mut VecDeque<u8>, safe: usize) {
        if let Some(rng) = &mut self.rng {
            let kept = rng.usize(safe..=queue.len());
            if kept < queue.len() {
                self.statistics.add("bytes lost in a cut");
            }
            queue.truncate(kept);
        }
    }

    /// How an end learns that the connection broke.
    fn break_seen(&mut self) -> Outlook {
        match self.rng.as_mut().is_some_and(Rng::bool) {
            true => Outlook::Silent,
            false => Outlook::Reset,
        }
    }
}

impl Read for SimSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let link = &mut *self.0.borrow_mut();
        if link.arrived > 0 {
            let bytes = link.arrived.min(buffer.len());
            link.arrived -= bytes;
            link.to_server.read_exact(&mut buffer[..bytes])?;
            return Ok(bytes);
        }
        match link.server_sees {
            Outlook::Ended if link.has_end_arrived => Ok(0),
            Outlook::Reset if link.has_end_arrived => Err(ErrorKind::ConnectionReset.into()),
            _ => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for SimSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let link = &mut *self.0.borrow_mut();
        assert_eq!(
            link.server_end,
            ServerEnd::Open,
            "something is sent after the last answer"
        );
        if link.server_sees == Outlook::Reset {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if link.room == 0 {
            link.is_full = true;
            return Err(ErrorKind::WouldBlock.into());
        }
        let taken = bytes.len().min(link.room);
        link.room -= taken;
        if link.server_sees != Outlook::Silent && link.peer_sees != Outlook::Reset {
            link.to_peer.extend(&bytes[..taken]);
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for SimSocket {
    fn shut_down_writing(&mut self) -> io::Result<()> {
        let link = &mut *self.0.borrow_mut();
        link.server_end = ServerEnd::ShutDown;
        if link.peer_sees == Outlook::Open {
            link.peer_sees = Outlook::Ended;
        }
        Ok(())
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        let link = &mut *self.0.borrow_mut();
        if link.server_end != ServerEnd::Gone {
            link.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;
    use crate::echo::Echo;
    use crate::reactor::Reactor;
    use crate::testing::Setup;
    use crate::transport::Transport;

    #[test]
    fn what_is_sent_over_a_random_network_arrives_in_order_and_comes_back() {
        let statistics = Statistics::default();
        for seed in 0..100 {
            let mut network = Network::random(Rng::with_seed(seed), statistics.clone());
            let mut reactor = Reactor::new(Echo::new(4096), Setup::of(0).limits, 0);
            let (peer, socket) = network.connect();
            let id = reactor.next_id();
            socket.accept(id);
            let ip = Ipv4Addr::LOCALHOST.into();
            reactor.connected(id, 0, ip, Transport::Plain(socket), Duration::ZERO);
            let message: Vec<u8> = (b' '..b'~').cycle().take(500).chain([b'\n']).collect();
            peer.send(&message);
            let mut received = Vec::new();
            for _ in 0..10_000 {
                for (id, edge) in network.edges() {
                    reactor.note(id, edge, Duration::ZERO);
                }
                reactor.turn(Duration::ZERO).unwrap();
                match peer.receive() {
                    Received::Bytes(bytes) => received.extend(bytes),
                    Received::Nothing => {}
                    _ => break,
                }
            }
            assert_eq!(received, message, "seed {seed}");
            assert_eq!(peer.receive(), Received::Ended);
        }
        assert!(statistics.counts()["messages split on the way"] > 100);
    }
}
