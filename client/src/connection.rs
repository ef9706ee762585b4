//! A connection to the central: its bytes, and the replies that they make. The socket does not
//! block: all waiting is done by [`Signals`], so a signal ends it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::ops::Range;
use std::time::{Duration, Instant};

use lottery_core::codec::{Inbox, native};
use lottery_core::message::{Refusal, Reply};
use rustix::event::{PollFd, PollFlags};
use rustls::{ClientConnection, StreamOwned};
use socket2::{SockRef, TcpKeepalive};
use thiserror::Error;

use crate::config::Network;
use crate::log_lines;
use crate::signals::Signals;
use crate::tls;

/// Bytes that one system call reads: answers are small, but a window of them may come at once.
const READ_BYTES: usize = 16 * 1024;

/// Silence after which the system asks whether the central is still there, and the pause between
/// its questions: the wait for the draw may take hours, and a machine may vanish without a word.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

#[derive(Debug, Error)]
pub enum ConnectionError {
    #[error("no server answers at {0}: {1}")]
    Connect(String, io::Error),
    #[error("lost the connection to the central: {0}")]
    Broken(#[from] io::Error),
    #[error("the central closed the connection")]
    Closed,
    /// It did not answer, or did not read.
    #[error("the central did not answer within {}", humantime::format_duration(*.0))]
    TimedOut(Duration),
    /// It sent an invalid message, or one that contradicts another.
    #[error("the central sent no valid message: {0}")]
    Invalid(#[from] Refusal),
    #[error("{0:#}")]
    TlsSettings(anyhow::Error),
    #[error("no TLS with the central: {0}")]
    Tls(String),
}

impl ConnectionError {
    /// Whether another attempt may succeed.
    pub fn is_passing(&self) -> bool {
        use ConnectionError::{Invalid, Tls, TlsSettings};
        !matches!(self, Invalid(_) | TlsSettings(_) | Tls(_))
    }

    fn of_stream(error: io::Error) -> ConnectionError {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        match inner {
            Some(error) => ConnectionError::Tls(tls::cause(error)),
            None => ConnectionError::Broken(error),
        }
    }
}

/// A socket, or TLS on it.
trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// A connection to a central. It is closed when it is dropped.
pub struct Connection {
    client: u32,
    socket: TcpStream,
    stream: Box<dyn Stream>,
    timeout: Duration,
    signals: Signals,
    inbox: Inbox,
    buffer: Box<[u8]>,
    /// The part of the buffer that was read and not parsed yet.
    unread: Range<usize>,
}

impl Connection {
    /// Connects `client` to the first of the central's addresses that answers, within the answer
    /// timeout.
    pub fn open(
        client: u32,
        network: &Network,
        signals: &Signals,
    ) -> Result<Connection, ConnectionError> {
        let (address, timeout) = (network.server_address.clone(), network.socket_timeout);
        let session = tls::session(network).map_err(ConnectionError::TlsSettings)?;
        let late = |error| ConnectionError::Connect(network.server_address.clone(), error);
        // Neither resolving a name nor connecting can be interrupted.
        let connecting = signals.run(
            move || connect(address, timeout, session),
            Instant::now().checked_add(timeout),
        );
        let (socket, stream) = connecting.map_err(late)??;
        Ok(Connection {
            client,
            socket,
            stream,
            timeout,
            signals: signals.clone(),
            inbox: Inbox::default(),
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            unread: 0..0,
        })
    }

    /// When an answer is due that is waited for from now on.
    pub fn deadline(&self) -> Option<Instant> {
        Instant::now().checked_add(self.timeout)
    }

    /// Sends all of `bytes` within the answer timeout, and empties it.
    pub fn send(&mut self, bytes: &mut Vec<u8>) -> Result<(), ConnectionError> {
        let deadline = self.deadline();
        let mut sent = 0;
        while sent < bytes.len() {
            sent += self.when_ready(PollFlags::OUT, deadline, |stream, _| {
                stream.write(&bytes[sent..])
            })?;
        }
        self.when_ready(PollFlags::OUT, deadline, |stream, _| {
            stream.flush().map(|()| 0)
        })?;
        bytes.clear();
        Ok(())
    }

    /// Reads at least one byte; an empty slice at the end of the stream.
    pub fn read(&mut self, deadline: Option<Instant>) -> Result<&[u8], ConnectionError> {
        self.unread = 0..0;
        let read = self.when_ready(PollFlags::IN, deadline, |stream, buffer| {
            match stream.read(buffer) {
                // Replies say where they end, so a TLS session that is cut off loses nothing unnoticed.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(0),
                result => result,
            }
        })?;
        Ok(&self.buffer[..read])
    }

    /// Waits for the next reply until the deadline. Without one, waits for its first byte for ever and
    /// then for the answer timeout. An InformWinners may have at most `winners_max` winners.
    pub fn receive(
        &mut self,
        mut deadline: Option<Instant>,
        winners_max: u64,
    ) -> Result<Reply, ConnectionError> {
        loop {
            if let Some(reply) = self.received(winners_max)? {
                return Ok(reply);
            }
            if self.inbox.kept_bytes() > 0 {
                deadline = deadline.or(self.deadline());
            }
            self.unread = 0..self.read(deadline)?.len();
            if self.unread.is_empty() {
                return Err(ConnectionError::Closed);
            }
        }
    }

    /// The next reply, if it has been read already.
    pub fn received(&mut self, winners_max: u64) -> Result<Option<Reply>, ConnectionError> {
        let mut input = &self.buffer[self.unread.clone()];
        let scan = |bytes: &[u8]| native::scan_reply(bytes, winners_max);
        let message = self.inbox.next_message(&mut input, scan)?;
        self.unread.start = self.unread.end - input.len();
        Ok(message.map(native::parse_reply).transpose()?)
    }

    /// Tries, and waits when the socket is not ready.
    fn when_ready(
        &mut self,
        readiness: PollFlags,
        deadline: Option<Instant>,
        mut io: impl FnMut(&mut dyn Stream, &mut [u8]) -> io::Result<usize>,
    ) -> Result<usize, ConnectionError> {
        self.signals.check()?;
        // Checked before each attempt, so that a peer that drips bytes cannot extend it.
        let mut is_late = deadline.is_some_and(|deadline| deadline <= Instant::now());
        while !is_late {
            match io(&mut *self.stream, &mut self.buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return result.map_err(ConnectionError::of_stream),
            }
            let event = PollFd::new(&self.socket, readiness);
            is_late = !self.signals.wait(Some(event), deadline)?;
        }
        Err(ConnectionError::TimedOut(self.timeout))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.signals.have_ended_it() {
            log_lines::closed("connection", self.client);
        }
    }
}

/// Connects, and agrees on TLS if there is a session. All addresses of the name share the time.
fn connect(
    address: String,
    timeout: Duration,
    session: Option<ClientConnection>,
) -> Result<(TcpStream, Box<dyn Stream>), ConnectionError> {
    let socket = connect_to_any(&address, timeout);
    let socket = socket.map_err(|error| ConnectionError::Connect(address, error))?;
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_INTERVAL);
    SockRef::from(&socket).set_tcp_keepalive(&keepalive)?;
    let own = socket.try_clone()?;
    let stream: Box<dyn Stream> = match session {
        None => Box::new(own),
        Some(session) => {
            // The caller gives up earlier; these only make sure that this thread ends.
            socket.set_read_timeout(Some(timeout * 2))?;
            socket.set_write_timeout(Some(timeout * 2))?;
            let mut tls = StreamOwned::new(session, own);
            let shaken = tls.conn.complete_io(&mut tls.sock);
            shaken.map_err(ConnectionError::of_stream)?;
            Box::new(tls)
        }
    };
    socket.set_nonblocking(true)?;
    Ok((socket, stream))
}

fn connect_to_any(address: &str, timeout: Duration) -> io::Result<TcpStream> {
    let addresses: Vec<_> = address.to_socket_addrs()?.collect();
    let timeout = timeout / (addresses.len() as u32).max(1);
    let mut failure = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}
