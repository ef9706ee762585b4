//! The event loop: one thread that sleeps until something is ready, and then makes a turn.
//!
//! It owns what the system has to do with it: the listening sockets, the signals, and mio's poll. What
//! a turn does with the connections is the [reactor's](crate::reactor) business.

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXFSZ};
use signal_hook_mio::v1_0::Signals;

use crate::connection::{ConnectionId, Readiness};
use crate::http::Metrics;
use crate::limits::{ACCEPTS_PER_TURN, FLUSH_AT_END};
use crate::listener::Listener;
use crate::log_lines;
use crate::reactor::{Limits, Reactor};
use crate::service::{Behind, Service};
use crate::tls::TlsAcceptor;
use crate::transport::{Socket, Transport};

const SIGNALS: Token = Token(0);
const FIRST_LISTENER: usize = 1;

/// A listening socket, and what is expected behind it.
#[derive(Debug)]
pub struct Door {
    /// The socket.
    pub listener: Listener,
    /// Whether it takes TLS and nothing else.
    pub is_tls: bool,
    /// What is behind it.
    pub behind: Behind,
}

/// The loop. It owns every socket; the service behind it owns what they mean.
pub struct EventLoop<S: Service> {
    poll: Poll,
    /// The doors, by number.
    doors: Vec<Door>,
    tls: Option<TlsAcceptor>,
    signals: Signals,
    reactor: Reactor<S, TcpStream>,
    /// Events taken from the system in a turn. As many as there may be sockets: deadlines are judged by
    /// what was noted, so all of it must be.
    events_max: usize,
    /// Where turns are measured.
    metrics: Option<Metrics>,
    started: Instant,
}

impl<S: Service> EventLoop<S> {
    /// A loop that accepts at `doors` and serves with `service` until one of `signals` comes, or at once
    /// when one came already. Doors that take TLS need `tls`.
    pub fn new(
        mut doors: Vec<Door>,
        tls: Option<TlsAcceptor>,
        mut signals: Signals,
        service: S,
        limits: Limits,
        metrics: Option<Metrics>,
    ) -> io::Result<EventLoop<S>> {
        let poll = Poll::new()?;
        let registry = poll.registry();
        registry.register(&mut signals, SIGNALS, Interest::READABLE)?;
        for (number, door) in doors.iter_mut().enumerate() {
            let token = Token(FIRST_LISTENER + number);
            registry.register(&mut door.listener.socket, token, Interest::READABLE)?;
        }
        Ok(EventLoop {
            reactor: Reactor::new(service, limits, FIRST_LISTENER + doors.len()),
            events_max: limits.connections_max + limits.viewers_max + doors.len() + 1,
            poll,
            doors,
            tls,
            signals,
            metrics,
            started: Instant::now(),
        })
    }

    /// Where its doors are, in their order, with the ports that the system chose.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let doors = self.doors.iter();
        doors.map(|door| door.listener.local_address()).collect()
    }

    /// Serves until a signal asks for a graceful shutdown.
    pub fn run(mut self) -> Result<()> {
        let mut events = Events::with_capacity(self.events_max);
        loop {
            self.sleep(&mut events, self.time_to_sleep())?;
            for event in &events {
                self.note(event);
            }
            if let Some(signal) = self.ending_signal() {
                log_lines::signal_received(signal);
                return self.shut_down(&mut events);
            }
            let now = self.started.elapsed();
            self.accept(now);
            self.reactor.turn(now)?;
            if let Some(metrics) = &self.metrics {
                metrics.note_turn(self.started.elapsed() - now);
            }
        }
    }

    /// The signal that asks for the end, if one came. The others are obeyed here.
    fn ending_signal(&mut self) -> Option<i32> {
        let signals: Vec<i32> = self.signals.pending().collect();
        let mut ending = None;
        for signal in signals {
            match signal {
                SIGUSR1 => self.reactor.service().log_standing(),
                SIGHUP => self.reload_keys(),
                // A write beyond the file size limit fails like one on a full disk.
                SIGXFSZ => {}
                _ => ending = Some(signal),
            }
        }
        ending
    }

    fn reload_keys(&mut self) {
        let Some(tls) = &mut self.tls else { return };
        match tls.reload() {
            Ok(()) => log_lines::keys_reloaded(self.reactor.check_certificates(tls)),
            Err(error) => log_lines::keys_not_reloaded(&error),
        }
    }

    fn time_to_sleep(&self) -> Option<Duration> {
        let mut deadlines = vec![self.reactor.next_deadline()];
        let doors = self.doors.iter().filter(|door| self.has_room(door));
        deadlines.extend(doors.map(|door| door.listener.next_deadline()));
        let earliest = deadlines.into_iter().flatten().min()?;
        Some(earliest.saturating_sub(self.started.elapsed()))
    }

    /// Whether another connection can be taken at this door. For a new viewer the oldest goes.
    fn has_room(&self, door: &Door) -> bool {
        matches!(door.behind, Behind::Viewers) || self.reactor.has_room()
    }

    fn sleep(&mut self, events: &mut Events, timeout: Option<Duration>) -> Result<()> {
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                events.clear();
                Ok(())
            }
            result => result.context("waiting for events"),
        }
    }

    fn note(&mut self, event: &Event) {
        let Token(number) = event.token();
        if event.token() == SIGNALS {
            return;
        }
        if let Some(door) = self.doors.get_mut(number - FIRST_LISTENER) {
            return door.listener.note_ready();
        }
        let readiness = Readiness {
            readable: event.is_readable(),
            writable: event.is_writable(),
            ended: event.is_read_closed() || event.is_error(),
            dead: event.is_error() || (event.is_read_closed() && event.is_write_closed()),
        };
        let now = self.started.elapsed();
        self.reactor.note(ConnectionId(number), readiness, now);
    }

    fn accept(&mut self, now: Duration) {
        for number in 0..self.doors.len() {
            for _ in 0..ACCEPTS_PER_TURN {
                if !self.has_room(&self.doors[number]) {
                    break;
                }
                let Some((stream, peer)) = self.doors[number].listener.accept(now) else {
                    break;
                };
                let greeted = self.greet(number, stream, peer, now);
                self.doors[number].listener.note_accepted(greeted);
            }
        }
    }

    fn greet(
        &mut self,
        number: usize,
        mut stream: TcpStream,
        peer: IpAddr,
        now: Duration,
    ) -> io::Result<()> {
        let door = &self.doors[number];
        let id = self.reactor.next_id();
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        registry.register(&mut stream, Token(id.0), interest)?;
        let transport = match &self.tls {
            Some(tls) if door.is_tls => tls.accept(stream).map_err(io::Error::other)?,
            _ => Transport::plain(stream),
        };
        self.reactor
            .connected(id, door.behind, peer, transport, now);
        Ok(())
    }

    /// Shuts down gracefully: stop accepting, store what is staged, send what is owed as far as it
    /// goes in a short time, close everything.
    fn shut_down(mut self, events: &mut Events) -> Result<()> {
        self.doors.clear();
        log_lines::listener_closed();
        let stored = self.reactor.shut_down(self.started.elapsed());
        self.flush(events)?;
        self.reactor.close_all();
        stored?;
        log_lines::shut_down();
        Ok(())
    }

    fn flush(&mut self, events: &mut Events) -> Result<()> {
        let end = self.started.elapsed() + FLUSH_AT_END;
        loop {
            let now = self.started.elapsed();
            let is_anything_left = self.reactor.flush(now);
            if now >= end || !is_anything_left {
                return Ok(());
            }
            self.sleep(events, Some(end - now))?;
        }
    }
}

impl Socket for TcpStream {
    fn shut_down_writing(&mut self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

/// Catches the signals that a server knows from here on. That is the first thing a server does: opening
/// a large store takes a while, and the first process of a container ignores a signal it does not catch.
///
/// A server that `has_keys` reads them again on SIGHUP, which ends another.
pub fn catch_signals(has_keys: bool) -> io::Result<Signals> {
    let signals = Signals::new([SIGTERM, SIGINT, SIGUSR1, SIGXFSZ])?;
    if has_keys {
        signals.add_signal(SIGHUP)?;
    }
    Ok(signals)
}
