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

use crate::config::Network;
use crate::log_lines;
use crate::signals::Signals;
use crate::tls::{self, TlsError};

/// Bytes that one system call reads: answers are small, but a window of them may come at once.
const READ_BYTES: usize = 16 * 1024;

/// Silence after which the system asks whether the central is still there, and the pause between
/// its questions: the wait for the draw may take hours, and a machine may vanish without a word.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// What went wrong between here and the central.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// No connection could be made to this address.
    #[error("connecting to {0}: {1}")]
    Connect(String, io::Error),
    /// The connection broke.
    #[error("the connection to the central broke: {0}")]
    Broken(#[from] io::Error),
    /// The central closed the connection.
    #[error("the central closed the connection")]
    Closed,
    /// The central did not answer, or did not read, in time.
    #[error("the central did not answer within {}", humantime::format_duration(*.0))]
    TimedOut(Duration),
    /// The central sent what is no message, or contradicts itself.
    #[error("the central sent no valid message: {0}")]
    Invalid(#[from] Refusal),
    /// TLS cannot be set up.
    #[error(transparent)]
    TlsSettings(#[from] TlsError),
    /// There is no TLS with the central.
    #[error("no TLS with the central: {0}")]
    Tls(String),
}

impl ConnectionError {
    /// Whether another connection may fare better.
    pub fn is_passing(&self) -> bool {
        use ConnectionError::{Invalid, Tls, TlsSettings};
        !matches!(self, Invalid(_) | TlsSettings(_) | Tls(_))
    }
}

/// A socket, and perhaps TLS on it. Neither blocks.
#[derive(Debug)]
enum Transport {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Transport {
    fn socket(&self) -> &TcpStream {
        match self {
            Transport::Plain(socket) => socket,
            Transport::Tls(tls) => &tls.sock,
        }
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Transport::Plain(socket) => socket.read(buffer),
            // Replies say where they end, so a session that is cut off loses nothing unnoticed.
            Transport::Tls(tls) => match tls.read(buffer) {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(0),
                result => result,
            },
        }
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Transport::Plain(socket) => socket.write(bytes),
            Transport::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Transport::Plain(_) => Ok(()),
            Transport::Tls(tls) => tls.flush(),
        }
    }
}

/// A connection to a central. It is closed when it is dropped.
#[derive(Debug)]
pub struct Connection {
    client: u32,
    transport: Transport,
    timeout: Duration,
    signals: Signals,
    inbox: Inbox,
    buffer: Box<[u8]>,
    /// The part of the buffer that was read and not looked at.
    unread: Range<usize>,
}

impl Connection {
    /// Connects `client` to the first of the central's addresses that answers, within the time of an
    /// answer.
    pub fn open(
        client: u32,
        network: &Network,
        signals: &Signals,
    ) -> Result<Connection, ConnectionError> {
        let address = &network.server_address;
        let timeout = network.socket_timeout;
        let session = tls::session(network)?;
        let socket = connect(address, timeout, signals);
        let socket = socket.map_err(|error| ConnectionError::Connect(address.clone(), error))?;
        let transport = match session {
            None => Transport::Plain(socket),
            Some(session) => Transport::Tls(Box::new(StreamOwned::new(session, socket))),
        };
        let mut connection = Connection {
            client,
            transport,
            timeout,
            signals: signals.clone(),
            inbox: Inbox::default(),
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            unread: 0..0,
        };
        connection.shake_hands()?;
        Ok(connection)
    }

    /// Completes the handshake of TLS, within the time of an answer.
    fn shake_hands(&mut self) -> Result<(), ConnectionError> {
        let deadline = self.deadline();
        while let Transport::Tls(tls) = &self.transport
            && tls.conn.is_handshaking()
        {
            let readiness = match tls.conn.wants_write() {
                true => PollFlags::OUT,
                false => PollFlags::IN,
            };
            self.when_ready(readiness, deadline, |transport, _| match transport {
                Transport::Plain(_) => Ok(0),
                Transport::Tls(tls) => tls.conn.complete_io(&mut tls.sock).map(|(read, _)| read),
            })?;
        }
        Ok(())
    }

    /// When an answer is due that is waited for from now on.
    pub fn deadline(&self) -> Option<Instant> {
        Instant::now().checked_add(self.timeout)
    }

    /// Sends all of `bytes` within the time of an answer, and empties it.
    pub fn send(&mut self, bytes: &mut Vec<u8>) -> Result<(), ConnectionError> {
        let deadline = self.deadline();
        let mut sent = 0;
        while sent < bytes.len() {
            sent += self.when_ready(PollFlags::OUT, deadline, |transport, _| {
                transport.write(&bytes[sent..])
            })?;
        }
        self.when_ready(PollFlags::OUT, deadline, |transport, _| {
            transport.flush().map(|()| 0)
        })?;
        bytes.clear();
        Ok(())
    }

    /// Reads what there is, at least a byte; nothing when the central has closed the connection.
    pub fn read(&mut self, deadline: Option<Instant>) -> Result<&[u8], ConnectionError> {
        self.unread = 0..0;
        let read = self.when_ready(PollFlags::IN, deadline, |transport, buffer| {
            transport.read(buffer)
        })?;
        Ok(&self.buffer[..read])
    }

    /// Waits for the next reply, until the deadline for the whole of it. Without one, it may take as
    /// long as it likes to begin, and has the time of an answer from there on. An InformWinners may
    /// tell of at most `winners_max` winners.
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
        mut io: impl FnMut(&mut Transport, &mut [u8]) -> io::Result<usize>,
    ) -> Result<usize, ConnectionError> {
        self.signals.check()?;
        // A peer that always has one more byte is not waited for any longer either.
        let mut is_late = deadline.is_some_and(|deadline| deadline <= Instant::now());
        while !is_late {
            match io(&mut self.transport, &mut self.buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(broken(error)),
                Ok(bytes) => return Ok(bytes),
            }
            let event = PollFd::new(self.transport.socket(), readiness);
            is_late = !self.signals.wait(Some(event), deadline)?;
        }
        Err(ConnectionError::TimedOut(self.timeout))
    }
}

/// What an error of the transport means.
fn broken(error: io::Error) -> ConnectionError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(error) => ConnectionError::Tls(tls::cause(error)),
        None => ConnectionError::Broken(error),
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.signals.have_ended_it() {
            log_lines::closed("connection", self.client);
        }
    }
}

/// Connects on a thread of its own, as neither resolving a name nor connecting can be interrupted.
/// All addresses of the name share the time.
fn connect(address: &str, timeout: Duration, signals: &Signals) -> io::Result<TcpStream> {
    let name = address.to_owned();
    let connect_to_any = move || {
        let addresses: Vec<_> = name.to_socket_addrs()?.collect();
        let timeout = timeout / (addresses.len() as u32).max(1);
        let mut failure = io::Error::new(ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            match TcpStream::connect_timeout(&address, timeout) {
                Ok(socket) => return Ok(socket),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    };
    let socket = signals.run(connect_to_any, Instant::now().checked_add(timeout))??;
    socket.set_nonblocking(true)?;
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_INTERVAL);
    SockRef::from(&socket).set_tcp_keepalive(&keepalive)?;
    Ok(socket)
}
