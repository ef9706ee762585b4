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
use super::link::{Chance, Link, Outlook, ServerEnd};
use crate::connection::{ConnectionId, Readiness};
use crate::transport::Socket;

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

impl Network {
    /// A network whose accidents come from `rng`.
    pub fn random(rng: Rng, statistics: Statistics) -> Network {
        let network = Network::default();
        *network.chance.borrow_mut() = Chance {
            rng: Some(rng),
            statistics,
        };
        network
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
            link.lose_server();
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

    /// Sends bytes as they are, whatever they mean to TLS.
    pub fn send_raw(&self, bytes: &[u8]) {
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
