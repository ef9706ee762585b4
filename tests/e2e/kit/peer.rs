//! A connection driven by hand.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use super::dialects::{Answer, Dialect};
use super::native::{Bet, Message, batch};
use super::{PATIENCE, Server};

/// One end of a connection: an agency's of any dialect, or a central's. No wait is longer than
/// [`PATIENCE`].
pub struct Peer {
    stream: TcpStream,
    dialect: Dialect,
    /// The agency, where the dialect says it in every message.
    agency: u32,
}

impl Peer {
    pub fn connect(address: SocketAddr) -> Peer {
        Peer::new(TcpStream::connect(address).unwrap())
    }

    pub fn new(stream: TcpStream) -> Peer {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Peer {
            stream,
            dialect: Dialect::Native,
            agency: 0,
        }
    }

    /// An agency that speaks this dialect and has greeted, where that is done.
    pub fn agency(server: &Server, dialect: Dialect, agency: u32) -> Peer {
        let mut peer = Peer {
            dialect,
            agency,
            ..Peer::connect(server.address_of(dialect))
        };
        peer.put(Dialect::put_greeting);
        peer
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
        assert_eq!(self.take(bytes.len()), bytes, "expected {expected:?}");
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
        self.expect(Message::Welcome(bets.to_vec(), state));
    }

    /// As an agency: sends a batch, and expects that it is stored where batches are answered.
    pub fn store(&mut self, bets: &[Bet]) {
        self.send(&batch(self.dialect, bets));
        if self.dialect.answers_batches() {
            self.expect_answer(Answer::Stored);
        }
    }

    /// As an agency: says that all bets were sent, and asks for the winners where that is another
    /// message. It is parked once the log says that it has finished.
    pub fn finish(&mut self) {
        self.put(Dialect::put_finish);
        if self.dialect == Dialect::Frames {
            self.expect_answer(Answer::Stored);
        }
    }

    /// As an agency: waits for the draw, and in `frames` asks for the winners once it is announced.
    pub fn expect_winners(&mut self, documents: &[u32]) {
        if self.dialect == Dialect::Frames {
            self.expect_answer(Answer::DrawHeld);
            self.put(Dialect::put_request);
        }
        self.expect_answer(Answer::Winners(documents.to_vec()));
    }

    fn expect_answer(&mut self, expected: Answer) {
        let mut came = Vec::new();
        loop {
            let answer = self.dialect.take_answer(&mut came);
            match answer.unwrap_or_else(|_| panic!("no answer: {came:x?}")) {
                Some(answer) => return assert_eq!(answer, expected),
                None => came.extend(self.take(1)),
            }
        }
    }

    fn put(&mut self, put: impl Fn(Dialect, u32, &mut Vec<u8>)) {
        let mut bytes = Vec::new();
        put(self.dialect, self.agency, &mut bytes);
        self.send(&bytes);
    }

    pub fn expect_finish(&mut self) {
        self.expect(Message::AllBetsSent);
        self.expect(Message::RequestWinners);
    }
}
