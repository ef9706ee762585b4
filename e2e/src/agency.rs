//! An agency written by hand.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::PATIENCE;
use crate::wire::{self, HandBet};

/// What the central answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// RegisterBetOk.
    Stored,
    /// RegisterBetFailed with its code.
    Refused(u16),
    /// InformWinners with the DNIs.
    Winners(Vec<u32>),
    /// Welcome.
    Welcome {
        /// Bets stored.
        bets: u64,
        /// Their CRC.
        crc: u32,
        /// 0 betting, 1 closed, 2 drawn.
        state: u8,
    },
}

impl Answer {
    /// The Welcome for an agency of which these bets are stored.
    pub fn welcome(bets: &[HandBet], state: u8) -> Answer {
        Answer::Welcome {
            bets: bets.len() as u64,
            crc: wire::crc(bets),
            state,
        }
    }
}

/// A connection to the central, and the messages of an agency.
///
/// It can be made to say anything. It says no Hello and no Ack by itself.
#[derive(Debug)]
pub struct HandAgency {
    stream: TcpStream,
}

impl HandAgency {
    /// Connects.
    pub fn connect(address: SocketAddr) -> HandAgency {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        HandAgency { stream }
    }

    /// Sends any bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends RegisterBets and expects that they are stored.
    pub fn store(&mut self, bets: &[HandBet]) {
        self.send(&wire::register_bets(bets));
        self.expect(Answer::Stored);
    }

    /// Sends Hello and gives the answer.
    pub fn hello(&mut self, agency: u32) -> Answer {
        self.send(&wire::hello(1, agency));
        self.answer()
    }

    /// Says that all bets are sent and asks for the winners, in one piece: when the log has the
    /// closing, the agency is parked.
    pub fn finish(&mut self) {
        self.send(&[wire::ALL_BETS_SENT, wire::REQUEST_WINNERS].concat());
    }

    /// Sends no more, but goes on reading.
    pub fn half_close(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// The next answer.
    pub fn answer(&mut self) -> Answer {
        match u16::from_be_bytes(self.take()) {
            2 => Answer::Stored,
            3 => Answer::Refused(u16::from_be_bytes(self.take())),
            7 => {
                let count = u64::from_be_bytes(self.take());
                let documents = (0..count).map(|_| u32::from_be_bytes(self.take()));
                Answer::Winners(documents.collect())
            }
            9 => Answer::Welcome {
                bets: u64::from_be_bytes(self.take()),
                crc: u32::from_be_bytes(self.take()),
                state: u8::from_be_bytes(self.take()),
            },
            other => panic!("the central sent a message of type {other}"),
        }
    }

    /// The next answer, or `None` when the connection has ended, in whatever way.
    pub fn try_answer(&mut self) -> Option<Answer> {
        match self.stream.peek(&mut [0]) {
            Ok(0) => None,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            _ => Some(self.answer()),
        }
    }

    /// Expects this answer.
    pub fn expect(&mut self, expected: Answer) {
        assert_eq!(self.answer(), expected);
    }

    /// Expects to be refused with this code, and that nothing comes after it but the end.
    pub fn expect_refusal(&mut self, code: u16) {
        self.expect(Answer::Refused(code));
        self.expect_closed();
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

    /// The stream itself, for what no agency does.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.stream
            .read_exact(&mut bytes)
            .unwrap_or_else(|error| panic!("expected an answer: {error}"));
        bytes
    }
}
