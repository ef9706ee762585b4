//! One thread, one loop, in turns.
//!
//! A turn is: sleep until something is ready; accept; read every ready connection, within a budget
//! each; let the service end the turn, which commits once for all of them; write the answers; close
//! what is to be closed. Sleeping comes last and lasts until the next event or deadline.
//!
//! mio is edge-triggered: it says once that a connection is ready, and then no more until that
//! has been used up. Connections whose bytes were not all read, because their budget or the turn's
//! was spent, are therefore remembered in a queue, and the loop does not sleep while it has any.

mod connection;
mod listener;
mod timers;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::time::{Duration, Instant};

use lottery_core::date::Date;
use mio::event::Event;
use mio::{Events, Interest, Poll, Token};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook_mio::v1_0::Signals;
use thiserror::Error;

use crate::journal;
use crate::layers::{ConnectionId, Moment};
use crate::service::{Ending, Service};
use connection::{Connection, Read, Sent};
use timers::Timers;

pub use listener::Listener;

/// Bytes that one system call reads.
const READ_BYTES: usize = 64 * 1024;

/// Reads that a connection has in a turn before the next one has its own.
const READS_PER_TURN: usize = 4;

/// Events taken from the system at once.
const EVENTS_PER_TURN: usize = 1024;

/// How long a connection whose last answer was sent is kept, so that the peer can read the answer
/// before it learns that what it had sent behind its request will not be read.
const LINGER: Duration = Duration::from_secs(1);

/// How long the end of the server waits for answers to leave.
const FLUSH_AT_END: Duration = Duration::from_millis(300);

const LISTENER: Token = Token(0);
const SIGNALS: Token = Token(1);
const FIRST_CONNECTION: usize = 2;

/// Bounds of the event loop, from the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a connection may owe bytes and send none.
    pub idle_timeout: Option<Duration>,
    /// Connections open at once; more wait in the backlog.
    pub connections_max: usize,
}

/// Why the loop ended other than by a signal.
#[derive(Debug, Error)]
pub enum LoopError<E> {
    /// The system's readiness notification, or the signals, failed.
    #[error("waiting for events: {0}")]
    Poll(#[from] io::Error),
    /// The service cannot go on.
    #[error(transparent)]
    Service(E),
}

/// The loop. It owns every socket; the service behind it owns what they mean.
pub struct EventLoop<S> {
    poll: Poll,
    listener: Option<Listener>,
    signals: Signals,
    service: S,
    limits: Limits,
    started: Instant,
    connections: HashMap<ConnectionId, Connection>,
    next_connection: usize,
    /// Connections that may have bytes to read, each once.
    readable: VecDeque<ConnectionId>,
    timers: Timers,
    /// Where bytes are read to, before anybody knows whose they are.
    read_buffer: Box<[u8]>,
}

impl<S: Service> EventLoop<S> {
    /// A loop that accepts from `listener` and serves with `service` until one of `signals` comes,
    /// or at once when one came already.
    ///
    /// # Errors
    ///
    /// When the system gives no readiness notification.
    pub fn new(
        mut listener: Listener,
        mut signals: Signals,
        service: S,
        limits: Limits,
    ) -> io::Result<EventLoop<S>> {
        let poll = Poll::new()?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        poll.registry()
            .register(&mut signals, SIGNALS, Interest::READABLE)?;
        Ok(EventLoop {
            poll,
            listener: Some(listener),
            signals,
            service,
            limits,
            started: Instant::now(),
            connections: HashMap::new(),
            next_connection: FIRST_CONNECTION,
            readable: VecDeque::new(),
            timers: Timers::default(),
            read_buffer: vec![0; READ_BYTES].into_boxed_slice(),
        })
    }

    /// Serves until a signal asks for the end, and then ends in good order.
    ///
    /// # Errors
    ///
    /// When the service cannot go on, or waiting for events fails.
    pub fn run(mut self) -> Result<(), LoopError<S::Error>> {
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        loop {
            self.sleep(&mut events, self.time_to_sleep())?;
            for event in &events {
                self.note(event);
            }
            if let Some(signal) = self.ending_signal() {
                journal::signal_received(signal);
                return self.shut_down(&mut events);
            }
            let now = self.now();
            self.accept(now.elapsed);
            self.read(now);
            self.service.end_turn(now).map_err(LoopError::Service)?;
            self.attend_touched(now.elapsed);
            self.close_expired(now.elapsed);
        }
    }

    /// The signal that asks for the end, if one came. SIGUSR1 only asks how things stand.
    fn ending_signal(&mut self) -> Option<i32> {
        let mut ending = None;
        for signal in self.signals.pending() {
            if signal == SIGUSR1 {
                self.service.log_standing();
            } else {
                ending = Some(signal);
            }
        }
        ending
    }

    fn now(&self) -> Moment {
        Moment {
            elapsed: self.started.elapsed(),
            today: today(),
        }
    }

    fn time_to_sleep(&self) -> Option<Duration> {
        if !self.readable.is_empty() {
            return Some(Duration::ZERO);
        }
        let accepting = self.listener.as_ref().and_then(|listener| {
            listener.next_deadline(self.connections.len() < self.limits.connections_max)
        });
        let deadline = [
            self.service.next_deadline(),
            self.timers.next_deadline(),
            accepting,
        ];
        let elapsed = self.started.elapsed();
        let earliest = deadline.into_iter().flatten().min()?;
        Some(earliest.saturating_sub(elapsed))
    }

    fn sleep(&mut self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                events.clear();
                Ok(())
            }
            result => result,
        }
    }

    fn note(&mut self, event: &Event) {
        match event.token() {
            SIGNALS => {}
            LISTENER => {
                if let Some(listener) = &mut self.listener {
                    listener.note_ready();
                }
            }
            Token(number) => {
                let id = ConnectionId(number);
                let Some(connection) = self.connections.get_mut(&id) else {
                    return;
                };
                let has_end = event.is_read_closed() || event.is_error();
                // Held back or not: where nobody is left in either direction, nothing is waited for.
                connection.is_dead |=
                    event.is_error() || (event.is_read_closed() && event.is_write_closed());
                connection.saw_end |= has_end;
                let can_send = event.is_writable() && !connection.is_dead;
                if event.is_readable() || has_end {
                    connection.is_readable = true;
                    self.queue_readable(id);
                }
                if can_send {
                    self.send(id, self.started.elapsed());
                }
            }
        }
    }

    fn accept(&mut self, elapsed: Duration) {
        let Some(listener) = &mut self.listener else {
            return;
        };
        let room = self
            .limits
            .connections_max
            .saturating_sub(self.connections.len());
        for stream in listener.accept(room, elapsed) {
            let id = ConnectionId(self.next_connection);
            let registry = self.poll.registry();
            let Ok(connection) = Connection::open(stream, registry, Token(id.0), elapsed) else {
                // The peer was gone before it was greeted.
                continue;
            };
            self.next_connection += 1;
            let peer = connection.peer.ip();
            journal::accepted(peer);
            self.connections.insert(id, connection);
            self.service.connected(id, peer);
            if let Some(timeout) = self.limits.idle_timeout {
                self.timers.set(elapsed + timeout, id);
            }
        }
    }

    /// Gives every connection that was readable at the beginning of the turn its reads, unless the
    /// turn is full before; the others keep their places in the queue.
    fn read(&mut self, now: Moment) {
        for _ in 0..self.readable.len() {
            if self.service.is_turn_full() {
                return;
            }
            let Some(id) = self.readable.pop_front() else {
                return;
            };
            self.read_connection(id, now);
        }
    }

    fn read_connection(&mut self, id: ConnectionId, now: Moment) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.is_queued = false;
        if connection.is_dead {
            self.disconnect(id);
            return;
        }
        for _ in 0..READS_PER_TURN {
            if !connection.is_lingering() && !self.service.wants_input(id) {
                return;
            }
            match connection.read(&mut self.read_buffer, now.elapsed) {
                Read::Bytes(_) if connection.is_lingering() => {}
                Read::Bytes(bytes) => self.service.receive(id, &self.read_buffer[..bytes], now),
                Read::Ended if connection.is_lingering() => return self.disconnect(id),
                Read::Ended => return self.service.end_of_stream(id),
                Read::Failed => return self.disconnect(id),
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

    fn attend_touched(&mut self, elapsed: Duration) {
        for id in self.service.take_touched() {
            self.send(id, elapsed);
            let is_readable = self
                .connections
                .get(&id)
                .is_some_and(|connection| connection.is_readable);
            if is_readable && self.service.wants_input(id) {
                self.queue_readable(id);
            }
        }
    }

    /// Sends what the service has for a connection, as far as the system takes it, and carries out
    /// the ending that the service decided on.
    fn send(&mut self, id: ConnectionId, elapsed: Duration) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        let Some(outgoing) = self.service.outgoing(id) else {
            return;
        };
        if outgoing.ending() == Ending::Now {
            return self.disconnect(id);
        }
        match connection.send(outgoing, elapsed) {
            Sent::Everything if outgoing.ending() == Ending::AfterFlush => self.linger(id, elapsed),
            Sent::Everything | Sent::Part => {}
            Sent::Failed => self.disconnect(id),
        }
    }

    /// Tells the peer that no more will come, and waits a little for it to close first.
    fn linger(&mut self, id: ConnectionId, elapsed: Duration) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.is_lingering() {
            return;
        }
        if connection.saw_stream_end() || connection.linger_until(elapsed + LINGER).is_err() {
            return self.disconnect(id);
        }
        self.timers.set(elapsed + LINGER, id);
        self.queue_readable(id);
    }

    fn disconnect(&mut self, id: ConnectionId) {
        if let Some(mut connection) = self.connections.remove(&id) {
            self.service.disconnected(id);
            self.timers.forget_closed(&self.connections);
            connection.deregister(self.poll.registry());
            journal::connection_closed(connection.peer.ip());
        }
    }

    /// Closes the connections that have lingered, or owed bytes, long enough. A connection's timer
    /// is not moved when it speaks; it is looked at when it fires, and set anew.
    fn close_expired(&mut self, elapsed: Duration) {
        while let Some(id) = self.timers.take_expired(elapsed) {
            let Some(connection) = self.connections.get(&id) else {
                continue;
            };
            if let Some(until) = connection.lingers_until() {
                if until <= elapsed {
                    self.disconnect(id);
                }
                continue;
            }
            let Some(timeout) = self.limits.idle_timeout else {
                continue;
            };
            let is_flushed = self
                .service
                .outgoing(id)
                .is_none_or(|outgoing| outgoing.unsent().is_empty());
            let is_excused = is_flushed && self.service.is_parked(id);
            let deadline = if is_excused {
                elapsed
            } else {
                connection.last_activity
            } + timeout;
            if deadline > elapsed {
                self.timers.set(deadline, id);
            } else {
                journal::idle_closed(connection.peer.ip(), timeout.as_secs_f64());
                self.disconnect(id);
            }
        }
    }

    /// Ends in good order: stop accepting, store what is staged, send what is owed as far as it
    /// goes in a short time, close everything.
    fn shut_down(mut self, events: &mut Events) -> Result<(), LoopError<S::Error>> {
        self.listener = None;
        journal::listener_closed();
        let stored = self.service.shut_down(self.now());
        self.flush(events)?;
        let mut connections: Vec<_> = self.connections.into_iter().collect();
        connections.sort_by_key(|(id, _)| *id);
        for (_, connection) in connections {
            let peer = connection.peer.ip();
            drop(connection);
            journal::connection_closed_at_end(peer);
        }
        stored.map_err(LoopError::Service)?;
        journal::shut_down();
        Ok(())
    }

    fn flush(&mut self, events: &mut Events) -> io::Result<()> {
        let end = self.started.elapsed() + FLUSH_AT_END;
        loop {
            let elapsed = self.started.elapsed();
            let ids: Vec<_> = self.connections.keys().copied().collect();
            for id in &ids {
                self.send(*id, elapsed);
            }
            let owes = |id: &ConnectionId| {
                let outgoing = self.service.outgoing(*id);
                outgoing.is_some_and(|outgoing| !outgoing.unsent().is_empty())
            };
            if elapsed >= end || !ids.iter().any(owes) {
                return Ok(());
            }
            self.sleep(events, Some(end - elapsed))?;
        }
    }
}

/// Catches SIGTERM, SIGINT and SIGUSR1 from here on. That is the first thing a server does: opening a large
/// store takes a while, and the first process of a container ignores a signal it does not catch.
///
/// # Errors
///
/// Whatever the system says.
pub fn catch_signals() -> io::Result<Signals> {
    Signals::new([SIGTERM, SIGINT, SIGUSR1])
}

/// The day, in UTC.
fn today() -> Date {
    time::OffsetDateTime::now_utc().date()
}
