//! A blocking connection to the central, and the replies that come out of it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use lottery_core::protocol::reply::ReplyScanner;
use lottery_core::protocol::{FrameAssembler, FrameError, Malformed, Reply};
use socket2::{SockRef, TcpKeepalive};
use thiserror::Error;

use crate::interruption::{Interrupted, Interruption};

/// Bytes that one system call reads: answers are small, but a window of them may come at once.
const READ_BYTES: usize = 16 * 1024;

/// Silence after which the system asks whether the central is still there, and the pause between
/// its questions: the wait for the draw may take hours, and a machine may vanish without a word.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// What went wrong between here and the central.
#[derive(Debug, Error)]
pub enum ConnectionError {
    /// No connection could be made.
    #[error("connecting to {address}: {error}")]
    Connect {
        /// The central's address as configured.
        address: String,
        /// What the system says.
        error: io::Error,
    },
    /// The connection broke.
    #[error("the connection to the central broke: {0}")]
    Broken(#[from] io::Error),
    /// The central closed the connection.
    #[error(
        "the central closed the connection; it ended, or another program speaks for the same agency"
    )]
    Ended,
    /// The central did not answer, or did not read, in time.
    #[error("the central did not answer within {}", humantime::format_duration(*.0))]
    TimedOut(Duration),
    /// The central sent what is no message.
    #[error("the central sent no valid message: {0}")]
    Frame(#[from] FrameError),
    /// The central sent a message that contradicts itself.
    #[error("the central sent no valid message: {0}")]
    Malformed(#[from] Malformed),
    /// A signal came before there was a connection.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// A signal came, and shut the connection down.
    #[error("{0}")]
    ClosedBySignal(Interrupted),
}

impl ConnectionError {
    /// What an error of a stream with this timeout means.
    pub fn from_io(error: io::Error, timeout: Duration) -> ConnectionError {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => ConnectionError::TimedOut(timeout),
            _ => ConnectionError::Broken(error),
        }
    }

    /// Whether another connection may fare better.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            ConnectionError::Connect { .. }
                | ConnectionError::Broken(_)
                | ConnectionError::Ended
                | ConnectionError::TimedOut(_)
        )
    }
}

/// A connection to a central. It is closed when it is dropped.
pub struct Connection<'a> {
    stream: TcpStream,
    interruption: &'a Interruption,
    timeout: Duration,
    /// What the stream's read timeout is set to.
    read_timeout: Option<Duration>,
    assembler: FrameAssembler<ReplyScanner>,
    buffer: Box<[u8]>,
    /// The part of the buffer that was read and not looked at.
    unread: std::ops::Range<usize>,
}

impl<'a> Connection<'a> {
    /// Connects to the first address of `address` that answers, each within `timeout`, which holds
    /// for each answer later on too.
    ///
    /// # Errors
    ///
    /// When no address answers, or a signal comes.
    pub fn open(
        address: &str,
        timeout: Duration,
        interruption: &'a Interruption,
    ) -> Result<Connection<'a>, ConnectionError> {
        let stream = connect(address, timeout, interruption)?;
        Ok(Connection {
            stream,
            interruption,
            timeout,
            read_timeout: None,
            assembler: FrameAssembler::new(ReplyScanner::new(0)),
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            unread: 0..0,
        })
    }

    /// Sends all of `bytes` and empties the buffer.
    ///
    /// # Errors
    ///
    /// When the connection breaks, the central does not read, or a signal comes.
    pub fn send(&mut self, bytes: &mut Vec<u8>) -> Result<(), ConnectionError> {
        let result = self.stream.write_all(bytes);
        bytes.clear();
        self.explain(result)
    }

    /// Waits for the next reply, within the timeout or, with `patiently`, as long as it takes. An
    /// InformWinners may tell of at most `winners_max` winners.
    ///
    /// # Errors
    ///
    /// When the connection breaks or ends, no answer comes in time, what comes is no reply, or a
    /// signal comes.
    pub fn receive(&mut self, patiently: bool, winners_max: u64) -> Result<Reply, ConnectionError> {
        let timeout = (!patiently).then_some(self.timeout);
        loop {
            if let Some(reply) = self.received(winners_max)? {
                return Ok(reply);
            }
            if self.read_timeout != timeout {
                self.stream.set_read_timeout(timeout)?;
                self.read_timeout = timeout;
            }
            let result = read_some(&mut self.stream, &mut self.buffer);
            self.unread = 0..self.explain(result)?;
            if self.unread.is_empty() {
                return Err(ConnectionError::Ended);
            }
        }
    }

    /// The next reply, if it has been read already.
    ///
    /// # Errors
    ///
    /// When what was read is no reply.
    pub fn received(&mut self, winners_max: u64) -> Result<Option<Reply>, ConnectionError> {
        self.assembler.scanner_mut().set_winners_max(winners_max);
        let mut input = &self.buffer[self.unread.clone()];
        let frame = self.assembler.next_frame(&mut input)?;
        self.unread.start = self.unread.end - input.len();
        frame
            .map(Reply::parse)
            .transpose()
            .map_err(ConnectionError::from)
    }

    fn explain<T>(&self, result: io::Result<T>) -> Result<T, ConnectionError> {
        // A signal shuts the stream down, which looks like an end or an error from here.
        self.interruption
            .check()
            .map_err(ConnectionError::ClosedBySignal)?;
        result.map_err(|error| ConnectionError::from_io(error, self.timeout))
    }
}

/// Connects a stream whose waits a signal ends.
///
/// # Errors
///
/// As [`Connection::open`].
pub fn connect(
    address: &str,
    timeout: Duration,
    interruption: &Interruption,
) -> Result<TcpStream, ConnectionError> {
    let failed = |error| ConnectionError::Connect {
        address: address.to_owned(),
        error,
    };
    let target = address.to_owned();
    let stream = interruption
        .run(move || connect_to_any(&target, timeout))?
        .map_err(failed)?;
    interruption.guard(&stream).map_err(failed)??;
    stream.set_nodelay(true).map_err(failed)?;
    stream.set_write_timeout(Some(timeout)).map_err(failed)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_INTERVAL);
    SockRef::from(&stream)
        .set_tcp_keepalive(&keepalive)
        .map_err(failed)?;
    Ok(stream)
}

fn connect_to_any(address: &str, timeout: Duration) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in address.to_socket_addrs()? {
        let address: SocketAddr = address;
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Reads once, again if the system interrupted it for a reason that is none of ours.
pub fn read_some(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
