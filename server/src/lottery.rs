//! The lottery as a service: codecs between the bytes of agencies and the central, and HTTP for those who
//! watch it.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use lottery_core::codec::{After, Codec, DIALECTS, Dialect, Scan};
use lottery_core::message::{Refusal, Reply};
use lottery_core::store::Disk;

use crate::central::{Central, Identity, Output, TurnError};
use crate::connection::{ConnectionId, Ending, Outgoing};
use crate::http::{self, Http, HttpSession};
use crate::limits::STAGED_BYTES_MAX;
use crate::log_lines;
use crate::service::{Class, Connections, Service, Session};
use crate::tls::Certificate;

/// What is behind a door.
#[derive(Clone, Copy, Debug)]
pub enum Behind {
    /// The lottery, in this dialect.
    Agencies(&'static Dialect),
    /// The board, metrics and health.
    Viewers,
}

/// The central, and what is in front of it.
pub struct Lottery<D: Disk> {
    central: Central<D>,
    message_bytes_max: usize,
    doors: Vec<Behind>,
    http: Option<Http>,
}

/// What is known of a connection, by what is behind its door.
#[derive(Debug)]
pub enum AnySession {
    /// An agency's, or a stranger's.
    Agency(AgencySession),
    /// A viewer's.
    Viewer(HttpSession),
}

/// A connection's codec, and whom it speaks for.
#[derive(Debug)]
pub struct AgencySession {
    peer: IpAddr,
    codec: Box<dyn Codec>,
    identity: Identity,
    had_last_reply: bool,
}

/// Why bytes are no message.
#[derive(Debug)]
pub enum Fault {
    /// Of an agency.
    Agency(Refusal),
    /// Of a viewer.
    Viewer(http::Fault),
}

impl<D: Disk> Lottery<D> {
    /// A service for `central`, which accepts messages of at most `message_bytes_max` bytes. It has a door
    /// for each of [`DIALECTS`], in their order.
    pub fn new(central: Central<D>, message_bytes_max: usize) -> Lottery<D> {
        Lottery {
            central,
            message_bytes_max,
            doors: DIALECTS.iter().map(Behind::Agencies).collect(),
            http: None,
        }
    }

    /// With these doors instead, by number, and HTTP behind those of viewers.
    pub fn with_doors(self, doors: Vec<Behind>, http: Option<Http>) -> Lottery<D> {
        Lottery {
            doors,
            http,
            ..self
        }
    }

    /// Hands out what the central wants to be sent and closed.
    fn give_out(&mut self, connections: &mut impl Connections<AnySession>) {
        for output in self.central.take_outputs() {
            match output {
                Output::Reply(id, reply) => {
                    if let Some((AnySession::Agency(session), outgoing)) = connections.get(id) {
                        session.reply(&reply, outgoing);
                    }
                }
                Output::Close(id) => {
                    if let Some((_, outgoing)) = connections.get(id) {
                        outgoing.end(Ending::Now);
                    }
                }
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
        // Behind the last reply there is nothing: the connection is closed with it.
        if self.had_last_reply {
            return;
        }
        self.identity.note_reply(reply);
        if self.codec.encode(reply, outgoing.buffer()) == After::Closes {
            self.had_last_reply = true;
            outgoing.end(Ending::AfterFlush);
        }
    }
}

impl Session for AnySession {
    type Fault = Fault;

    fn scan(&mut self, bytes: &[u8]) -> Result<Scan, Fault> {
        match self {
            AnySession::Agency(session) => session.codec.scan(bytes).map_err(Fault::Agency),
            AnySession::Viewer(_) => HttpSession::scan(bytes).map_err(Fault::Viewer),
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

    fn connected(&mut self, door: usize, peer: IpAddr) -> AnySession {
        match self.doors[door] {
            Behind::Agencies(dialect) => AnySession::Agency(AgencySession {
                peer,
                codec: (dialect.codec)(self.message_bytes_max),
                identity: Identity::default(),
                had_last_reply: false,
            }),
            Behind::Viewers => AnySession::Viewer(HttpSession::default()),
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
        fault: Fault,
        outgoing: &mut Outgoing,
    ) {
        match (session, fault) {
            (AnySession::Agency(session), Fault::Agency(refusal)) => {
                self.refuse(id, session, refusal);
            }
            (_, Fault::Viewer(fault)) => http::refuse(fault, outgoing),
            (AnySession::Viewer(_), Fault::Agency(_)) => outgoing.end(Ending::Now),
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
            self.central.peer_finished(id, &mut session.identity);
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
