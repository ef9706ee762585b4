//! The turn, without sockets: which connection is read, sent to and closed, and when.
//!
//! A [`Reactor`] is told what the system says of its connections' readiness, and makes turns: visit the
//! ready connections; let the service end the turn, which commits once for all of them; write the
//! answers; close what is to be closed. Sockets are handed in with the connections, and so is the time:
//! the event loop hands in the system's, the simulator its own, and both run this code.
//!
//! Readiness comes in edges: the system says once that a connection is ready, and then no more until
//! that has been used up. A connection with unread bytes, or with messages that were held back,
//! therefore stays in a queue, and nobody sleeps while one has any. There is a queue for each rank of
//! connections; a turn gives each rank a [share](crate::limits::Share), agencies first, and within a
//! rank the connections take turns.

mod timers;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::connection::{Census, Connection, ConnectionId, Ending, Outgoing, Rank, Readiness};
use crate::limits::{LINGER, READ_BYTES, SECOND_LOOK, VISIT_BYTES_MIN};
use crate::log_lines::{self, Overdue};
use crate::service::{Class, Connections, Service, Session};
use crate::tls::TlsAcceptor;
use crate::transport::{ReadOutcome, Socket, Transport};
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

/// All connections, and the service behind them.
pub struct Reactor<S: Service, T> {
    service: S,
    limits: Limits,
    connections: HashMap<ConnectionId, Connection<S::Session, T>>,
    /// Those that have not said for which agency they speak, oldest first.
    strangers: BTreeSet<ConnectionId>,
    /// Those that only look, oldest first.
    viewers: BTreeSet<ConnectionId>,
    /// Ready connections by rank, each in one queue at most. One whose rank changes while it waits is
    /// served once more in its old place.
    queues: [VecDeque<ConnectionId>; Rank::ALL.len()],
    timers: Timers,
    /// Connections that the service has answered or ended since the last writing.
    touched: Vec<ConnectionId>,
    /// What [`Limits::memory_bytes_max`] bounds.
    memory_bytes: usize,
    /// Whether the log says that all connections are taken.
    is_full: bool,
    next_id: usize,
    /// Where bytes are read to, before anybody knows whose they are.
    read_buffer: Box<[u8]>,
}

impl<S: Service, T: Socket> Reactor<S, T> {
    /// A reactor without connections, whose first will have the number `first_id`.
    pub fn new(service: S, limits: Limits, first_id: usize) -> Reactor<S, T> {
        Reactor {
            service,
            limits,
            connections: HashMap::new(),
            strangers: BTreeSet::new(),
            viewers: BTreeSet::new(),
            queues: Default::default(),
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

    /// The service, to be told how long a turn took.
    pub fn service_mut(&mut self) -> &mut S {
        &mut self.service
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
        door: usize,
        peer: IpAddr,
        transport: Transport<T>,
        now: Duration,
    ) {
        let session = self.service.connected(id, door, peer);
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

    fn make_room(&mut self) {
        let is_full = self.lottery_connections() >= self.limits.connections_max;
        if is_full && !std::mem::replace(&mut self.is_full, is_full) {
            log_lines::connections_full(self.limits.connections_max);
        }
        self.is_full = is_full;
        if is_full && let Some(oldest) = self.strangers.first().copied() {
            self.disconnect(oldest);
        }
    }

    fn lottery_connections(&self) -> usize {
        self.connections.len() - self.viewers.len()
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
                // Whoever begins handshakes and leaves costs those who stay no time.
                return self.disconnect(id);
            }
        }
        if readiness.writable && !connection.is_dead {
            self.send(id, now);
        }
        self.queue(id);
    }

    /// Makes a turn.
    ///
    /// # Errors
    ///
    /// When the service cannot go on.
    pub fn turn(&mut self, now: Duration) -> Result<(), S::Error> {
        self.visit_ready(now);
        let (service, mut open) = self.split();
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
        if self.queues.iter().any(|queue| !queue.is_empty()) {
            return Some(Duration::ZERO);
        }
        let deadlines = [self.service.next_deadline(), self.timers.next_deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Makes everything durable that was taken, as the last turn of a run.
    ///
    /// # Errors
    ///
    /// When the service cannot do that.
    pub fn shut_down(&mut self, now: Duration) -> Result<(), S::Error> {
        let (service, mut open) = self.split();
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

    fn split(&mut self) -> (&mut S, Open<'_, S::Session, T>) {
        let open = Open {
            connections: &mut self.connections,
            touched: &mut self.touched,
            memory_bytes: self.memory_bytes,
        };
        (&mut self.service, open)
    }

    /// Visits the connections of each rank, within its share of the turn and until the turn is full.
    /// Those that are left keep their places.
    fn visit_ready(&mut self, now: Duration) {
        for rank in Rank::ALL {
            let share = rank.share();
            let ready = self.queues[rank as usize].len();
            let visit_bytes =
                (share.turn_bytes / ready.max(1)).clamp(VISIT_BYTES_MIN, share.visit_bytes_max);
            let mut bytes_left = share.turn_bytes;
            let mut visits_left = share.visits;
            for _ in 0..ready {
                if self.service.is_turn_full() || bytes_left == 0 || visits_left == 0 {
                    break;
                }
                let Some(id) = self.queues[rank as usize].pop_front() else {
                    break;
                };
                visits_left -= usize::from(self.connections.contains_key(&id));
                let read = self.visit(id, visit_bytes, share.visit_messages, now);
                bytes_left = bytes_left.saturating_sub(read);
            }
        }
    }

    /// Takes messages that were held back, then reads for more, within these bounds. Says how many bytes
    /// were read.
    fn visit(
        &mut self,
        id: ConnectionId,
        bytes_max: usize,
        messages_max: usize,
        now: Duration,
    ) -> usize {
        let Some(connection) = self.connections.get_mut(&id) else {
            return 0;
        };
        connection.is_queued = false;
        if connection.is_dead {
            self.disconnect(id);
            return 0;
        }
        let mut messages_left = messages_max;
        if connection.has_messages {
            messages_left = self.take_messages(id, 0, messages_left, now);
        }
        let mut read = 0;
        while read < bytes_max && messages_left > 0 {
            let Some(connection) = self.connections.get_mut(&id) else {
                return read;
            };
            let is_lingering = connection.lingers_until.is_some();
            if !connection.is_readable || !(is_lingering || connection.is_heard()) {
                break;
            }
            let room = (bytes_max - read).min(self.read_buffer.len());
            match connection.read(&mut self.read_buffer[..room], now) {
                ReadOutcome::Bytes { bytes, .. } => {
                    read += bytes;
                    if !is_lingering {
                        if let Some(certificate) = connection.transport.take_certificate() {
                            let session = &mut connection.session;
                            self.service.certified(id, session, certificate);
                        }
                        messages_left = self.take_messages(id, bytes, messages_left, now);
                    }
                }
                ReadOutcome::Ended if is_lingering => self.disconnect(id),
                ReadOutcome::Broken => self.disconnect(id),
                ReadOutcome::Refused(cause) => {
                    log_lines::handshake_refused(connection.peer, &cause);
                    connection.outgoing.end(Ending::AfterFlush);
                    break;
                }
                ReadOutcome::Ended | ReadOutcome::Nothing | ReadOutcome::Later => break,
            }
        }
        self.settle(id);
        read
    }

    /// Takes messages out of what was held back and the first `bytes` of the read buffer, at most so
    /// many; says how many more may be taken in this visit.
    fn take_messages(
        &mut self,
        id: ConnectionId,
        bytes: usize,
        messages_max: usize,
        now: Duration,
    ) -> usize {
        let Some(connection) = self.connections.get_mut(&id) else {
            return 0;
        };
        let mut input = &self.read_buffer[..bytes];
        let mut messages_left = messages_max;
        loop {
            connection.has_messages = connection.inbox.kept_bytes() > 0 || !input.is_empty();
            if messages_left == 0 || !connection.is_heard() {
                connection.inbox.keep(input);
                return messages_left;
            }
            let Connection {
                session,
                inbox,
                outgoing,
                ..
            } = connection;
            match inbox.next_message(&mut input, |bytes| session.scan(bytes)) {
                Ok(Some(message)) => {
                    self.service.message(id, session, message, outgoing, now);
                    messages_left -= 1;
                    connection.was_heard = true;
                    connection.last_progress = now;
                    connection.message_since = None;
                }
                Ok(None) => {
                    connection.has_messages = false;
                    if connection.inbox.kept_bytes() > 0 {
                        connection.message_since.get_or_insert(now);
                    }
                    return messages_left;
                }
                Err(fault) => {
                    self.service.no_message(id, session, fault, outgoing);
                    connection.has_messages = false;
                    return messages_left;
                }
            }
        }
    }

    /// After a visit: tells the service of the end of the stream, and notes that there may be answers.
    fn settle(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.owes_end() && connection.is_heard() {
            connection.is_end_told = true;
            let Connection {
                session,
                inbox,
                outgoing,
                ..
            } = connection;
            self.service
                .end_of_stream(id, session, inbox.kept(), outgoing);
        }
        let outgoing = &connection.outgoing;
        if outgoing.ending() != Ending::Open || !outgoing.unsent().is_empty() {
            self.touched.push(id);
        }
        self.update(id);
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

    fn count_memory(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id) {
            let memory_bytes = connection.memory_bytes();
            self.memory_bytes += memory_bytes;
            self.memory_bytes -= connection.counted_bytes;
            connection.counted_bytes = memory_bytes;
        }
    }

    fn queue(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id)
            && !connection.is_queued
            && connection.has_work()
        {
            connection.is_queued = true;
            self.queues[connection.rank() as usize].push_back(id);
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

    /// Closes the largest holders when all connections together hold too much: strangers and viewers
    /// before agencies, and of each those first that made no progress in this turn.
    fn keep_within_memory(&mut self, now: Duration) {
        let max = self.limits.memory_bytes_max;
        if self.memory_bytes <= max {
            return;
        }
        let mut holders: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.counted_bytes > 0)
            .map(|(id, connection)| {
                let is_agency = connection.is_agency();
                let progresses = connection.last_progress == now;
                let least = usize::MAX - connection.counted_bytes;
                (is_agency, progresses, least, *id)
            })
            .collect();
        holders.sort_unstable();
        // Somewhat more than needed, so that this is not done again in the next turn.
        let enough = max - max / 8;
        let before = self.memory_bytes;
        let mut closed = 0;
        for (.., id) in holders {
            if self.memory_bytes <= enough {
                break;
            }
            self.disconnect(id);
            closed += 1;
        }
        log_lines::memory_exceeded(before, max, closed);
    }

    /// Closes the connections whose time is up. A connection's timer is not moved when it speaks; it
    /// is looked at when it fires, and set anew.
    fn close_overdue(&mut self, now: Duration) {
        while let Some(id) = self.timers.take_expired(now) {
            let Some(connection) = self.connections.get(&id) else {
                continue;
            };
            if let Some(until) = connection.lingers_until {
                if until <= now {
                    self.disconnect(id);
                }
                continue;
            }
            let Some(timeout) = self.limits.idle_timeout else {
                continue;
            };
            let (since, overdue) = connection.waits_since(now);
            let deadline = since + timeout;
            if deadline > now {
                self.timers.set(deadline, id);
            } else if connection.is_queued && overdue != Overdue::Unidentified {
                // It has sent what nobody has looked at yet, perhaps because a sync took long.
                self.timers.set(now + SECOND_LOOK, id);
            } else {
                log_lines::overdue_closed(connection.peer, overdue, timeout);
                self.disconnect(id);
            }
        }
    }
}

impl<S: Session, T: Socket> Connection<S, T> {
    /// What the server has waited for longest, and since when.
    fn waits_since(&self, now: Duration) -> (Duration, Overdue) {
        let is_excused = self.session.is_parked() && self.is_flushed();
        let silent_since = if is_excused { now } else { self.last_activity };
        let is_unidentified = !self.is_agency() && !is_excused;
        let unidentified = is_unidentified.then_some(self.connected_at);
        let unfinished = self.message_since.filter(|_| !is_excused);
        let waits = [
            (Some(silent_since), Overdue::Silent),
            (unfinished, Overdue::UnfinishedMessage),
            (unidentified, Overdue::Unidentified),
        ];
        let waits = waits.into_iter();
        waits
            .filter_map(|(since, overdue)| Some((since?, overdue)))
            .min_by_key(|(since, _)| *since)
            .unwrap_or((now, Overdue::Silent))
    }
}

/// The open connections, as the service sees them.
struct Open<'r, S, T> {
    connections: &'r mut HashMap<ConnectionId, Connection<S, T>>,
    touched: &'r mut Vec<ConnectionId>,
    memory_bytes: usize,
}

impl<S: Session, T> Connections<S> for Open<'_, S, T> {
    fn get(&mut self, id: ConnectionId) -> Option<(&mut S, &mut Outgoing)> {
        let connection = self.connections.get_mut(&id)?;
        // The answers to one connection's messages come one behind the other.
        if self.touched.last() != Some(&id) {
            self.touched.push(id);
        }
        Some((&mut connection.session, &mut connection.outgoing))
    }

    fn census(&self) -> Census {
        let mut census = Census {
            memory_bytes: self.memory_bytes,
            ..Census::default()
        };
        for connection in self.connections.values() {
            match connection.session.class() {
                Class::Agency => {
                    census.agencies += 1;
                    census.parked += usize::from(connection.session.is_parked());
                }
                Class::Stranger => census.strangers += 1,
                Class::Viewer => census.viewers += 1,
            }
        }
        census
    }
}

#[cfg(test)]
mod tests;
