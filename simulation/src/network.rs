//! A network of byte streams: what is sent arrives later, in other pieces, or not at all.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};

use fastrand::Rng;
use server::layers::ConnectionId;
use server::reactor::{Readiness, Sockets};

use crate::statistics::Statistics;

/// The most that a system takes of the central's answers before it has no room: some of them, and
/// parts of others.
const ROOM_MAX: usize = 40;

/// What an end of a connection can still expect of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// Bytes may come.
    Open,
    /// No more bytes will come, in good order.
    Ended,
    /// The connection is broken, and this end is told so.
    Reset,
    /// The connection is dead, and nobody tells this end.
    Silent,
}

/// A connection between an agency and the central.
#[derive(Debug)]
struct Link {
    to_central: VecDeque<u8>,
    to_agency: VecDeque<u8>,
    central_sees: Outlook,
    agency_sees: Outlook,
    central: CentralEnd,
}

/// The central's end of a connection: what its system knows and has told.
#[derive(Debug)]
enum CentralEnd {
    /// The connection waits to be accepted.
    Waiting,
    /// It is a socket.
    Open(Socket),
    /// It was closed, or its program is dead.
    Gone,
}

#[derive(Debug, Default)]
struct Socket {
    /// Bytes that have arrived: so many of those that are on their way may be read.
    arrived: usize,
    /// Whether the end, or the break, of the connection has arrived.
    has_end_arrived: bool,
    /// Bytes that the system still takes.
    room: usize,
    /// Whether the central is to be told when there is room again.
    is_full: bool,
    is_shut_down: bool,
}

/// What reading gave an agency.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// Some bytes.
    Bytes(Vec<u8>),
    /// Nothing yet.
    Nothing,
    /// The peer sends no more.
    Ended,
    /// The connection is broken.
    Broken,
}

/// All connections.
pub struct Network {
    links: BTreeMap<ConnectionId, Link>,
    next: usize,
    rng: Rng,
    statistics: Statistics,
}

impl Network {
    /// A network whose accidents come from `rng`.
    pub fn new(rng: Rng, statistics: Statistics) -> Network {
        Network {
            links: BTreeMap::new(),
            next: 2,
            rng,
            statistics,
        }
    }

    /// Makes a connection.
    pub fn connect(&mut self) -> ConnectionId {
        let id = ConnectionId(self.next);
        self.next += 1;
        let link = Link {
            to_central: VecDeque::new(),
            to_agency: VecDeque::new(),
            central_sees: Outlook::Open,
            agency_sees: Outlook::Open,
            central: CentralEnd::Waiting,
        };
        self.links.insert(id, link);
        id
    }

    /// The connections of which at least one end is alive.
    pub fn ids(&self) -> Vec<ConnectionId> {
        self.links.keys().copied().collect()
    }

    /// The central accepts a connection; of what has arrived it is told later.
    pub fn accept(&mut self, id: ConnectionId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.central = CentralEnd::Open(Socket {
                room: self.rng.usize(1..=ROOM_MAX),
                ..Socket::default()
            });
        }
    }

    /// Lets some of what is on its way to the central arrive, and makes room for more of its answers.
    /// Gives the edges of that: each change is told once, as epoll does, and never again.
    pub fn arrivals(&mut self) -> Vec<(ConnectionId, Readiness)> {
        let mut edges = Vec::new();
        for (id, link) in &mut self.links {
            let CentralEnd::Open(socket) = &mut link.central else {
                continue;
            };
            if link.central_sees == Outlook::Silent || self.rng.u8(..4) == 0 {
                continue;
            }
            let on_the_way = link.to_central.len() - socket.arrived;
            let mut edge = socket.make_way(on_the_way, &mut self.rng, &self.statistics);
            let is_at_end = link.central_sees != Outlook::Open
                && socket.arrived == link.to_central.len()
                && !socket.has_end_arrived;
            if is_at_end {
                socket.has_end_arrived = true;
                edge.readable = true;
                edge.ended = true;
                edge.dead = link.central_sees == Outlook::Reset || socket.is_shut_down;
            }
            if edge != Readiness::default() {
                edges.push((*id, edge));
            }
        }
        self.rng.shuffle(&mut edges);
        edges
    }

    /// The agency sends; what is sent into a dead connection is lost, and says so only later.
    pub fn agency_sends(&mut self, id: ConnectionId, bytes: &[u8]) {
        if let Some(link) = self.links.get_mut(&id)
            && link.agency_sees == Outlook::Open
        {
            link.to_central.extend(bytes);
        }
    }

    /// Some of what has arrived at the agency.
    pub fn agency_receives(&mut self, id: ConnectionId) -> Received {
        let Some(link) = self.links.get_mut(&id) else {
            return Received::Broken;
        };
        if !link.to_agency.is_empty() {
            let taken = piece(link.to_agency.len(), &mut self.rng, &self.statistics);
            return Received::Bytes(link.to_agency.drain(..taken).collect());
        }
        match link.agency_sees {
            Outlook::Open | Outlook::Silent => Received::Nothing,
            Outlook::Ended => Received::Ended,
            Outlook::Reset => Received::Broken,
        }
    }

    /// What the agency can still expect.
    pub fn agency_outlook(&self, id: ConnectionId) -> Outlook {
        self.links
            .get(&id)
            .map_or(Outlook::Reset, |link| link.agency_sees)
    }

    /// The agency's end is gone: its program ended or crashed, or gave the connection up. The
    /// central learns of it, or, when it was not told, does not.
    pub fn agency_leaves(&mut self, id: ConnectionId, central_sees: Outlook) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.agency_sees = Outlook::Reset;
        link.to_agency.clear();
        if link.central_sees == Outlook::Open {
            link.central_sees = central_sees;
        }
        if link.central_sees == Outlook::Silent {
            self.statistics.add("half-open connections");
        }
        self.forget_dead(id);
    }

    /// The connection breaks in the middle. What was on its way may be lost, and each end learns of
    /// it in its own way, or not.
    pub fn cut(&mut self, id: ConnectionId) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        self.statistics.add("cut connections");
        let arrived = match &link.central {
            CentralEnd::Open(socket) => socket.arrived,
            CentralEnd::Waiting | CentralEnd::Gone => 0,
        };
        for (queue, safe) in [(&mut link.to_central, arrived), (&mut link.to_agency, 0)] {
            let kept = self.rng.usize(safe..=queue.len());
            if kept < queue.len() {
                self.statistics.add("bytes lost in a cut");
            }
            queue.truncate(kept);
        }
        for sees in [&mut link.central_sees, &mut link.agency_sees] {
            if *sees == Outlook::Open {
                *sees = if self.rng.bool() {
                    Outlook::Reset
                } else {
                    Outlook::Silent
                };
            }
        }
        if link.central_sees == Outlook::Silent || link.agency_sees == Outlook::Silent {
            self.statistics.add("half-open connections");
        }
        self.forget_dead(id);
    }

    /// The central is gone. Each agency learns of it, or, after a power cut, does not. With
    /// `loses_answers` nothing more arrives of what the central had sent.
    pub fn central_crashes(&mut self, power_cut: bool, loses_answers: bool) {
        for link in self.links.values_mut() {
            link.to_central.clear();
            let most = if loses_answers {
                0
            } else {
                link.to_agency.len()
            };
            let kept = self.rng.usize(..=most);
            link.to_agency.truncate(kept);
            link.central = CentralEnd::Gone;
            if link.agency_sees == Outlook::Open {
                link.agency_sees = if power_cut {
                    Outlook::Silent
                } else {
                    Outlook::Reset
                };
            }
        }
        for id in self.ids() {
            self.forget_dead(id);
        }
    }

    fn forget_dead(&mut self, id: ConnectionId) {
        let is_dead = self.links.get(&id).is_some_and(|link| {
            matches!(link.central, CentralEnd::Gone)
                && link.agency_sees == Outlook::Reset
                && link.to_agency.is_empty()
        });
        if is_dead {
            self.links.remove(&id);
        }
    }

    /// The link of a connection of which the central has a socket, and that socket.
    fn open_link(&mut self, id: ConnectionId) -> io::Result<&mut Link> {
        let link = self.links.get_mut(&id);
        link.ok_or_else(|| ErrorKind::NotConnected.into())
    }
}

impl Socket {
    /// Lets some of the bytes on the way arrive, and makes room where the central waits for some.
    fn make_way(&mut self, on_the_way: usize, rng: &mut Rng, statistics: &Statistics) -> Readiness {
        let mut edge = Readiness::default();
        if on_the_way > 0 {
            self.arrived += piece(on_the_way, rng, statistics);
            edge.readable = true;
        }
        if self.is_full {
            self.is_full = false;
            self.room = rng.usize(1..=ROOM_MAX);
            edge.writable = true;
        }
        edge
    }
}

impl Sockets for Network {
    fn read(&mut self, id: ConnectionId, buffer: &mut [u8]) -> io::Result<usize> {
        let link = self.open_link(id)?;
        let CentralEnd::Open(socket) = &mut link.central else {
            return Err(ErrorKind::NotConnected.into());
        };
        if socket.arrived > 0 {
            let bytes = socket.arrived.min(buffer.len());
            let arrived = link.to_central.drain(..bytes);
            buffer
                .iter_mut()
                .zip(arrived)
                .for_each(|(to, from)| *to = from);
            socket.arrived -= bytes;
            return Ok(bytes);
        }
        match link.central_sees {
            Outlook::Ended if socket.has_end_arrived => Ok(0),
            Outlook::Reset if socket.has_end_arrived => Err(ErrorKind::ConnectionReset.into()),
            _ => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn write(&mut self, id: ConnectionId, bytes: &[u8]) -> io::Result<usize> {
        let link = self.open_link(id)?;
        let CentralEnd::Open(socket) = &mut link.central else {
            return Err(ErrorKind::NotConnected.into());
        };
        assert!(
            !socket.is_shut_down,
            "something is sent after the last answer"
        );
        if link.central_sees == Outlook::Reset {
            return Err(ErrorKind::BrokenPipe.into());
        }
        if socket.room == 0 {
            socket.is_full = true;
            return Err(ErrorKind::WouldBlock.into());
        }
        let taken = bytes.len().min(socket.room);
        socket.room -= taken;
        if link.central_sees != Outlook::Silent && link.agency_sees != Outlook::Reset {
            link.to_agency.extend(&bytes[..taken]);
        }
        Ok(taken)
    }

    fn shut_down_writing(&mut self, id: ConnectionId) -> io::Result<()> {
        let link = self.open_link(id)?;
        let CentralEnd::Open(socket) = &mut link.central else {
            return Err(ErrorKind::NotConnected.into());
        };
        socket.is_shut_down = true;
        if link.agency_sees == Outlook::Open {
            link.agency_sees = Outlook::Ended;
        }
        Ok(())
    }

    /// What the central sent before still arrives, unless the agency's own bytes were left unread, in
    /// which case it may not.
    fn close(&mut self, id: ConnectionId) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if let CentralEnd::Open(socket) = &link.central
            && !socket.is_shut_down
            && link.central_sees == Outlook::Open
        {
            self.statistics.add("takeovers");
        }
        link.central = CentralEnd::Gone;
        let is_gentle = link.to_central.is_empty();
        link.to_central.clear();
        if !is_gentle {
            let kept = self.rng.usize(..=link.to_agency.len());
            link.to_agency.truncate(kept);
        }
        link.agency_sees = match link.agency_sees {
            Outlook::Open if is_gentle => Outlook::Ended,
            Outlook::Open | Outlook::Ended if !is_gentle => Outlook::Reset,
            unchanged => unchanged,
        };
        self.forget_dead(id);
    }
}

/// How much of `available` bytes comes at once: mostly a few, so that frames are split, and sometimes
/// all that there are.
fn piece(available: usize, rng: &mut Rng, statistics: &Statistics) -> usize {
    let most = if rng.bool() {
        available
    } else {
        available.min(9)
    };
    let taken = rng.usize(1..=most);
    if taken < available {
        statistics.add("frames split on the way");
    }
    taken
}
