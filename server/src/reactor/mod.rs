//! The turn, without sockets: which connection is read, sent to and closed, and when.
//!
//! A [`Reactor`] is told what the system says of its connections' readiness, and makes turns: read
//! every ready connection, within a budget each; let the service end the turn, which commits once for
//! all of them; write the answers; close what is to be closed. [`Sockets`] are handed in, and so is
//! the time: the event loop hands in the system's, the simulator its own, and both run this code.
//!
//! Readiness comes in edges: the system says once that a connection is ready, and then no more until
//! that has been used up. Connections whose bytes were not all read, because their budget or the
//! turn's was spent, are therefore remembered in a queue, and nobody sleeps while it has any.

mod timers;

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::time::Duration;

use crate::journal;
use crate::layers::{ConnectionId, Moment};
use crate::service::{Ending, Service};
use timers::Timers;

/// How long a connection whose last answer was sent is kept, so that the peer can read the answer
/// before it learns that what it had sent behind its request will not be read.
const LINGER: Duration = Duration::from_secs(1);

/// Sockets by their connections' numbers, none of which ever waits: with nothing to read, or no room
/// to write, they fail with [`ErrorKind::WouldBlock`], and announce it when that has changed.
pub trait Sockets {
    /// Reads once into `buffer`, and says how many bytes; 0 at the end of the stream. Fewer than the
    /// buffer has room for means that there are no more for now, as epoll(7) has it.
    ///
    /// # Errors
    ///
    /// When there is nothing yet, or the connection is broken.
    fn read(&mut self, id: ConnectionId, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes some of `bytes`, and says how many.
    ///
    /// # Errors
    ///
    /// When there is no room, or the connection is broken.
    fn write(&mut self, id: ConnectionId, bytes: &[u8]) -> io::Result<usize>;

    /// Tells the peer that no more will come.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    fn shut_down_writing(&mut self, id: ConnectionId) -> io::Result<()>;

    /// Closes the socket.
    fn close(&mut self, id: ConnectionId);
}

/// What the system announces of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// There may be bytes to read.
    pub readable: bool,
    /// There may be room to write.
    pub writable: bool,
    /// The peer sends no more, or the connection is broken: reading comes to an end.
    pub ended: bool,
    /// Nobody is left in either direction.
    pub dead: bool,
}

/// Bounds of a turn and of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Bytes that one read takes.
    pub read_bytes: usize,
    /// Reads that a connection has in a turn before the next one has its own.
    pub reads_per_turn: usize,
    /// How long a connection may owe bytes and send none.
    pub idle_timeout: Option<Duration>,
}

/// The connections' readiness, and the service behind them.
pub struct Reactor<S> {
    service: S,
    budget: Budget,
    connections: HashMap<ConnectionId, Connection>,
    /// Connections that may have bytes to read, each once.
    readable: VecDeque<ConnectionId>,
    timers: Timers,
    /// Where bytes are read to, before anybody knows whose they are.
    read_buffer: Box<[u8]>,
}

/// What is known of a connection.
#[derive(Debug)]
struct Connection {
    peer: IpAddr,
    /// Whether there may be bytes that were not read.
    is_readable: bool,
    /// Whether it is in the queue of readable connections.
    is_queued: bool,
    /// Whether the peer is gone in both directions.
    is_dead: bool,
    /// Whether the system announced the end of the stream, so that reading goes on until it comes.
    saw_end: bool,
    /// Whether the end of the stream was read.
    has_ended: bool,
    /// When bytes last went in or out, as time since the server started.
    last_activity: Duration,
    /// Until when it is kept, if its last answer was sent.
    lingers_until: Option<Duration>,
}

/// What reading gave.
enum Read {
    Bytes(usize),
    Nothing,
    Ended,
    Failed,
}

impl<S: Service> Reactor<S> {
    /// A reactor without connections.
    pub fn new(service: S, budget: Budget) -> Reactor<S> {
        Reactor {
            service,
            budget,
            connections: HashMap::new(),
            readable: VecDeque::new(),
            timers: Timers::default(),
            read_buffer: vec![0; budget.read_bytes].into_boxed_slice(),
        }
    }

    /// The service.
    pub fn service(&self) -> &S {
        &self.service
    }

    /// The service, for tests that go past the turn.
    #[cfg(test)]
    pub(crate) fn service_mut(&mut self) -> &mut S {
        &mut self.service
    }

    /// Connections that are open.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// A connection was made.
    pub fn connected(&mut self, id: ConnectionId, peer: IpAddr, elapsed: Duration) {
        let connection = Connection {
            peer,
            is_readable: false,
            is_queued: false,
            is_dead: false,
            saw_end: false,
            has_ended: false,
            last_activity: elapsed,
            lingers_until: None,
        };
        self.connections.insert(id, connection);
        self.service.connected(id, peer);
        if let Some(timeout) = self.budget.idle_timeout {
            self.timers.set(elapsed + timeout, id);
        }
    }

    /// Takes what the system announces of a connection.
    pub fn note(
        &mut self,
        id: ConnectionId,
        readiness: Readiness,
        sockets: &mut impl Sockets,
        elapsed: Duration,
    ) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.is_readable |= readiness.readable || readiness.ended;
        connection.saw_end |= readiness.ended;
        connection.is_dead |= readiness.dead;
        let is_dead = connection.is_dead;
        if readiness.readable || readiness.ended || is_dead {
            self.queue_readable(id);
        }
        if readiness.writable && !is_dead {
            self.send(id, sockets, elapsed);
        }
    }

    /// Makes a turn.
    ///
    /// # Errors
    ///
    /// When the service cannot go on.
    pub fn turn(&mut self, sockets: &mut impl Sockets, now: Moment) -> Result<(), S::Error> {
        self.read_ready(sockets, now);
        self.service.end_turn(now)?;
        for id in self.service.take_touched() {
            self.send(id, sockets, now.elapsed);
            let connection = self.connections.get(&id);
            if connection.is_some_and(|it| it.is_readable) && self.service.wants_input(id) {
                self.queue_readable(id);
            }
        }
        self.close_expired(sockets, now.elapsed);
        Ok(())
    }

    /// When the next turn is due even if nothing happens, as time since the server started.
    pub fn next_deadline(&self) -> Option<Duration> {
        if !self.readable.is_empty() {
            return Some(Duration::ZERO);
        }
        let deadlines = [self.service.next_deadline(), self.timers.next_deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Makes everything last that was taken, as the last turn of a run.
    ///
    /// # Errors
    ///
    /// When the service cannot do that.
    pub fn shut_down(&mut self, now: Moment) -> Result<(), S::Error> {
        self.service.shut_down(now)
    }

    /// Sends what is owed, as far as the system takes it; says whether anything is left.
    pub fn flush(&mut self, sockets: &mut impl Sockets, elapsed: Duration) -> bool {
        let ids: Vec<_> = self.connections.keys().copied().collect();
        for id in &ids {
            self.send(*id, sockets, elapsed);
        }
        ids.into_iter().any(|id| !self.is_flushed(id))
    }

    /// Closes every connection, because the server ends.
    pub fn close_all(&mut self, sockets: &mut impl Sockets) {
        let mut ids: Vec<_> = self.connections.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            sockets.close(id);
            if let Some(connection) = self.connections.remove(&id) {
                journal::connection_closed_at_end(connection.peer);
            }
        }
    }

    /// Gives every connection that was readable at the beginning of the turn its reads, unless the
    /// turn is full before; the others keep their places in the queue.
    fn read_ready(&mut self, sockets: &mut impl Sockets, now: Moment) {
        for _ in 0..self.readable.len() {
            if self.service.is_turn_full() {
                return;
            }
            let Some(id) = self.readable.pop_front() else {
                return;
            };
            self.read_connection(id, sockets, now);
        }
    }

    fn read_connection(&mut self, id: ConnectionId, sockets: &mut impl Sockets, now: Moment) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.is_queued = false;
        if connection.is_dead {
            return self.disconnect(id, sockets);
        }
        for _ in 0..self.budget.reads_per_turn {
            let is_lingering = connection.lingers_until.is_some();
            if !is_lingering && !self.service.wants_input(id) {
                return;
            }
            match connection.read(id, &mut self.read_buffer, sockets, now.elapsed) {
                Read::Bytes(_) if is_lingering => {}
                Read::Bytes(bytes) => self.service.receive(id, &self.read_buffer[..bytes], now),
                Read::Ended if is_lingering => return self.disconnect(id, sockets),
                Read::Ended => return self.service.end_of_stream(id),
                Read::Failed => return self.disconnect(id, sockets),
                Read::Nothing => return,
            }
            if !connection.is_readable {
                return;
            }
        }
        self.queue_readable(id);
    }

    fn queue_readable(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id)
            && !connection.is_queued
        {
            connection.is_queued = true;
            self.readable.push_back(id);
        }
    }

    /// Sends what the service has for a connection, as far as the system takes it, and carries out
    /// the ending that the service decided on.
    fn send(&mut self, id: ConnectionId, sockets: &mut impl Sockets, elapsed: Duration) {
        let (Some(connection), Some(outgoing)) =
            (self.connections.get_mut(&id), self.service.outgoing(id))
        else {
            return;
        };
        if outgoing.ending() == Ending::Now {
            return self.disconnect(id, sockets);
        }
        while !outgoing.unsent().is_empty() {
            match sockets.write(id, outgoing.unsent()) {
                Ok(bytes @ 1..) => {
                    outgoing.advance(bytes);
                    connection.last_activity = elapsed;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Ok(0) | Err(_) => return self.disconnect(id, sockets),
            }
        }
        if outgoing.ending() == Ending::AfterFlush {
            self.linger(id, sockets, elapsed);
        }
    }

    /// Tells the peer that no more will come, and waits a little for it to close first.
    fn linger(&mut self, id: ConnectionId, sockets: &mut impl Sockets, elapsed: Duration) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.lingers_until.is_some() {
            return;
        }
        if connection.has_ended || sockets.shut_down_writing(id).is_err() {
            return self.disconnect(id, sockets);
        }
        connection.lingers_until = Some(elapsed + LINGER);
        self.timers.set(elapsed + LINGER, id);
        self.queue_readable(id);
    }

    fn disconnect(&mut self, id: ConnectionId, sockets: &mut impl Sockets) {
        if let Some(connection) = self.connections.remove(&id) {
            self.service.disconnected(id);
            self.timers.forget_closed(&self.connections);
            sockets.close(id);
            journal::connection_closed(connection.peer);
        }
    }

    /// Closes the connections that have lingered, or owed bytes, long enough. A connection's timer
    /// is not moved when it speaks; it is looked at when it fires, and set anew.
    fn close_expired(&mut self, sockets: &mut impl Sockets, elapsed: Duration) {
        while let Some(id) = self.timers.take_expired(elapsed) {
            let Some(connection) = self.connections.get(&id) else {
                continue;
            };
            if let Some(until) = connection.lingers_until {
                if until <= elapsed {
                    self.disconnect(id, sockets);
                }
                continue;
            }
            let Some(timeout) = self.budget.idle_timeout else {
                continue;
            };
            let Connection {
                peer,
                last_activity,
                ..
            } = *connection;
            let is_excused = self.service.is_parked(id) && self.is_flushed(id);
            let quiet_since = if is_excused { elapsed } else { last_activity };
            if quiet_since + timeout > elapsed {
                self.timers.set(quiet_since + timeout, id);
            } else {
                journal::idle_closed(peer, timeout.as_secs_f64());
                self.disconnect(id, sockets);
            }
        }
    }

    fn is_flushed(&mut self, id: ConnectionId) -> bool {
        let outgoing = self.service.outgoing(id);
        outgoing.is_none_or(|outgoing| outgoing.unsent().is_empty())
    }
}

impl Connection {
    fn read(
        &mut self,
        id: ConnectionId,
        buffer: &mut [u8],
        sockets: &mut impl Sockets,
        elapsed: Duration,
    ) -> Read {
        loop {
            return match sockets.read(id, buffer) {
                Ok(0) => {
                    self.is_readable = false;
                    self.has_ended = true;
                    Read::Ended
                }
                Ok(bytes) => {
                    // A new edge will follow where this one is used up; knowing that saves the read
                    // that would only say so.
                    self.is_readable = bytes == buffer.len() || self.saw_end;
                    self.last_activity = elapsed;
                    Read::Bytes(bytes)
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.is_readable = false;
                    Read::Nothing
                }
                Err(_) => Read::Failed,
            };
        }
    }
}
