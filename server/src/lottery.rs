//! The lottery as a service: codecs between the bytes of the connections and the central.

use std::net::IpAddr;
use std::time::Duration;

use lottery_core::codec::{After, Codec, DIALECTS, Dialect, Scan};
use lottery_core::message::{Refusal, Reply};
use lottery_core::store::Disk;

use crate::central::{Central, Identity, Output, TurnError};
use crate::connection::{ConnectionId, Ending, Outgoing};
use crate::limits::STAGED_BYTES_MAX;
use crate::log_lines;
use crate::service::{Class, Connections, Service, Session};
use crate::tls::Certificate;

/// The central, and the codecs in front of it. By itself it has a door for each of [`DIALECTS`], in their
/// order.
pub struct Lottery<D: Disk> {
    central: Central<D>,
    message_bytes_max: usize,
}

/// A connection's codec, and whom it speaks for.
#[derive(Debug)]
pub struct LotterySession {
    peer: IpAddr,
    codec: Box<dyn Codec>,
    identity: Identity,
    had_last_reply: bool,
}

impl<D: Disk> Lottery<D> {
    /// A service for `central`, which accepts messages of at most `message_bytes_max` bytes.
    pub fn new(central: Central<D>, message_bytes_max: usize) -> Lottery<D> {
        Lottery {
            central,
            message_bytes_max,
        }
    }

    /// The central.
    pub fn central(&self) -> &Central<D> {
        &self.central
    }

    /// A connection was made, at a door where this dialect is spoken.
    pub fn connected_in(&self, dialect: &Dialect, peer: IpAddr) -> LotterySession {
        LotterySession {
            peer,
            codec: (dialect.codec)(self.message_bytes_max),
            identity: Identity::default(),
            had_last_reply: false,
        }
    }

    /// Hands out what the central wants to be sent and closed.
    fn give_out(&mut self, connections: &mut impl Connections<LotterySession>) {
        for output in self.central.take_outputs() {
            match output {
                Output::Reply(id, reply) => {
                    if let Some((session, outgoing)) = connections.get(id) {
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
}

impl LotterySession {
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

impl Session for LotterySession {
    type Fault = Refusal;

    fn scan(&mut self, bytes: &[u8]) -> Result<Scan, Refusal> {
        self.codec.scan(bytes)
    }

    fn class(&self) -> Class {
        match self.identity.agency() {
            Some(_) => Class::Agency,
            None => Class::Stranger,
        }
    }

    fn is_parked(&self) -> bool {
        self.identity.is_parked()
    }
}

impl<D: Disk> Service for Lottery<D> {
    type Session = LotterySession;
    type Error = TurnError;

    fn connected(&mut self, _id: ConnectionId, door: usize, peer: IpAddr) -> LotterySession {
        self.connected_in(&DIALECTS[door], peer)
    }

    fn certified(
        &mut self,
        _id: ConnectionId,
        session: &mut LotterySession,
        certificate: Certificate,
    ) {
        session.identity.certify(certificate);
    }

    fn message(
        &mut self,
        id: ConnectionId,
        session: &mut LotterySession,
        message: &[u8],
        outgoing: &mut Outgoing,
        now: Duration,
    ) {
        match session.codec.parse(message) {
            Ok(message) => self
                .central
                .receive(id, &mut session.identity, message, now),
            Err(refusal) => self.no_message(id, session, refusal, outgoing),
        }
    }

    fn no_message(
        &mut self,
        id: ConnectionId,
        session: &mut LotterySession,
        refusal: Refusal,
        _outgoing: &mut Outgoing,
    ) {
        log_lines::bytes_refused(session.peer, &refusal);
        self.central
            .refuse(id, &mut session.identity, refusal, None);
    }

    fn end_of_stream(
        &mut self,
        _id: ConnectionId,
        session: &mut LotterySession,
        rest: &[u8],
        outgoing: &mut Outgoing,
    ) {
        if !rest.is_empty() {
            log_lines::message_cut(session.peer, rest.len());
        }
        outgoing.end(Ending::AfterFlush);
    }

    fn peer_finished(&mut self, id: ConnectionId, session: &mut LotterySession) {
        self.central.peer_finished(id, &mut session.identity);
    }

    fn disconnected(&mut self, id: ConnectionId, session: LotterySession) {
        self.central.disconnected(id, &session.identity);
    }

    fn is_turn_full(&self) -> bool {
        self.central.staged_bytes() >= STAGED_BYTES_MAX
    }

    fn end_turn(
        &mut self,
        now: Duration,
        connections: &mut impl Connections<LotterySession>,
    ) -> Result<(), TurnError> {
        self.central.end_turn(now)?;
        self.give_out(connections);
        Ok(())
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.central.next_deadline()
    }

    fn log_standing(&self) {
        self.central.log_standing();
    }

    fn shut_down(
        &mut self,
        now: Duration,
        connections: &mut impl Connections<LotterySession>,
    ) -> Result<(), TurnError> {
        self.central.shut_down(now)?;
        log_lines::storage_closed();
        self.give_out(connections);
        Ok(())
    }
}
