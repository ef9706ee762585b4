//! What the event loop serves: bytes in, bytes out, no sockets.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use crate::layers::{ConnectionId, Moment};

/// A protocol over connections that somebody else reads and writes.
///
/// The event loop calls [`Service::connected`] first and [`Service::disconnected`] last for each
/// connection. In between it hands over bytes as they come, and after [`Service::end_turn`] it
/// sends what [`Service::outgoing`] holds for the connections that [`Service::take_touched`] names.
pub trait Service {
    /// Why the service cannot go on.
    type Error: Error + Send + Sync + 'static;

    /// A connection was made.
    fn connected(&mut self, id: ConnectionId, peer: IpAddr);

    /// Bytes came.
    fn receive(&mut self, id: ConnectionId, bytes: &[u8], now: Moment);

    /// No more bytes will come, but the peer may still read.
    fn end_of_stream(&mut self, id: ConnectionId);

    /// The connection is gone.
    fn disconnected(&mut self, id: ConnectionId);

    /// Whether more bytes of this connection are wanted now. A connection of which they are not is
    /// named by [`Service::take_touched`] when that may have changed.
    fn wants_input(&self, id: ConnectionId) -> bool;

    /// Whether so much is staged that the turn should end before anything else is read.
    fn is_turn_full(&self) -> bool;

    /// Ends the turn: whatever was staged is made to last, and answers become outgoing bytes.
    ///
    /// # Errors
    ///
    /// When the service cannot go on.
    fn end_turn(&mut self, now: Moment) -> Result<(), Self::Error>;

    /// When the next turn is due even if nothing happens, as time since the server started.
    fn next_deadline(&self) -> Option<Duration>;

    /// Whether the connection waits for something that is not its peer's to do, so that its silence
    /// is no fault.
    fn is_parked(&self, id: ConnectionId) -> bool;

    /// The connections with something to send, to close, or to read again.
    fn take_touched(&mut self) -> Vec<ConnectionId>;

    /// What is to be sent to a connection, until it is disconnected.
    fn outgoing(&mut self, id: ConnectionId) -> Option<&mut Outgoing>;

    /// Logs how things stand, because somebody asked by a signal.
    fn log_standing(&self);

    /// Makes everything last that was taken, closes what is open, and logs that, as the last act of
    /// a run.
    ///
    /// # Errors
    ///
    /// When that cannot be done.
    fn shut_down(&mut self, now: Moment) -> Result<(), Self::Error>;
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
}
