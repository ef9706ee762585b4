//! The turn, without sockets: which connection is read, sent to and closed, and when.
//!
//! A [`Reactor`] is told what the system says of its connections' readiness, and makes turns: visit the
//! ready connections; let the service end the turn, which commits once for all of them; write the
//! answers; close what is to be closed. Sockets are handed in with the connections, and so is the time:
//! the event loop hands in the system's, the simulator its own, and both run this code.
//!
//! Readiness comes in edges: the system says once that a connection is ready, and then no more until
//! that has been used up. A connection with unread bytes, or with messages that were held back,
//! therefore stays queued, and the loop does not sleep while a queue is not empty. There is a queue for each rank of
//! connections; a turn gives each rank a [share](crate::limits::Share), agencies first, and within a
//! rank the connections take turns.
//!
//! `visit` takes what connections have sent, `queues` says who is next, `bounds` and `timers` decide
//! which connections are closed.

mod bounds;
mod queues;
mod timers;
mod visit;

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::net::IpAddr;
use std::time::Duration;

use crate::connection::{Census, Connection, ConnectionId, Ending, Outgoing, Readiness};
use crate::limits::{LINGER, READ_BYTES};
use crate::log_lines;
use crate::service::{Behind, Class, Connections, Service, Session};
use crate::tls::TlsAcceptor;
use crate::transport::{Socket, Transport};
use queues::Queues;
use timers::Timers;

/// Bounds of all connections together, and of each one's time, from the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections open at once, of agencies and strangers.
    pub connections_max: usize,
    /// Connections of viewers, which are not among those. When all are taken, the oldest goes.
    pub viewers_max: usize,
    /// Bytes kept of unfinished messages and unsent answers, of all connections together.
    pub memory_bytes_max: usize,
    /// How long a stranger may take to say for which agency it speaks, a message to arrive whole, and
    /// a connection that is not parked to be silent.
    pub idle_timeout: Option<Duration>,
}

/// By connection. Its order is the same in each run, so that a simulated world can be had again; the
/// numbers are ours, so nobody can choose them to collide.
type ById<V> = HashMap<ConnectionId, V, BuildHasherDefault<DefaultHasher>>;

/// All connections, and the service behind them.
pub struct Reactor<S: Service, T> {
    service: S,
    limits: Limits,
    connections: ById<Connection<S::Session, T>>,
    /// Those that have not said for which agency they speak, oldest first.
    strangers: BTreeSet<ConnectionId>,
    /// Those that only look, oldest first.
    viewers: BTreeSet<ConnectionId>,
    /// Ready connections by rank, each in one queue at most. One whose rank changes while it waits is
    /// served once more in its old place.
    queues: Queues,
    timers: Timers,
    /// Connections that the service has answered or ended since the last writing.
    touched: Vec<ConnectionId>,
    /// What [`Limits::memory_bytes_max`] bounds.
    memory_bytes: usize,
    /// Whether the log says that all connections are taken.
    is_full: bool,
    next_id: usize,
    /// Read buffer shared by all connections.
    read_buffer: Box<[u8]>,
}

impl<S: Service, T: Socket> Reactor<S, T> {
    /// A reactor without connections, whose first will have the number `first_id`.
    pub fn new(service: S, limits: Limits, first_id: usize) -> Reactor<S, T> {
        Reactor {
            service,
            limits,
            connections: ById::default(),
            strangers: BTreeSet::new(),
            viewers: BTreeSet::new(),
            queues: Queues::default(),
            timers: Timers::default(),
            touched: Vec::new(),
            memory_bytes: 0,
            is_full: false,
            next_id: first_id,
            read_buffer: vec![0; READ_BYTES].into_boxed_slice(),
        }
    }

    /// The service.
    pub fn service(&self) -> &S {
        &self.service
    }

    /// What all connections keep together, in bytes, counted anew.
    pub fn memory_bytes(&self) -> usize {
        let connections = self.connections.values();
        connections.map(Connection::memory_bytes).sum()
    }

    /// Whether another connection can be taken, if need be for a stranger's.
    pub fn has_room(&self) -> bool {
        self.lottery_connections() < self.limits.connections_max || !self.strangers.is_empty()
    }

    /// The number of the next connection.
    pub fn next_id(&mut self) -> ConnectionId {
        self.next_id += 1;
        ConnectionId(self.next_id - 1)
    }

    /// Takes a connection that was made at a door. When all are taken, the oldest stranger goes.
    pub fn connected(
        &mut self,
        id: ConnectionId,
        behind: Behind,
        peer: IpAddr,
        transport: Transport<T>,
        now: Duration,
    ) {
        let session = self.service.connected(behind, peer);
        let is_viewer = session.class() == Class::Viewer;
        log_lines::accepted(peer, is_viewer);
        if is_viewer {
            if self.viewers.len() >= self.limits.viewers_max
                && let Some(oldest) = self.viewers.first().copied()
            {
                self.disconnect(oldest);
            }
            self.viewers.insert(id);
        } else {
            self.make_room();
            self.strangers.insert(id);
        }
        let connection = Connection::new(peer, transport, session, now);
        self.connections.insert(id, connection);
        if let Some(timeout) = self.limits.idle_timeout {
            self.timers.set(now + timeout, id);
        }
    }

    /// Takes what the system announces of a connection.
    pub fn note(&mut self, id: ConnectionId, readiness: Readiness, now: Duration) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.is_readable |= readiness.readable || readiness.ended;
        connection.is_dead |= readiness.dead;
        if readiness.ended && !connection.saw_end {
            connection.saw_end = true;
            self.service.peer_finished(id, &mut connection.session);
            if connection.transport.is_unanswered() {
                // An abandoned handshake is dropped before it costs a signature.
                return self.disconnect(id);
            }
        }
        if readiness.writable && !connection.is_dead {
            self.send(id, now);
        }
        self.queue(id);
    }

    /// Makes a turn.
    pub fn turn(&mut self, now: Duration) -> Result<(), S::Error> {
        self.visit_ready(now);
        let (service, mut open) = self.split(now);
        service.end_turn(now, &mut open)?;
        for id in std::mem::take(&mut self.touched) {
            self.send(id, now);
        }
        self.keep_within_memory(now);
        self.close_overdue(now);
        Ok(())
    }

    /// When the next turn is due even if nothing happens, as time since the server started.
    pub fn next_deadline(&self) -> Option<Duration> {
        if !self.queues.is_empty() {
            return Some(Duration::ZERO);
        }
        let deadlines = [self.service.next_deadline(), self.timers.next_deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Makes everything durable that was taken, as the last turn of a run.
    pub fn shut_down(&mut self, now: Duration) -> Result<(), S::Error> {
        let (service, mut open) = self.split(now);
        service.shut_down(now, &mut open)
    }

    /// Sends what is owed, as far as the system takes it; says whether anything is left.
    pub fn flush(&mut self, now: Duration) -> bool {
        let ids: Vec<_> = self.connections.keys().copied().collect();
        for id in ids {
            self.send(id, now);
        }
        let mut connections = self.connections.values();
        connections.any(|connection| !connection.is_flushed())
    }

    /// Closes every connection, because the server ends.
    pub fn close_all(&mut self) {
        let mut ids: Vec<_> = self.connections.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            if let Some(connection) = self.connections.remove(&id) {
                log_lines::connection_closed_at_end(connection.peer);
            }
        }
    }

    /// Closes the connections whose peers would not get in again with the keys of now.
    pub fn check_certificates(&mut self, acceptor: &TlsAcceptor) -> usize {
        let mut refused = Vec::new();
        for (id, connection) in &self.connections {
            let session = connection.transport.session();
            if let Some(Err(cause)) = session.map(|session| acceptor.check_again(session)) {
                log_lines::handshake_refused(connection.peer, &cause);
                refused.push(*id);
            }
        }
        for id in &refused {
            self.disconnect(*id);
        }
        refused.len()
    }

    fn split(&mut self, now: Duration) -> (&mut S, Open<'_, S::Session, T>) {
        let open = Open {
            now,
            census: Census {
                agencies: self.connections.len() - self.strangers.len() - self.viewers.len(),
                strangers: self.strangers.len(),
                viewers: self.viewers.len(),
                memory_bytes: self.memory_bytes,
            },
            connections: &mut self.connections,
            touched: &mut self.touched,
        };
        (&mut self.service, open)
    }

    /// After anything happened to a connection: counts its memory, notes whether it is still a
    /// stranger, and queues it if there is more to do.
    fn update(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get(&id)
            && connection.is_agency()
        {
            self.strangers.remove(&id);
        }
        self.count_memory(id);
        self.queue(id);
    }

    fn queue(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id)
            && !connection.is_queued
            && connection.has_work()
        {
            connection.is_queued = true;
            self.queues.push(connection.rank(), connection.peer, id);
        }
    }

    /// Sends what the service has for a connection, as far as the system takes it, and carries out
    /// the ending that the service decided on.
    fn send(&mut self, id: ConnectionId, now: Duration) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.outgoing.ending() == Ending::Now || connection.write(now).is_err() {
            return self.disconnect(id);
        }
        if connection.is_flushed() && connection.outgoing.ending() == Ending::AfterFlush {
            self.linger(id, now);
        }
        self.update(id);
    }

    /// Tells the peer that no more will come, and waits a little for it to close first.
    fn linger(&mut self, id: ConnectionId, now: Duration) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.lingers_until.is_some() {
            return;
        }
        if connection.has_ended || connection.transport.shut_down_writing().is_err() {
            return self.disconnect(id);
        }
        connection.lingers_until = Some(now + LINGER);
        self.timers.set(now + LINGER, id);
    }

    fn disconnect(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.remove(&id) {
            self.memory_bytes -= connection.counted_bytes;
            self.strangers.remove(&id);
            self.viewers.remove(&id);
            self.timers.forget_closed(&self.connections);
            log_lines::connection_closed(connection.peer);
            self.service.disconnected(id, connection.session);
        }
    }
}

/// The open connections, as the service sees them.
struct Open<'r, S, T> {
    now: Duration,
    connections: &'r mut ById<Connection<S, T>>,
    touched: &'r mut Vec<ConnectionId>,
    census: Census,
}

impl<S: Session, T> Connections<S> for Open<'_, S, T> {
    fn get(&mut self, id: ConnectionId) -> Option<(&mut S, &mut Outgoing)> {
        let connection = self.connections.get_mut(&id)?;
        if connection.outgoing.unsent().is_empty() {
            // One that was parked has from here on to take its answer, and to go on.
            connection.last_activity = self.now;
            connection.message_since = connection.message_since.map(|_| self.now);
        }
        // The answers to one connection's messages come one after the other.
        if self.touched.last() != Some(&id) {
            self.touched.push(id);
        }
        Some((&mut connection.session, &mut connection.outgoing))
    }

    fn census(&self) -> Census {
        self.census
    }
}

#[cfg(test)]
mod tests;
