//! A central written by hand, which may lie.

use std::net::{SocketAddr, TcpStream};
use std::ops::{Deref, DerefMut};
use std::time::Instant;

use socket2::{Domain, Socket, Type};

use crate::{Answer, HandConnection, PATIENCE, address};

/// What an agency asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// RegisterBets.
    Bets {
        /// The bytes of each, without their lengths.
        bets: Vec<Vec<u8>>,
        /// The length of the whole message.
        message_bytes: usize,
    },
    /// AllBetsSent.
    AllBetsSent,
    /// RequestWinners.
    RequestWinners,
    /// Hello of version 1.
    Hello {
        /// Who it is.
        agency: u32,
    },
}

/// A socket that agencies connect to, at an address of its own.
#[derive(Debug)]
pub struct HandCentral {
    listener: Socket,
    address: SocketAddr,
    /// A connection that nobody will accept.
    first_come: Option<TcpStream>,
}

impl HandCentral {
    /// Listens.
    pub fn listen() -> HandCentral {
        HandCentral::with_backlog(128)
    }

    /// A central that is so overrun that who wants to connect is left without an answer.
    pub fn overrun() -> HandCentral {
        // A backlog of 0 has room for one.
        let mut central = HandCentral::with_backlog(0);
        central.first_come = Some(TcpStream::connect(central.address).unwrap());
        central
    }

    /// Waits until somebody wants to connect and has no answer.
    pub fn wait_for_attempt(&self) {
        let SocketAddr::V4(address) = self.address else {
            panic!("loopback addresses of one's own are of version 4");
        };
        // As the system's table of connections has it: the other end, and the state SYN_SENT.
        let attempt = format!(
            " {:08X}:{:04X} 02 ",
            u32::from_ne_bytes(address.ip().octets()),
            address.port()
        );
        let deadline = Instant::now() + PATIENCE;
        while !std::fs::read_to_string("/proc/net/tcp")
            .unwrap()
            .contains(&attempt)
        {
            assert!(Instant::now() < deadline, "expected an attempt to connect");
            std::thread::yield_now();
        }
    }

    fn with_backlog(backlog: i32) -> HandCentral {
        let address = address::own();
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        // Little may be on its way to a central that does not read.
        listener.set_recv_buffer_size(16 * 1024).unwrap();
        listener.bind(&address.into()).unwrap();
        listener.listen(backlog).unwrap();
        listener.set_read_timeout(Some(PATIENCE)).unwrap();
        HandCentral {
            listener,
            address,
            first_come: None,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection.
    pub fn accept(&self) -> HandLine {
        let (stream, _) = self
            .listener
            .accept()
            .unwrap_or_else(|error| panic!("expected a connection: {error}"));
        HandLine {
            connection: HandConnection::new(TcpStream::from(stream)),
        }
    }

    /// The next connection, whose agency says Hello and is answered with this.
    pub fn greet(&self, welcome: &Answer) -> HandLine {
        let mut line = self.accept();
        assert!(matches!(line.asked(), Asked::Hello { .. }));
        line.answer(welcome);
        line
    }
}

/// The central's end of a connection to an agency.
#[derive(Debug)]
pub struct HandLine {
    connection: HandConnection,
}

impl HandLine {
    /// The next message.
    pub fn asked(&mut self) -> Asked {
        match u16::from_be_bytes(self.take()) {
            1 => {
                let count = u32::from_be_bytes(self.take());
                let mut message_bytes = 6;
                let bets = (0..count).map(|_| {
                    let bytes = u32::from_be_bytes(self.take()) as usize;
                    message_bytes += 4 + bytes;
                    self.take_many(bytes)
                });
                let bets = bets.collect();
                Asked::Bets {
                    bets,
                    message_bytes,
                }
            }
            5 => Asked::AllBetsSent,
            6 => Asked::RequestWinners,
            8 => {
                assert_eq!(u16::from_be_bytes(self.take()), 1, "the version");
                Asked::Hello {
                    agency: u32::from_be_bytes(self.take()),
                }
            }
            other => panic!("the agency sent a message of type {other}"),
        }
    }

    /// Expects a batch and gives its bets.
    pub fn expect_bets(&mut self) -> Vec<Vec<u8>> {
        match self.asked() {
            Asked::Bets { bets, .. } => bets,
            other => panic!("expected bets and not {other:?}"),
        }
    }

    /// Expects this message.
    pub fn expect(&mut self, expected: Asked) {
        assert_eq!(self.asked(), expected);
    }

    /// Sends an answer.
    pub fn answer(&mut self, answer: &Answer) {
        self.send(&answer.encoded());
    }
}

/// A line does whatever a connection does.
impl Deref for HandLine {
    type Target = HandConnection;

    fn deref(&self) -> &HandConnection {
        &self.connection
    }
}

impl DerefMut for HandLine {
    fn deref_mut(&mut self) -> &mut HandConnection {
        &mut self.connection
    }
}
