//! What carries a connection's bytes: a socket, and perhaps TLS on it.
//!
//! TLS is a layer without I/O of its own: rustls turns bytes of the socket into bytes for the codec and
//! back, in the same turn and on the same thread. [`TlsAcceptor`](crate::tls::TlsAcceptor) makes it.

use std::io::{self, ErrorKind, Read, Write};

use rustls::ServerConnection;

use crate::central::Certificate;
use crate::limits::HANDSHAKE_BYTES_MAX;
use crate::tls;

/// Reads of the socket that one read of a TLS transport makes at most: a peer may send records without
/// anything in them.
const SOCKET_READS_MAX: usize = 4;

/// The operating system's end of a connection, which never waits: with nothing to read, or no room to
/// write, it fails with [`ErrorKind::WouldBlock`], and announces it when that has changed. A read of
/// fewer bytes than the buffer has room for means that there are no more for now, as epoll(7) has it.
pub trait Socket: Read + Write {
    /// Tells the peer that no more will come.
    fn shut_down_writing(&mut self) -> io::Result<()>;
}

/// A socket, and perhaps TLS on it.
#[derive(Debug)]
pub struct Transport<T> {
    socket: T,
    tls: Option<Box<Tls>>,
}

/// The server's end of TLS on a socket.
#[derive(Debug)]
struct Tls {
    session: ServerConnection,
    /// Whether the reactor was told who the peer is.
    is_told: bool,
    /// Whether the session failed, or its end was said. Later input is discarded
    /// undecrypted.
    is_over: bool,
    /// Whether the socket is to be shut down once everything has left.
    has_end_to_tell: bool,
    /// Bytes of the handshake so far.
    handshake_bytes: usize,
    /// Bytes after it of a record that is not whole yet.
    record_bytes: usize,
    /// Bytes that were written and that the socket has not taken yet.
    unsent_bytes: usize,
}

/// What reading gave.
#[derive(Debug)]
pub enum ReadOutcome {
    /// Some bytes, and perhaps more after them.
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

impl<T> Transport<T> {
    /// The bytes as they are.
    pub fn plain(socket: T) -> Transport<T> {
        Transport { socket, tls: None }
    }

    /// The bytes in TLS, of a session that has not begun.
    pub(crate) fn tls(socket: T, session: ServerConnection) -> Transport<T> {
        let tls = Tls {
            session,
            is_told: false,
            is_over: false,
            has_end_to_tell: false,
            handshake_bytes: 0,
            record_bytes: 0,
            unsent_bytes: 0,
        };
        Transport {
            socket,
            tls: Some(Box::new(tls)),
        }
    }

    /// The socket below.
    pub fn socket(&self) -> &T {
        &self.socket
    }

    /// The session, if there is one.
    pub(crate) fn session(&self) -> Option<&ServerConnection> {
        self.tls.as_ref().map(|tls| &tls.session)
    }
}

impl<T: Socket> Transport<T> {
    /// Reads into the front of `buffer`.
    pub fn read(&mut self, buffer: &mut [u8]) -> ReadOutcome {
        match &mut self.tls {
            Some(tls) if !tls.is_over => tls.read(&mut self.socket, buffer),
            _ => read_socket(&mut self.socket, buffer),
        }
    }

    /// Writes some of `bytes`, and says how many.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.socket.write(bytes);
        };
        let taken = tls.session.writer().write(bytes)?;
        tls.unsent_bytes += taken;
        tls.flush(&mut self.socket)?;
        match taken {
            0 => Err(ErrorKind::WouldBlock.into()),
            taken => Ok(taken),
        }
    }

    /// Sends what was written and waits in the transport.
    ///
    /// # Errors
    ///
    /// When the connection is broken. A full socket is not an error.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => tls.flush(&mut self.socket),
            None => Ok(()),
        }
    }

    /// Whether something that was written waits in the transport.
    pub fn has_unsent(&self) -> bool {
        self.session().is_some_and(|session| session.wants_write())
    }

    /// Tells the peer that no more will come.
    pub fn shut_down_writing(&mut self) -> io::Result<()> {
        let Some(tls) = &mut self.tls else {
            return self.socket.shut_down_writing();
        };
        tls.session.send_close_notify();
        tls.is_over = true;
        tls.has_end_to_tell = true;
        tls.flush(&mut self.socket)
    }

    /// Whether it is not settled yet who the peer is.
    pub fn is_handshaking(&self) -> bool {
        let tls = self.tls.as_ref();
        tls.is_some_and(|tls| tls.session.is_handshaking() && !tls.is_over)
    }

    /// Whether nothing of a handshake was answered yet. A peer that leaves now cannot complete it.
    pub fn is_unanswered(&self) -> bool {
        self.tls
            .as_ref()
            .is_some_and(|tls| tls.handshake_bytes == 0)
    }

    /// Who the peer has shown to be, once, as soon as that is settled.
    pub fn take_certificate(&mut self) -> Option<Certificate> {
        let tls = self.tls.as_mut()?;
        let is_settled = !tls.is_told && !tls.session.is_handshaking();
        tls.is_told |= is_settled;
        is_settled.then(|| tls::certificate_of(&tls.session))
    }

    /// Memory that the peer makes the transport keep, in bytes: what a handshake has brought so far, the
    /// beginning of a record, and what the peer does not read.
    pub fn memory_bytes(&self) -> usize {
        match &self.tls {
            None => 0,
            Some(tls) if tls.session.is_handshaking() => tls.handshake_bytes,
            Some(tls) => tls.record_bytes + tls.unsent_bytes,
        }
    }
}

impl Tls {
    fn read(&mut self, socket: &mut impl Socket, buffer: &mut [u8]) -> ReadOutcome {
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
            match self.session.read_tls(socket) {
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
            if self.flush(socket).is_err() {
                return ReadOutcome::Broken;
            }
            if let Err(error) = result {
                self.is_over = true;
                return ReadOutcome::Refused(tls::cause(&error));
            }
        }
        ReadOutcome::Later
    }

    fn flush(&mut self, socket: &mut impl Socket) -> io::Result<()> {
        while self.session.wants_write() {
            match self.session.write_tls(socket) {
                Ok(sent) => self.unsent_bytes = self.unsent_bytes.saturating_sub(sent),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        match std::mem::take(&mut self.has_end_to_tell) {
            true => socket.shut_down_writing(),
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
