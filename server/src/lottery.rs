//! The lottery as a service: codecs between the bytes of agencies and the central, and HTTP for those who
//! watch it.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use lottery_core::codec::{Codec, Scan};
use lottery_core::message::{Refusal, Reply};
use lottery_core::store::Disk;

use crate::central::{Central, Certificate, Identity, TurnError};
use crate::connection::{ConnectionId, Ending, Outgoing};
use crate::http::{self, Http, HttpSession};
use crate::limits::STAGED_BYTES_MAX;
use crate::log_lines;
use crate::service::{Class, Connections, Service, Session};

pub use crate::service::Behind;

/// The central, and what is in front of it.
pub struct Lottery<D: Disk> {
    central: Central<D>,
    message_bytes_max: usize,
    http: Option<Http>,
}

/// What is known of a connection, by what is behind its door.
#[derive(Debug)]
pub enum AnySession {
    /// An agency's, or a stranger's.
    Agency(AgencySession),
    /// One that only looks.
    Viewer(HttpSession),
}

/// A connection's codec, and which agency it speaks for.
#[derive(Debug)]
pub struct AgencySession {
    peer: IpAddr,
    codec: Box<dyn Codec>,
    identity: Identity,
    had_last_reply: bool,
}

impl<D: Disk> Lottery<D> {
    /// A service for `central`, which accepts messages of at most `message_bytes_max` bytes. Doors with
    /// viewers behind them need `http`.
    pub fn new(central: Central<D>, message_bytes_max: usize, http: Option<Http>) -> Lottery<D> {
        Lottery {
            central,
            message_bytes_max,
            http,
        }
    }

    /// Hands out the central's replies, and ends the connections that were taken over.
    fn give_out(&mut self, connections: &mut impl Connections<AnySession>) {
        for (id, reply) in self.central.take_replies() {
            match (connections.get(id), reply) {
                (Some((AnySession::Agency(session), outgoing)), Some(reply)) => {
                    session.reply(&reply, outgoing);
                }
                (Some((_, outgoing)), None) => outgoing.end(Ending::Now),
                _ => {}
            }
        }
    }

    fn refuse(&mut self, id: ConnectionId, session: &mut AgencySession, refusal: Refusal) {
        log_lines::bytes_refused(session.peer, &refusal);
        self.central
            .refuse(id, &mut session.identity, refusal, None);
    }
}

impl AgencySession {
    fn reply(&mut self, reply: &Reply, outgoing: &mut Outgoing) {
        // The connection is closed with the last reply: nothing comes after it.
        if self.had_last_reply {
            return;
        }
        self.identity.note_reply(reply);
        self.codec.encode(reply, outgoing.buffer());
        if self.codec.ends_with(reply) {
            self.had_last_reply = true;
            outgoing.end(Ending::AfterFlush);
        }
    }
}

impl Session for AnySession {
    fn scan(&mut self, bytes: &[u8]) -> Result<Scan, Refusal> {
        match self {
            AnySession::Agency(session) => session.codec.scan(bytes),
            AnySession::Viewer(_) => HttpSession::scan(bytes),
        }
    }

    fn class(&self) -> Class {
        match self {
            AnySession::Agency(session) if session.identity.agency().is_some() => Class::Agency,
            AnySession::Agency(_) => Class::Stranger,
            AnySession::Viewer(_) => Class::Viewer,
        }
    }

    fn is_parked(&self) -> bool {
        match self {
            AnySession::Agency(session) => session.identity.is_parked(),
            AnySession::Viewer(session) => session.is_parked(),
        }
    }
}

impl<D: Disk> Service for Lottery<D> {
    type Session = AnySession;
    type Error = TurnError;

    fn connected(&mut self, behind: Behind, peer: IpAddr) -> AnySession {
        match behind {
            Behind::Agencies(dialect) => AnySession::Agency(AgencySession {
                peer,
                codec: (dialect.codec)(self.message_bytes_max),
                identity: Identity::default(),
                had_last_reply: false,
            }),
            Behind::Viewers | Behind::Echo => AnySession::Viewer(HttpSession::default()),
        }
    }

    fn certified(&mut self, session: &mut AnySession, certificate: Certificate) {
        if let AnySession::Agency(session) = session {
            session.identity.certify(certificate);
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
            AnySession::Agency(session) => match session.codec.parse(message) {
                Ok(message) => self
                    .central
                    .receive(id, &mut session.identity, message, now),
                Err(refusal) => self.refuse(id, session, refusal),
            },
            AnySession::Viewer(session) => {
                if let Some(http) = &mut self.http {
                    http.request(id, session, message, outgoing);
                }
            }
        }
    }

    fn no_message(
        &mut self,
        id: ConnectionId,
        session: &mut AnySession,
        refusal: Refusal,
        outgoing: &mut Outgoing,
    ) {
        match session {
            AnySession::Agency(session) => self.refuse(id, session, refusal),
            AnySession::Viewer(_) => http::refuse(&refusal, outgoing),
        }
    }

    fn end_of_stream(
        &mut self,
        _id: ConnectionId,
        session: &mut AnySession,
        rest: &[u8],
        outgoing: &mut Outgoing,
    ) {
        if let AnySession::Agency(session) = session
            && !rest.is_empty()
        {
            log_lines::message_cut(session.peer, rest.len());
        }
        outgoing.end(Ending::AfterFlush);
    }

    fn peer_finished(&mut self, id: ConnectionId, session: &mut AnySession) {
        if let AnySession::Agency(session) = session {
            self.central.peer_finished(id, &session.identity);
        }
    }

    fn disconnected(&mut self, id: ConnectionId, session: AnySession) {
        match (session, &mut self.http) {
            (AnySession::Agency(session), _) => self.central.disconnected(id, &session.identity),
            (AnySession::Viewer(_), Some(http)) => http.disconnected(id),
            (AnySession::Viewer(_), None) => {}
        }
    }

    fn is_turn_full(&self) -> bool {
        self.central.staged_bytes() >= STAGED_BYTES_MAX
    }

    fn end_turn(
        &mut self,
        now: Duration,
        connections: &mut impl Connections<AnySession>,
    ) -> Result<(), TurnError> {
        let started = Instant::now();
        let committed = self.central.commit(now)?;
        if let Some(http) = &self.http
            && committed.bytes() > 0
        {
            let metrics = http.metrics();
            metrics.note_commit(committed.bytes(), started.elapsed());
        }
        self.central.end_turn(committed, now)?;
        self.give_out(connections);
        if let Some(http) = &mut self.http {
            http.end_turn(now, &self.central, connections);
        }
        Ok(())
    }

    fn next_deadline(&self) -> Option<Duration> {
        let http = self.http.as_ref().and_then(Http::next_deadline);
        [self.central.next_deadline(), http]
            .into_iter()
            .flatten()
            .min()
    }

    fn log_standing(&self) {
        self.central.log_standing();
    }

    fn shut_down(
        &mut self,
        now: Duration,
        connections: &mut impl Connections<AnySession>,
    ) -> Result<(), TurnError> {
        self.central.shut_down(now)?;
        log_lines::storage_closed();
        self.give_out(connections);
        Ok(())
    }
}
