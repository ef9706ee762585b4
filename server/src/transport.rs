//! What carries a connection's bytes: a socket, and perhaps TLS on it.
//!
//! TLS is a layer without I/O of its own: rustls turns bytes of the socket into bytes for the codec and
//! back, in the same turn and on the same thread. [`TlsAcceptor`](crate::tls::TlsAcceptor) makes it.

use std::io::{self, ErrorKind, Read, Write};

use rustls::ServerConnection;

use crate::limits::HANDSHAKE_BYTES_MAX;
use crate::tls::{self, Certificate};

/// Reads of the socket that one read of a TLS transport makes at most: a peer may send records without
/// anything in them.
const SOCKET_READS_MAX: usize = 4;

/// The operating system's end of a connection, which never waits: with nothing to read, or no room to
/// write, it fails with [`ErrorKind::WouldBlock`], and announces it when that has changed. A read of
/// fewer bytes than the buffer has room for means that there are no more for now, as epoll(7) has it.
pub trait Socket: Read + Write {
    /// Tells the peer that no more will come.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    fn shut_down_writing(&mut self) -> io::Result<()>;
}

/// A socket, and perhaps TLS on it.
#[derive(Debug)]
pub enum Transport<T> {
    /// The bytes as they are.
    Plain(T),
    /// The bytes in TLS.
    Tls(Box<TlsTransport<T>>),
}

/// A socket with the server's end of TLS on it.
#[derive(Debug)]
pub struct TlsTransport<T> {
    socket: T,
    session: ServerConnection,
    /// Whether the reactor was told who the peer is.
    is_told: bool,
    /// Whether the session failed, or its end was said. What comes then is no more decrypted, as nobody
    /// will look at it.
    is_over: bool,
    /// Whether the socket is to be shut down once everything has left.
    has_end_to_tell: bool,
    /// Bytes of the handshake so far.
    handshake_bytes: usize,
    /// Bytes that came behind it of a record that is not whole yet.
    record_bytes: usize,
    /// Bytes that were written and that the socket has not taken yet.
    unsent_bytes: usize,
}

/// What reading gave.
#[derive(Debug)]
pub enum ReadOutcome {
    /// So many bytes, and perhaps more behind them.
    Bytes {
        /// How many.
        bytes: usize,
        /// Whether there may be more without further notice.
        may_have_more: bool,
    },
    /// Nothing for now.
    Nothing,
    /// Nothing yet, but there are bytes to be read.
    Later,
    /// The peer sends no more.
    Ended,
    /// The connection is broken.
    Broken,
    /// The peer does not get in, for this reason; it is told so.
    Refused(String),
}

impl<T: Socket> Transport<T> {
    /// Reads into the front of `buffer`.
    pub fn read(&mut self, buffer: &mut [u8]) -> ReadOutcome {
        match self {
            Transport::Plain(socket) => read_socket(socket, buffer),
            Transport::Tls(tls) if tls.is_over => read_socket(&mut tls.socket, buffer),
            Transport::Tls(tls) => tls.read(buffer),
        }
    }

    /// Writes some of `bytes`, and says how many.
    ///
    /// # Errors
    ///
    /// When there is no room, or the connection is broken.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Transport::Plain(socket) => socket.write(bytes),
            Transport::Tls(tls) => {
                let taken = tls.session.writer().write(bytes)?;
                tls.unsent_bytes += taken;
                tls.flush()?;
                match taken {
                    0 => Err(ErrorKind::WouldBlock.into()),
                    taken => Ok(taken),
                }
            }
        }
    }

    /// Sends what was written and waits in the transport.
    ///
    /// # Errors
    ///
    /// When the connection is broken; that there is no room is none.
    pub fn flush(&mut self) -> io::Result<()> {
        match self {
            Transport::Plain(_) => Ok(()),
            Transport::Tls(tls) => tls.flush(),
        }
    }

    /// Whether something that was written waits in the transport.
    pub fn has_unsent(&self) -> bool {
        match self {
            Transport::Plain(_) => false,
            Transport::Tls(tls) => tls.session.wants_write(),
        }
    }

    /// Tells the peer that no more will come.
    ///
    /// # Errors
    ///
    /// When the connection is broken.
    pub fn shut_down_writing(&mut self) -> io::Result<()> {
        match self {
            Transport::Plain(socket) => socket.shut_down_writing(),
            Transport::Tls(tls) => {
                tls.session.send_close_notify();
                tls.is_over = true;
                tls.has_end_to_tell = true;
                tls.flush()
            }
        }
    }

    /// Whether it is not settled yet who the peer is.
    pub fn is_handshaking(&self) -> bool {
        match self {
            Transport::Plain(_) => false,
            Transport::Tls(tls) => tls.session.is_handshaking() && !tls.is_over,
        }
    }

    /// Whether nothing of a handshake was answered yet. Who leaves then cannot complete it.
    pub fn is_unanswered(&self) -> bool {
        match self {
            Transport::Plain(_) => false,
            Transport::Tls(tls) => tls.handshake_bytes == 0,
        }
    }

    /// Who the peer has shown to be, once, as soon as that is settled.
    pub fn take_certificate(&mut self) -> Option<Certificate> {
        match self {
            Transport::Tls(tls) if !tls.is_told && !tls.session.is_handshaking() => {
                tls.is_told = true;
                Some(tls::certificate_of(&tls.session))
            }
            _ => None,
        }
    }

    /// Memory that the peer makes the transport keep, in bytes: what a handshake has brought so far, the
    /// beginning of a record, and what the peer does not read.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Transport::Plain(_) => 0,
            Transport::Tls(tls) if tls.session.is_handshaking() => tls.handshake_bytes,
            Transport::Tls(tls) => tls.record_bytes + tls.unsent_bytes,
        }
    }

    /// The socket below.
    pub fn socket(&self) -> &T {
        match self {
            Transport::Plain(socket) => socket,
            Transport::Tls(tls) => &tls.socket,
        }
    }

    /// The session, if there is one.
    pub(crate) fn session(&self) -> Option<&ServerConnection> {
        match self {
            Transport::Plain(_) => None,
            Transport::Tls(tls) => Some(&tls.session),
        }
    }
}

impl<T> TlsTransport<T> {
    /// The server's end of a session that has not begun.
    pub(crate) fn new(socket: T, session: ServerConnection) -> TlsTransport<T> {
        TlsTransport {
            socket,
            session,
            is_told: false,
            is_over: false,
            has_end_to_tell: false,
            handshake_bytes: 0,
            record_bytes: 0,
            unsent_bytes: 0,
        }
    }
}

impl<T: Socket> TlsTransport<T> {
    fn read(&mut self, buffer: &mut [u8]) -> ReadOutcome {
        for _ in 0..SOCKET_READS_MAX {
            match self.session.reader().read(buffer) {
                // Messages say where they end, so a stream that is cut off loses nothing unnoticed.
                Ok(0) => return ReadOutcome::Ended,
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return ReadOutcome::Ended;
                }
                Ok(bytes) => {
                    self.record_bytes = 0;
                    return ReadOutcome::Bytes {
                        bytes,
                        may_have_more: true,
                    };
                }
                Err(_) => {}
            }
            match self.session.read_tls(&mut self.socket) {
                Ok(bytes) if self.session.is_handshaking() => self.handshake_bytes += bytes,
                Ok(bytes) => self.record_bytes += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return ReadOutcome::Nothing;
                }
                Err(_) => return ReadOutcome::Broken,
            }
            if self.handshake_bytes > HANDSHAKE_BYTES_MAX {
                self.is_over = true;
                return ReadOutcome::Refused("too long a handshake".to_owned());
            }
            let result = self.session.process_new_packets();
            // The next words of the handshake, or an alert that says why there are none.
            if self.flush().is_err() {
                return ReadOutcome::Broken;
            }
            if let Err(error) = result {
                self.is_over = true;
                return ReadOutcome::Refused(tls::cause(&error));
            }
        }
        ReadOutcome::Later
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(&mut self.socket) {
                Ok(sent) => self.unsent_bytes = self.unsent_bytes.saturating_sub(sent),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        match std::mem::take(&mut self.has_end_to_tell) {
            true => self.socket.shut_down_writing(),
            false => Ok(()),
        }
    }
}

fn read_socket(socket: &mut impl Socket, buffer: &mut [u8]) -> ReadOutcome {
    loop {
        return match socket.read(buffer) {
            Ok(0) => ReadOutcome::Ended,
            // A new edge will follow where this one is used up; knowing that saves the read that
            // would only say so.
            Ok(bytes) => ReadOutcome::Bytes {
                bytes,
                may_have_more: bytes == buffer.len(),
            },
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == ErrorKind::WouldBlock => ReadOutcome::Nothing,
            Err(_) => ReadOutcome::Broken,
        };
    }
}
