//! The system's sockets, one for each connection.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Shutdown};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{SockRef, TcpKeepalive};

use crate::layers::ConnectionId;
use crate::reactor::Sockets;

/// Silence after which the system asks whether the peer is still there, and the pause between its
/// questions. A parked agency may be silent for hours, and vanish without a word.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Streams, registered for events under their connections' numbers.
#[derive(Debug)]
pub struct Streams {
    registry: Registry,
    streams: HashMap<ConnectionId, TcpStream>,
}

impl Streams {
    /// No streams yet; their events will go to `registry`.
    pub fn new(registry: Registry) -> Streams {
        Streams {
            registry,
            streams: HashMap::new(),
        }
    }

    /// Takes a stream that was just accepted, and says who is at its other end. Its events are asked
    /// for once: they are edges.
    ///
    /// # Errors
    ///
    /// When the peer is gone already.
    pub fn open(&mut self, id: ConnectionId, mut stream: TcpStream) -> io::Result<IpAddr> {
        let peer = stream.peer_addr()?.ip();
        // Answers are few bytes and are waited for.
        stream.set_nodelay(true)?;
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE_AFTER)
            .with_interval(KEEPALIVE_INTERVAL);
        SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(&mut stream, Token(id.0), interest)?;
        self.streams.insert(id, stream);
        Ok(peer)
    }

    fn stream(&mut self, id: ConnectionId) -> io::Result<&mut TcpStream> {
        let stream = self.streams.get_mut(&id);
        stream.ok_or_else(|| ErrorKind::NotConnected.into())
    }
}

impl Sockets for Streams {
    fn read(&mut self, id: ConnectionId, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream(id)?.read(buffer)
    }

    fn write(&mut self, id: ConnectionId, bytes: &[u8]) -> io::Result<usize> {
        self.stream(id)?.write(bytes)
    }

    fn shut_down_writing(&mut self, id: ConnectionId) -> io::Result<()> {
        self.stream(id)?.shutdown(Shutdown::Write)
    }

    fn close(&mut self, id: ConnectionId) {
        if let Some(mut stream) = self.streams.remove(&id) {
            // It can only fail for a stream of which no events were asked for.
            let _ = self.registry.deregister(&mut stream);
        }
    }
}
