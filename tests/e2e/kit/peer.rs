//! A connection driven by hand.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use super::PATIENCE;
use super::native::{Bet, Message};

/// One end of a connection: an agency's or a central's. It says nothing by itself, and no wait is
/// longer than [`PATIENCE`].
pub struct Peer {
    stream: TcpStream,
}

impl Peer {
    pub fn connect(address: SocketAddr) -> Peer {
        Peer::new(TcpStream::connect(address).unwrap())
    }

    pub fn new(stream: TcpStream) -> Peer {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Peer { stream }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    pub fn say(&mut self, message: Message) {
        self.send(&message.encode());
    }

    /// Sends bytes while the test does something else. The result says whether all were sent.
    pub fn send_in_background(&self, bytes: Vec<u8>) -> JoinHandle<io::Result<()>> {
        let mut stream = self.stream.try_clone().unwrap();
        std::thread::spawn(move || stream.write_all(&bytes))
    }

    /// Sends a message in the background, a byte every now and then, so that the whole takes seconds. The
    /// result says whether all was sent.
    pub fn drip(self, message: Message) -> JoinHandle<io::Result<()>> {
        std::thread::spawn(move || {
            let mut stream = &self.stream;
            for byte in message.encode() {
                stream.write_all(&[byte])?;
                std::thread::sleep(Duration::from_millis(100));
            }
            Ok(())
        })
    }

    /// Sends as many of these bytes as there is room for, drops what came, and says how many were sent.
    pub fn pester(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let waits = |error: &io::Error| error.kind() == ErrorKind::WouldBlock;
        self.stream.set_nonblocking(true)?;
        let sent = match self.stream.write(bytes) {
            Err(error) if waits(&error) => 0,
            sent => sent?,
        };
        match self.stream.read(&mut [0; 64 * 1024]) {
            Err(error) if waits(&error) => Ok(sent),
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            came => came.map(|_| sent),
        }
    }

    pub fn half_close(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    pub fn take(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        let read = self.stream.read_exact(&mut bytes);
        read.unwrap_or_else(|error| panic!("expected {count} bytes: {error}"));
        bytes
    }

    pub fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let read = self.stream.read_to_end(&mut bytes);
        read.unwrap_or_else(|error| panic!("expected the end of the stream: {error}"));
        bytes
    }

    pub fn expect(&mut self, expected: Message) {
        let bytes = expected.encode();
        let mut next = Vec::new();
        let mut stream = (&self.stream).take(bytes.len() as u64);
        let read = stream.read_to_end(&mut next);
        assert_eq!(next, bytes, "expected {expected:?}: {read:?}");
    }

    /// Expects a refusal with this code, and behind it the end of the stream.
    pub fn expect_refusal(&mut self, code: u16) {
        self.expect(Message::RegisterBetFailed(code));
        self.expect_closed();
    }

    /// Expects the end of the stream, without a reset and with no bytes before it.
    pub fn expect_closed(&mut self) {
        assert_eq!(self.rest(), [], "expected the end of the stream");
    }

    /// Expects an open connection on which no byte has come so far.
    pub fn expect_nothing_yet(&mut self) {
        self.stream.set_nonblocking(true).unwrap();
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).unwrap();
        let is_silent = matches!(&peeked, Err(error) if error.kind() == ErrorKind::WouldBlock);
        assert!(is_silent, "expected silence: {peeked:?}");
    }

    /// As an agency: sends Hello, and expects a Welcome for these bets in this state.
    pub fn hello(&mut self, agency: u32, bets: &[Bet], state: u8) {
        self.say(Message::Hello(agency));
        self.expect(Message::welcome(bets, state));
    }

    pub fn store(&mut self, bets: &[Bet]) {
        self.say(Message::RegisterBets(bets.to_vec()));
        self.expect(Message::RegisterBetOk);
    }

    /// As an agency: sends AllBetsSent and RequestWinners in one piece, so that it is parked once
    /// the log says that it has finished.
    pub fn finish(&mut self) {
        let messages = [Message::AllBetsSent, Message::RequestWinners];
        self.send(&Message::encode_all(&messages));
    }

    pub fn expect_finish(&mut self) {
        self.expect(Message::AllBetsSent);
        self.expect(Message::RequestWinners);
    }

    pub fn expect_bets(&mut self, bets: &[Bet]) {
        self.expect(Message::RegisterBets(bets.to_vec()));
    }
}
