//! An agency written by hand.

use std::net::{SocketAddr, TcpStream};
use std::ops::{Deref, DerefMut};

use crate::HandConnection;
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

    /// The answer's bytes.
    pub fn encoded(&self) -> Vec<u8> {
        match self {
            Answer::Stored => vec![0, 2],
            Answer::Refused(code) => [[0, 3], code.to_be_bytes()].concat(),
            Answer::Winners(documents) => {
                let mut bytes = vec![0, 7];
                bytes.extend((documents.len() as u64).to_be_bytes());
                bytes.extend(documents.iter().flat_map(|document| document.to_be_bytes()));
                bytes
            }
            Answer::Welcome { bets, crc, state } => {
                let mut bytes = vec![0, 9];
                bytes.extend(bets.to_be_bytes());
                bytes.extend(crc.to_be_bytes());
                bytes.push(*state);
                bytes
            }
        }
    }
}

/// A connection to the central, and the messages of an agency.
///
/// It can be made to say anything. It says no Hello and no Ack by itself.
#[derive(Debug)]
pub struct HandAgency {
    connection: HandConnection,
}

impl HandAgency {
    /// Connects.
    pub fn connect(address: SocketAddr) -> HandAgency {
        HandAgency {
            connection: HandConnection::new(TcpStream::connect(address).unwrap()),
        }
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
        (!self.has_ended()).then(|| self.answer())
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
}

/// An agency does whatever a connection does.
impl Deref for HandAgency {
    type Target = HandConnection;

    fn deref(&self) -> &HandConnection {
        &self.connection
    }
}

impl DerefMut for HandAgency {
    fn deref_mut(&mut self) -> &mut HandConnection {
        &mut self.connection
    }
}
