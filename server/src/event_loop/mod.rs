//! The event loop: one thread that sleeps until something is ready, and then makes a turn.
//!
//! It owns what the system has to do with it: the listening socket, the connections' sockets, the
//! signals, and mio's poll. What a turn does with them is the [reactor's](crate::reactor) business.

mod listener;
mod streams;

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
use crate::reactor::{Budget, Reactor, Readiness};
use crate::service::Service;
use streams::Streams;

pub use listener::Listener;

/// Bytes that one system call reads.
const READ_BYTES: usize = 64 * 1024;

/// Reads that a connection has in a turn before the next one has its own.
const READS_PER_TURN: usize = 4;

/// Events taken from the system at once.
const EVENTS_PER_TURN: usize = 1024;

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
    streams: Streams,
    reactor: Reactor<S>,
    connections_max: usize,
    next_connection: usize,
    started: Instant,
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
        let registry = poll.registry();
        registry.register(&mut listener, LISTENER, Interest::READABLE)?;
        registry.register(&mut signals, SIGNALS, Interest::READABLE)?;
        let budget = Budget {
            read_bytes: READ_BYTES,
            reads_per_turn: READS_PER_TURN,
            idle_timeout: limits.idle_timeout,
        };
        Ok(EventLoop {
            streams: Streams::new(registry.try_clone()?),
            poll,
            listener: Some(listener),
            signals,
            reactor: Reactor::new(service, budget),
            connections_max: limits.connections_max,
            next_connection: FIRST_CONNECTION,
            started: Instant::now(),
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
            let turn = self.reactor.turn(&mut self.streams, now);
            turn.map_err(LoopError::Service)?;
        }
    }

    /// The signal that asks for the end, if one came. SIGUSR1 only asks how things stand.
    fn ending_signal(&mut self) -> Option<i32> {
        let mut ending = None;
        for signal in self.signals.pending() {
            if signal == SIGUSR1 {
                self.reactor.service().log_standing();
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

    /// How many more connections there may be.
    fn room(&self) -> usize {
        self.connections_max
            .saturating_sub(self.reactor.connections())
    }

    fn time_to_sleep(&self) -> Option<Duration> {
        let listener = self.listener.as_ref();
        let accepting = listener.and_then(|listener| listener.next_deadline(self.room() > 0));
        let deadlines = [self.reactor.next_deadline(), accepting];
        let earliest = deadlines.into_iter().flatten().min()?;
        Some(earliest.saturating_sub(self.started.elapsed()))
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
                let readiness = Readiness {
                    readable: event.is_readable(),
                    writable: event.is_writable(),
                    ended: event.is_read_closed() || event.is_error(),
                    dead: event.is_error() || (event.is_read_closed() && event.is_write_closed()),
                };
                let elapsed = self.started.elapsed();
                self.reactor
                    .note(ConnectionId(number), readiness, &mut self.streams, elapsed);
            }
        }
    }

    fn accept(&mut self, elapsed: Duration) {
        let room = self.room();
        let Some(listener) = &mut self.listener else {
            return;
        };
        for stream in listener.accept(room, elapsed) {
            let id = ConnectionId(self.next_connection);
            self.next_connection += 1;
            // A stream that cannot be taken has lost its peer before it was greeted.
            if let Ok(peer) = self.streams.open(id, stream) {
                journal::accepted(peer);
                self.reactor.connected(id, peer, elapsed);
            }
        }
    }

    /// Ends in good order: stop accepting, store what is staged, send what is owed as far as it
    /// goes in a short time, close everything.
    fn shut_down(mut self, events: &mut Events) -> Result<(), LoopError<S::Error>> {
        self.listener = None;
        journal::listener_closed();
        let stored = self.reactor.shut_down(self.now());
        self.flush(events)?;
        self.reactor.close_all(&mut self.streams);
        stored.map_err(LoopError::Service)?;
        journal::shut_down();
        Ok(())
    }

    fn flush(&mut self, events: &mut Events) -> io::Result<()> {
        let end = self.started.elapsed() + FLUSH_AT_END;
        loop {
            let elapsed = self.started.elapsed();
            let is_anything_left = self.reactor.flush(&mut self.streams, elapsed);
            if elapsed >= end || !is_anything_left {
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
