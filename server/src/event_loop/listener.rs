//! The socket that agencies connect to.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mio::event::Source;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};

use crate::journal;

/// Connections accepted in a turn, so that a crowd at the door does not keep the others waiting.
const ACCEPTS_PER_TURN: usize = 256;

/// How long accepting rests after the system had no descriptor for it.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listening socket and whether anybody waits at it.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    is_ready: bool,
    /// Set while accepting rests.
    paused_until: Option<Duration>,
    /// Set while accepting fails, so that it is logged once.
    is_failing: bool,
}

impl Listener {
    /// Listens on `address`, with `backlog` given to `listen(2)`.
    ///
    /// # Errors
    ///
    /// When the address cannot be listened on.
    pub fn bind(address: SocketAddr, backlog: i32) -> io::Result<Listener> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        // A server that is started again must not wait for the last one's connections to expire.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(backlog)?;
        Ok(Listener {
            listener: TcpListener::from_std(socket.into()),
            is_ready: false,
            paused_until: None,
            is_failing: false,
        })
    }

    /// The address listened on, with the port that the system chose when none was asked for.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Notes that somebody waits.
    pub(super) fn note_ready(&mut self) {
        self.is_ready = true;
    }

    /// When accepting should go on without further notice; `has_room` says whether it could.
    pub(super) fn next_deadline(&self, has_room: bool) -> Option<Duration> {
        (self.is_ready && has_room).then_some(self.paused_until.unwrap_or(Duration::ZERO))
    }

    /// Accepts who waits, at most `room` and a turn's worth of them.
    pub(super) fn accept(&mut self, room: usize, elapsed: Duration) -> Vec<TcpStream> {
        let mut accepted = Vec::new();
        if !self.is_ready || self.paused_until.is_some_and(|until| until > elapsed) {
            return accepted;
        }
        self.paused_until = None;
        while accepted.len() < room.min(ACCEPTS_PER_TURN) {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    self.is_failing = false;
                    accepted.push(stream);
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => {
                        self.is_ready = false;
                        break;
                    }
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                    _ => {
                        self.pause(&error, elapsed);
                        break;
                    }
                },
            }
        }
        accepted
    }

    fn pause(&mut self, error: &io::Error, elapsed: Duration) {
        self.paused_until = Some(elapsed + ACCEPT_PAUSE);
        if !self.is_failing {
            self.is_failing = true;
            journal::accepting_fails(error);
        }
    }
}

impl Source for Listener {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.listener.register(registry, token, interest)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.listener.reregister(registry, token, interest)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.listener.deregister(registry)
    }
}
