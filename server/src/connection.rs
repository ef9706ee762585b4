//! A connection: the one record of all that the server knows of it.

use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::time::Duration;

use lottery_core::codec::Inbox;

use crate::limits::{SHARES, Share};
use crate::service::{Class, Session};
use crate::transport::{ReadOutcome, Socket, Transport};

/// A connection, by a number that is never used twice in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub usize);

/// What the system announces of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// There may be bytes to read.
    pub readable: bool,
    /// There may be room to write.
    pub writable: bool,
    /// The peer sends no more, or the connection is broken: reading comes to an end.
    pub ended: bool,
    /// Both directions are closed, or the connection broke.
    pub dead: bool,
}

/// How many connections there are, and what they hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Those that speak for an agency.
    pub agencies: usize,
    /// Those that have not said which agency they speak for.
    pub strangers: usize,
    /// Those that only look.
    pub viewers: usize,
    /// Memory that they make the server keep, in bytes.
    pub memory_bytes: usize,
}

/// In which order, and with which [`Share`], a turn serves connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rank {
    Agency,
    /// It has said nothing yet.
    Newcomer,
    Viewer,
    Handshaking,
    /// It talks, and has not said which agency it speaks for.
    Stranger,
}

impl Rank {
    /// All of them, first things first.
    pub const ALL: [Rank; 5] = [
        Rank::Agency,
        Rank::Newcomer,
        Rank::Viewer,
        Rank::Handshaking,
        Rank::Stranger,
    ];

    pub fn share(self) -> &'static Share {
        &SHARES[self as usize]
    }
}

/// All that is known of a connection. Made when it is accepted, and dropped, which closes the socket,
/// when it is over.
#[derive(Debug)]
pub(crate) struct Connection<S, T> {
    pub peer: IpAddr,
    pub transport: Transport<T>,
    pub session: S,
    /// The beginning of a message, or messages that must wait.
    pub inbox: Inbox,
    pub outgoing: Outgoing,
    /// Whether there may be bytes that were not read.
    pub is_readable: bool,
    /// Whether the inbox may hold whole messages.
    pub has_messages: bool,
    pub is_queued: bool,
    pub was_heard: bool,
    /// Whether the peer is gone in both directions.
    pub is_dead: bool,
    /// Whether the system announced the end of the stream, so that reading goes on until it comes.
    pub saw_end: bool,
    /// Whether the end of the stream was read.
    pub has_ended: bool,
    /// Whether the service was told so, once it had all messages before the end.
    pub is_end_told: bool,
    pub connected_at: Duration,
    /// When bytes last went in or out.
    pub last_activity: Duration,
    /// When a message was last taken whole, or the peer last read our bytes.
    pub last_progress: Duration,
    /// When the first byte came of the message that is not whole yet.
    pub message_since: Option<Duration>,
    /// Until when it is kept, if its last answer was sent.
    pub lingers_until: Option<Duration>,
    /// Memory that was last counted for it, in bytes.
    pub counted_bytes: usize,
}

impl<S: Session, T: Socket> Connection<S, T> {
    pub fn new(
        peer: IpAddr,
        transport: Transport<T>,
        session: S,
        now: Duration,
    ) -> Connection<S, T> {
        Connection {
            peer,
            transport,
            session,
            inbox: Inbox::default(),
            outgoing: Outgoing::default(),
            is_readable: false,
            has_messages: false,
            is_queued: false,
            was_heard: false,
            is_dead: false,
            saw_end: false,
            has_ended: false,
            is_end_told: false,
            connected_at: now,
            last_activity: now,
            last_progress: now,
            message_since: None,
            lingers_until: None,
            counted_bytes: 0,
        }
    }

    /// Memory that a peer makes the server keep, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.inbox.memory_bytes() + self.outgoing.memory_bytes() + self.transport.memory_bytes()
    }

    pub fn is_agency(&self) -> bool {
        self.session.class() == Class::Agency
    }

    /// Its place in a turn.
    pub fn rank(&self) -> Rank {
        match self.session.class() {
            Class::Agency => Rank::Agency,
            Class::Viewer => Rank::Viewer,
            Class::Stranger if self.transport.is_handshaking() => Rank::Handshaking,
            Class::Stranger if self.was_heard => Rank::Stranger,
            Class::Stranger => Rank::Newcomer,
        }
    }

    /// Whether there is something to be done with it now.
    pub fn has_work(&self) -> bool {
        if self.is_dead {
            return true;
        }
        if self.lingers_until.is_some() {
            return self.is_readable;
        }
        self.is_heard() && (self.has_messages || self.is_readable || self.owes_end())
    }

    /// Whether its messages are taken now.
    pub fn is_heard(&self) -> bool {
        self.outgoing.ending() == Ending::Open
            && self.outgoing.unsent().len() <= self.rank().share().unsent_bytes_max
            && !self.session.is_parked()
    }

    /// Whether everything that was to be sent is with the system.
    pub fn is_flushed(&self) -> bool {
        self.outgoing.unsent().is_empty() && !self.transport.has_unsent()
    }

    /// Whether the service is to be told that the stream has ended.
    pub fn owes_end(&self) -> bool {
        self.has_ended && !self.has_messages && !self.is_end_told
    }

    pub fn read(&mut self, buffer: &mut [u8], now: Duration) -> ReadOutcome {
        let outcome = self.transport.read(buffer);
        match outcome {
            ReadOutcome::Bytes { may_have_more, .. } => {
                self.is_readable = may_have_more || self.saw_end;
                self.last_activity = now;
            }
            ReadOutcome::Later => self.last_activity = now,
            ReadOutcome::Ended => {
                self.is_readable = false;
                self.has_ended = true;
            }
            ReadOutcome::Nothing => self.is_readable = false,
            ReadOutcome::Broken | ReadOutcome::Refused(_) => {}
        }
        outcome
    }

    /// Sends what is to be sent, as far as the system takes it.
    pub fn write(&mut self, now: Duration) -> io::Result<()> {
        while !self.outgoing.unsent().is_empty() {
            match self.transport.write(self.outgoing.unsent()) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(bytes) => {
                    self.outgoing.advance(bytes);
                    self.last_activity = now;
                    self.last_progress = now;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.transport.flush()
    }
}

/// Bytes on their way to a peer, and what happens when they are gone.
#[derive(Debug, Default)]
pub struct Outgoing {
    bytes: Vec<u8>,
    /// Bytes at the front that were sent.
    sent: usize,
    ending: Ending,
}

/// What becomes of a connection once its outgoing bytes are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// It stays open.
    #[default]
    Open,
    /// It is closed after the last byte.
    AfterFlush,
    /// It is closed at once, sent or not.
    Now,
}

impl Outgoing {
    /// The buffer to append to.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// What is still to be sent.
    pub fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Notes that `bytes` more were sent. An empty buffer is given back, so that a quiet connection
    /// costs none; of another, what was sent is dropped once it is more than what was not.
    pub fn advance(&mut self, bytes: usize) {
        self.sent += bytes;
        if self.sent == self.bytes.len() {
            self.bytes = Vec::new();
            self.sent = 0;
        } else if self.sent > self.unsent().len() {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// What becomes of the connection.
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// Ends the connection; a decision to end at once is not taken back.
    pub fn end(&mut self, ending: Ending) {
        if self.ending != Ending::Now {
            self.ending = ending;
        }
    }

    /// Bytes of memory that it takes.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}
