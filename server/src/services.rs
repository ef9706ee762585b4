//! All that the server's doors lead to: the lottery, and HTTP for those who watch it.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use lottery_core::codec::{Dialect, Scan};
use lottery_core::message::Refusal;
use lottery_core::store::Disk;

use crate::central::TurnError;
use crate::connection::{Census, ConnectionId, Ending, Outgoing};
use crate::http::{self, Http, HttpSession};
use crate::lottery::{Lottery, LotterySession};
use crate::service::{Class, Connections, Service, Session};
use crate::tls::Certificate;

/// What is behind a door.
#[derive(Clone, Copy, Debug)]
pub enum Behind {
    /// The lottery, in this dialect.
    Lottery(&'static Dialect),
    /// The board, metrics and health.
    Http,
}

/// The lottery, and perhaps HTTP.
pub struct Services<D: Disk> {
    lottery: Lottery<D>,
    http: Http,
    doors: Vec<Behind>,
}

/// What is known of a connection, by what is behind its door.
#[derive(Debug)]
pub enum AnySession {
    /// An agency's, or a stranger's.
    Lottery(LotterySession),
    /// A viewer's.
    Http(HttpSession),
}

/// Why bytes are no message.
#[derive(Debug)]
pub enum AnyFault {
    /// In the lottery.
    Lottery(Refusal),
    /// In HTTP.
    Http(http::Fault),
}

impl<D: Disk> Services<D> {
    /// Services behind these doors, by number.
    pub fn new(lottery: Lottery<D>, http: Http, doors: Vec<Behind>) -> Services<D> {
        Services {
            lottery,
            http,
            doors,
        }
    }

    fn has_http(&self) -> bool {
        self.doors.iter().any(|door| matches!(door, Behind::Http))
    }
}

impl Session for AnySession {
    type Fault = AnyFault;

    fn scan(&mut self, bytes: &[u8]) -> Result<Scan, AnyFault> {
        match self {
            AnySession::Lottery(session) => session.scan(bytes).map_err(AnyFault::Lottery),
            AnySession::Http(session) => session.scan(bytes).map_err(AnyFault::Http),
        }
    }

    fn class(&self) -> Class {
        match self {
            AnySession::Lottery(session) => session.class(),
            AnySession::Http(session) => session.class(),
        }
    }

    fn is_parked(&self) -> bool {
        match self {
            AnySession::Lottery(session) => session.is_parked(),
            AnySession::Http(session) => session.is_parked(),
        }
    }
}

/// Those connections among all that are of one kind.
struct Only<'c, C>(&'c mut C);

impl<C: Connections<AnySession>> Connections<LotterySession> for Only<'_, C> {
    fn get(&mut self, id: ConnectionId) -> Option<(&mut LotterySession, &mut Outgoing)> {
        match self.0.get(id)? {
            (AnySession::Lottery(session), outgoing) => Some((session, outgoing)),
            (AnySession::Http(_), _) => None,
        }
    }

    fn census(&self) -> Census {
        self.0.census()
    }
}

impl<C: Connections<AnySession>> Connections<HttpSession> for Only<'_, C> {
    fn get(&mut self, id: ConnectionId) -> Option<(&mut HttpSession, &mut Outgoing)> {
        match self.0.get(id)? {
            (AnySession::Http(session), outgoing) => Some((session, outgoing)),
            (AnySession::Lottery(_), _) => None,
        }
    }

    fn census(&self) -> Census {
        self.0.census()
    }
}

impl<D: Disk> Service for Services<D> {
    type Session = AnySession;
    type Error = TurnError;

    fn connected(&mut self, _id: ConnectionId, door: usize, peer: IpAddr) -> AnySession {
        match self.doors[door] {
            Behind::Lottery(dialect) => {
                AnySession::Lottery(self.lottery.connected_in(dialect, peer))
            }
            Behind::Http => AnySession::Http(HttpSession::default()),
        }
    }

    fn certified(&mut self, id: ConnectionId, session: &mut AnySession, certificate: Certificate) {
        if let AnySession::Lottery(session) = session {
            self.lottery.certified(id, session, certificate);
        }
    }

    fn message(
        &mut self,
        id: ConnectionId,
        session: &mut AnySession,
        message: &[u8],
        outgoing: &mut Outgoing,
        now: Duration,
    ) {
        match session {
            AnySession::Lottery(session) => {
                self.lottery.message(id, session, message, outgoing, now);
            }
            AnySession::Http(session) => self.http.request(id, session, message, outgoing),
        }
    }

    fn no_message(
        &mut self,
        id: ConnectionId,
        session: &mut AnySession,
        fault: AnyFault,
        outgoing: &mut Outgoing,
    ) {
        match (session, fault) {
            (AnySession::Lottery(session), AnyFault::Lottery(refusal)) => {
                self.lottery.no_message(id, session, refusal, outgoing);
            }
            (_, AnyFault::Http(fault)) => http::refuse(fault, outgoing),
            (AnySession::Http(_), AnyFault::Lottery(_)) => outgoing.end(Ending::Now),
        }
    }

    fn end_of_stream(
        &mut self,
        id: ConnectionId,
        session: &mut AnySession,
        rest: &[u8],
        outgoing: &mut Outgoing,
    ) {
        match session {
            AnySession::Lottery(session) => {
                self.lottery.end_of_stream(id, session, rest, outgoing);
            }
            AnySession::Http(_) => outgoing.end(Ending::AfterFlush),
        }
    }

    fn peer_finished(&mut self, id: ConnectionId, session: &mut AnySession) {
        if let AnySession::Lottery(session) = session {
            self.lottery.peer_finished(id, session);
        }
    }

    fn disconnected(&mut self, id: ConnectionId, session: AnySession) {
        match session {
            AnySession::Lottery(session) => self.lottery.disconnected(id, session),
            AnySession::Http(session) => self.http.disconnected(id, &session),
        }
    }

    fn is_turn_full(&self) -> bool {
        self.lottery.is_turn_full()
    }

    fn end_turn(
        &mut self,
        now: Duration,
        connections: &mut impl Connections<AnySession>,
    ) -> Result<(), TurnError> {
        let started = Instant::now();
        let staged_bytes = self.lottery.central().staged_bytes();
        self.lottery.end_turn(now, &mut Only(connections))?;
        if staged_bytes > 0 {
            let metrics = self.http.metrics();
            metrics.note_commit(staged_bytes, started.elapsed());
        }
        if self.has_http() {
            let central = self.lottery.central();
            self.http.end_turn(now, central, &mut Only(connections));
        }
        Ok(())
    }

    fn turn_took(&mut self, duration: Duration) {
        self.http.metrics().note_turn(duration);
    }

    fn next_deadline(&self) -> Option<Duration> {
        let http = self.has_http().then(|| self.http.next_deadline()).flatten();
        [self.lottery.next_deadline(), http]
            .into_iter()
            .flatten()
            .min()
    }

    fn log_standing(&self) {
        self.lottery.log_standing();
    }

    fn shut_down(
        &mut self,
        now: Duration,
        connections: &mut impl Connections<AnySession>,
    ) -> Result<(), TurnError> {
        self.lottery.shut_down(now, &mut Only(connections))
    }
}
