//! A socket that peers connect to.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use crate::limits::{ACCEPT_PAUSE, KEEPALIVE_AFTER, KEEPALIVE_INTERVAL};
use crate::log_lines;

/// A listening socket and whether anybody waits at it.
#[derive(Debug)]
pub struct Listener {
    pub(crate) socket: TcpListener,
    is_ready: bool,
    /// Set while accepting rests.
    paused_until: Option<Duration>,
    /// Set while accepting fails, so that it is logged once.
    is_failing: bool,
}

impl Listener {
    /// Listens on `address`, with `backlog` given to `listen(2)`.
    pub fn bind(address: SocketAddr, backlog: i32) -> io::Result<Listener> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        // A server that is started again must not wait for the last one's connections to expire.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        // What is accepted inherits these. Answers are few bytes and are waited for.
        socket.set_tcp_nodelay(true)?;
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE_AFTER)
            .with_interval(KEEPALIVE_INTERVAL);
        socket.set_tcp_keepalive(&keepalive)?;
        socket.bind(&address.into())?;
        socket.listen(backlog)?;
        Ok(Listener {
            socket: TcpListener::from_std(socket.into()),
            is_ready: false,
            paused_until: None,
            is_failing: false,
        })
    }

    /// The address listened on, with the port that the system chose when none was asked for.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Notes that somebody waits.
    pub(crate) fn note_ready(&mut self) {
        self.is_ready = true;
    }

    /// When accepting should go on without further notice.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        self.is_ready
            .then_some(self.paused_until.unwrap_or(Duration::ZERO))
    }

    /// Accepts a connection, if one waits, and says who is at its other end.
    pub(crate) fn accept(&mut self, now: Duration) -> Option<(TcpStream, IpAddr)> {
        if !self.is_ready || self.paused_until.is_some_and(|until| until > now) {
            return None;
        }
        self.paused_until = None;
        loop {
            match self.socket.accept() {
                Ok((stream, peer)) => return Some((stream, peer.ip())),
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                    io::ErrorKind::WouldBlock => {
                        self.is_ready = false;
                        return None;
                    }
                    _ => {
                        self.paused_until = Some(now + ACCEPT_PAUSE);
                        self.note_accepted(Err(error));
                        return None;
                    }
                },
            }
        }
    }

    /// Notes whether a connection that waited can be served; the first failure is logged.
    pub(crate) fn note_accepted(&mut self, result: io::Result<()>) {
        let was_failing = std::mem::replace(&mut self.is_failing, result.is_err());
        if let Err(error) = result
            && !was_failing
        {
            log_lines::accepting_fails(&error);
        }
    }
}
