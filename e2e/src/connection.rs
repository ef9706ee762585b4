//! A connection between programs under test and what is written by hand, as bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::PATIENCE;

/// Either end of a connection. Whatever waits, waits no longer than [`PATIENCE`].
#[derive(Debug)]
pub struct HandConnection {
    stream: TcpStream,
}

impl HandConnection {
    pub(crate) fn new(stream: TcpStream) -> HandConnection {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        HandConnection { stream }
    }

    /// Sends any bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends no more, but goes on reading.
    pub fn half_close(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// The next bytes.
    pub fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.read(&mut bytes);
        bytes
    }

    /// The next `count` bytes.
    pub fn take_many(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.read(&mut bytes);
        bytes
    }

    fn read(&mut self, bytes: &mut [u8]) {
        self.stream
            .read_exact(bytes)
            .unwrap_or_else(|error| panic!("expected {} bytes: {error}", bytes.len()));
    }

    /// Waits for a byte, which stays unread, or for the end of the connection in whatever way, and
    /// says whether it has ended.
    pub fn has_ended(&self) -> bool {
        match self.stream.peek(&mut [0]) {
            Ok(bytes) => bytes == 0,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => true,
            Err(error) => panic!("expected a byte or the end of the connection: {error}"),
        }
    }

    /// Expects the end of the stream, in good order and with no bytes before it.
    pub fn expect_closed(&mut self) {
        let mut rest = Vec::new();
        self.stream
            .read_to_end(&mut rest)
            .unwrap_or_else(|error| panic!("expected the end of the stream: {error}"));
        assert_eq!(rest, [], "expected the end of the stream");
    }

    /// Expects that no byte has come so far.
    pub fn expect_nothing_yet(&mut self) {
        self.stream.set_nonblocking(true).unwrap();
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).unwrap();
        match peeked {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => panic!("expected an open connection without a byte to read: {other:?}"),
        }
    }

    /// The stream itself, for what neither agency nor central does.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }
}
