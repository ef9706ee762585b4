//! A socket of an agency: reading and writing without blocking.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{SockRef, TcpKeepalive};

use crate::service::Outgoing;

/// Silence after which the system asks whether the peer is still there, and the pause between its
/// questions. A parked agency may be silent for hours, and vanish without a word.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// A connection. Its flags say what is known of its readiness; the event loop keeps them.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// Who is at the other end.
    pub peer: SocketAddr,
    /// Whether there may be bytes that were not read.
    pub is_readable: bool,
    /// Whether it is in the queue of readable connections.
    pub is_queued: bool,
    /// Whether the peer is gone in both directions.
    pub is_dead: bool,
    /// Whether the system announced the end of the stream, so that reading goes on until it comes.
    pub saw_end: bool,
    /// When bytes last went in or out, as time since the server started.
    pub last_activity: Duration,
    has_ended: bool,
    lingers_until: Option<Duration>,
}

/// What reading gave.
#[derive(Debug)]
pub enum Read {
    /// This many bytes.
    Bytes(usize),
    /// Nothing for now.
    Nothing,
    /// The end: the peer sends no more.
    Ended,
    /// The connection is broken.
    Failed,
}

/// How far sending came.
#[derive(Debug)]
pub enum Sent {
    /// Nothing is left.
    Everything,
    /// The system takes no more for now.
    Part,
    /// The connection is broken.
    Failed,
}

impl Connection {
    /// A connection over a stream that was just accepted, whose events come under `token`. They are
    /// asked for once: they are edges.
    ///
    /// # Errors
    ///
    /// When the peer is gone already.
    pub fn open(
        mut stream: TcpStream,
        registry: &Registry,
        token: Token,
        elapsed: Duration,
    ) -> io::Result<Connection> {
        let peer = stream.peer_addr()?;
        // Answers are few bytes and are waited for.
        stream.set_nodelay(true)?;
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE_AFTER)
            .with_interval(KEEPALIVE_INTERVAL);
        SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Connection {
            stream,
            peer,
            is_readable: false,
            is_queued: false,
            is_dead: false,
            saw_end: false,
            last_activity: elapsed,
            has_ended: false,
            lingers_until: None,
        })
    }

    /// Asks for no more events. That can only fail when there were none.
    pub fn deregister(&mut self, registry: &Registry) {
        let _ = registry.deregister(&mut self.stream);
    }

    /// Reads once into `buffer`.
    pub fn read(&mut self, buffer: &mut [u8], elapsed: Duration) -> Read {
        loop {
            return match self.stream.read(buffer) {
                Ok(0) => {
                    self.is_readable = false;
                    self.has_ended = true;
                    Read::Ended
                }
                Ok(bytes) => {
                    // A read that does not fill the buffer has emptied the socket, and a new edge
                    // will follow; this saves the call that would say so. See epoll(7).
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

    /// Sends as much of `outgoing` as the system takes.
    pub fn send(&mut self, outgoing: &mut Outgoing, elapsed: Duration) -> Sent {
        while !outgoing.unsent().is_empty() {
            match self.stream.write(outgoing.unsent()) {
                Ok(0) => return Sent::Failed,
                Ok(bytes) => {
                    outgoing.advance(bytes);
                    self.last_activity = elapsed;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Sent::Part,
                Err(_) => return Sent::Failed,
            }
        }
        Sent::Everything
    }

    /// Whether the peer's end of the stream was read.
    pub fn saw_stream_end(&self) -> bool {
        self.has_ended
    }

    /// Sends no more, and keeps the connection until the peer closes or `until` has come.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    pub fn linger_until(&mut self, until: Duration) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)?;
        self.lingers_until = Some(until);
        Ok(())
    }

    /// Until when the connection is kept, if its last answer was sent.
    pub fn lingers_until(&self) -> Option<Duration> {
        self.lingers_until
    }

    /// Whether the last answer was sent.
    pub fn is_lingering(&self) -> bool {
        self.lingers_until.is_some()
    }
}
