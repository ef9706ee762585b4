//! What the reactor serves: messages in, bytes out, no sockets.

use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

use lottery_core::codec::{Dialect, Scan};
use lottery_core::message::Refusal;

use crate::central::Certificate;
use crate::connection::{Census, ConnectionId, Outgoing};

/// A protocol without sockets: the reactor reads and writes.
///
/// The reactor calls [`Service::connected`] first and [`Service::disconnected`] last for each
/// connection. In between it hands over each message that the connection's [`Session`] finds in its
/// bytes. Answers are appended to the connection's [`Outgoing`] bytes, at once or when the turn ends.
pub trait Service {
    /// What the service knows of a connection. The reactor keeps it in the connection's record.
    type Session: Session;
    /// Why the service cannot go on.
    type Error: Error + Send + Sync + 'static;

    /// A connection was made, at a door with this behind it.
    fn connected(&mut self, behind: Behind, peer: IpAddr) -> Self::Session;

    /// The peer has shown a certificate, before anything it said is looked at.
    fn certified(&mut self, _session: &mut Self::Session, _certificate: Certificate) {}

    /// A whole message came. `now` is the time since the server started, as everywhere.
    fn message(
        &mut self,
        id: ConnectionId,
        session: &mut Self::Session,
        message: &[u8],
        outgoing: &mut Outgoing,
        now: Duration,
    );

    /// The bytes that came are not a message. The service ends the connection, or says by
    /// [`Session::is_parked`] that nothing more of it is to be looked at.
    fn no_message(
        &mut self,
        id: ConnectionId,
        session: &mut Self::Session,
        refusal: Refusal,
        outgoing: &mut Outgoing,
    );

    /// The peer sends no more, but may still read; `rest` is a message without its end.
    fn end_of_stream(
        &mut self,
        id: ConnectionId,
        session: &mut Self::Session,
        rest: &[u8],
        outgoing: &mut Outgoing,
    );

    /// The system says that the peer will send no more than what has arrived already. A waiting
    /// connection is not read, so it comes to no [`Service::end_of_stream`]. It is said again after each
    /// visit.
    fn peer_finished(&mut self, _id: ConnectionId, _session: &mut Self::Session) {}

    fn disconnected(&mut self, id: ConnectionId, session: Self::Session);

    /// Whether so much is staged that the turn should end before anything else is read.
    fn is_turn_full(&self) -> bool {
        false
    }

    /// Ends the turn: whatever was staged is made durable, and answers are given out.
    fn end_turn(
        &mut self,
        _now: Duration,
        _connections: &mut impl Connections<Self::Session>,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    /// When the next turn is due even if nothing happens, as time since the server started.
    fn next_deadline(&self) -> Option<Duration> {
        None
    }

    /// Logs how things stand, because somebody asked by a signal.
    fn log_standing(&self);

    /// Makes everything durable that was taken, closes what is open, and logs that, as the last act of
    /// a run.
    fn shut_down(
        &mut self,
        _now: Duration,
        _connections: &mut impl Connections<Self::Session>,
    ) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// What is behind a door.
#[derive(Clone, Copy, Debug)]
pub enum Behind {
    /// The lottery.
    Agencies(&'static Dialect),
    /// The board, metrics and health.
    Viewers,
    /// The echo service.
    Echo,
}

impl Behind {
    /// What is spoken there, as the log has it.
    pub fn name(self) -> &'static str {
        match self {
            Behind::Agencies(dialect) => dialect.name,
            Behind::Viewers => "http",
            Behind::Echo => "echo",
        }
    }
}

/// What a service knows of a connection.
pub trait Session {
    /// Looks for a whole message at the front of `bytes`, as
    /// [`Codec::scan`](lottery_core::codec::Codec::scan) does.
    fn scan(&mut self, bytes: &[u8]) -> Result<Scan, Refusal>;

    fn class(&self) -> Class;

    /// Whether it waits for something that is not its peer's to do: it is not read, and its silence
    /// is no fault.
    fn is_parked(&self) -> bool;
}

/// How a connection is treated: what it may take of a turn, and who goes first when room is scarce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Identified.
    Agency,
    /// Not identified yet; it has a deadline.
    Stranger,
    /// It only looks. It has a deadline to ask, unless it is parked.
    Viewer,
}

/// The open connections, for a service that gives answers out at the end of a turn.
pub trait Connections<S> {
    /// The connection's session and its outgoing bytes, if it is still open.
    fn get(&mut self, id: ConnectionId) -> Option<(&mut S, &mut Outgoing)>;

    /// How many there are.
    fn census(&self) -> Census;
}
