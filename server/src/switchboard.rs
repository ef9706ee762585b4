//! The protocol: a line for each connection, between the bytes of its peer and the central.
//!
//! A line turns bytes into requests and replies into bytes. It also holds back: a connection that
//! is parked, or does not read its answers, is not listened to until that has changed, so what it
//! can make the server keep is bounded.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use lottery_core::protocol::request::RequestScanner;
use lottery_core::protocol::{Code, FrameAssembler, FrameError, Request};
use lottery_core::store::DiskFile;

use crate::central::{Central, Output, TurnError};
use crate::journal;
use crate::layers::{ConnectionId, Moment};
use crate::service::{Ending, Outgoing, Service};

/// Unsent answers above which a connection is not read: many thousand acknowledgements.
const OUTGOING_BYTES_MAX: usize = 64 * 1024;

/// Requests taken from a line in a turn: more batches than a connection's reads hold, and few enough
/// that the answers to the smallest of questions stay small.
const REQUESTS_PER_TURN: u32 = 1024;

/// Staged bytes above which a turn ends. Four megabytes are some 90,000 bets: enough for one sync
/// to serve many agencies, and little enough to be written in some milliseconds.
const STAGED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// All lines, and the central behind them.
#[derive(Debug)]
pub struct Switchboard<F> {
    central: Central<F>,
    lines: HashMap<ConnectionId, Line>,
    frame_bytes_max: usize,
    /// Lines that are not to be listened to yet: backlogged ones, and parked ones that hold requests.
    held: BTreeSet<ConnectionId>,
    /// Lines whose peers will send no more, and may still read.
    ended: BTreeSet<ConnectionId>,
    /// Lines from which requests were taken since the last turn ended, each once.
    heard_this_turn: Vec<ConnectionId>,
    /// Lines on which something changed since the event loop last asked.
    touched: Vec<ConnectionId>,
    /// Whether held requests were taken after the last commit, so that a turn is due.
    is_turn_due: bool,
}

#[derive(Debug)]
struct Line {
    peer: IpAddr,
    requests_this_turn: u32,
    assembler: FrameAssembler<RequestScanner>,
    outgoing: Outgoing,
    /// Whether its bytes were no request: its last answer is on the way, and nothing more is
    /// looked at.
    is_refused: bool,
}

impl<F: DiskFile> Switchboard<F> {
    /// A switchboard for `central` that accepts messages of at most `frame_bytes_max` bytes.
    pub fn new(central: Central<F>, frame_bytes_max: usize) -> Switchboard<F> {
        Switchboard {
            central,
            lines: HashMap::new(),
            frame_bytes_max,
            held: BTreeSet::new(),
            ended: BTreeSet::new(),
            heard_this_turn: Vec::new(),
            touched: Vec::new(),
            is_turn_due: false,
        }
    }

    /// Takes requests out of the line, and out of `input`, as long as it is to be listened to.
    fn take_requests(&mut self, id: ConnectionId, mut input: &[u8], now: Moment) {
        let Some(line) = self.lines.get_mut(&id) else {
            return;
        };
        if line.is_refused {
            return;
        }
        loop {
            if self.central.is_parked(id) || line.is_backlogged() || line.has_spent_turn() {
                line.assembler.keep(input);
                break;
            }
            match next_request(&mut line.assembler, &mut input) {
                Ok(Some(request)) => {
                    if line.requests_this_turn == 0 {
                        self.heard_this_turn.push(id);
                    }
                    line.requests_this_turn += 1;
                    self.central.request(id, request, now);
                }
                Ok(None) => break,
                Err((code, reason)) => {
                    journal::bytes_refused(line.peer, code, reason);
                    self.central.refuse(id, code);
                    line.is_refused = true;
                    self.held.remove(&id);
                    return;
                }
            }
        }
        let holds_requests = line.assembler.kept_bytes() > 0;
        let must_wait = self.central.is_parked(id) || line.has_spent_turn();
        if line.is_backlogged() || (holds_requests && must_wait) {
            self.held.insert(id);
        } else {
            self.held.remove(&id);
        }
    }

    fn apply(&mut self, output: Output) {
        let (id, reply, ending) = match output {
            Output::Reply(id, reply) => (id, Some(reply), Ending::Open),
            Output::LastReply(id, reply) => (id, Some(reply), Ending::AfterFlush),
            Output::Close(id) => (id, None, Ending::Now),
        };
        let Some(line) = self.lines.get_mut(&id) else {
            return;
        };
        if let Some(reply) = reply {
            reply.encode(line.outgoing.buffer());
        }
        if ending != Ending::Open {
            line.outgoing.end(ending);
        }
        if line.is_backlogged() {
            self.held.insert(id);
        }
        // The answers to one connection's requests come one after the other.
        if self.touched.last() != Some(&id) {
            self.touched.push(id);
        }
    }

    /// Listens again to the lines whose reason to be held back is gone.
    fn resume_held(&mut self, now: Moment) {
        let held = self.held.iter().copied();
        let free: Vec<_> = held.filter(|id| !self.is_held_back(*id)).collect();
        for id in free {
            if self.is_turn_full() {
                return;
            }
            self.held.remove(&id);
            self.take_requests(id, &[], now);
            self.touched.push(id);
            self.is_turn_due = true;
        }
    }

    fn is_held_back(&self, id: ConnectionId) -> bool {
        self.central.is_parked(id) || self.lines.get(&id).is_some_and(Line::is_backlogged)
    }

    /// Ends the lines whose peers send no more and to whom nothing more will be sent.
    fn end_finished(&mut self) {
        if self.is_turn_due {
            return;
        }
        for id in &self.ended {
            if let Some(line) = self.lines.get_mut(id)
                && !self.held.contains(id)
                && !self.central.is_parked(*id)
            {
                line.outgoing.end(Ending::AfterFlush);
                self.touched.push(*id);
            }
        }
    }
}

impl Line {
    fn has_spent_turn(&self) -> bool {
        self.requests_this_turn == REQUESTS_PER_TURN
    }

    fn is_backlogged(&self) -> bool {
        self.outgoing.unsent().len() > OUTGOING_BYTES_MAX
    }
}

/// The next request, or the code with which to refuse the connection and the reason.
fn next_request<'a, 'i: 'a>(
    assembler: &'a mut FrameAssembler<RequestScanner>,
    input: &mut &'i [u8],
) -> Result<Option<Request<'a>>, (Code, String)> {
    let frame = assembler.next_frame(input).map_err(|error| {
        let code = match error {
            FrameError::UnknownType(_) => Code::UnknownMessage,
            FrameError::TooLarge { .. } => Code::Malformed,
        };
        (code, error.to_string())
    })?;
    let Some(frame) = frame else { return Ok(None) };
    match Request::parse(frame) {
        Ok(request) => Ok(Some(request)),
        Err(malformed) => Err((malformed.code(), malformed.to_string())),
    }
}

impl<F: DiskFile> Service for Switchboard<F> {
    type Error = TurnError;

    fn connected(&mut self, id: ConnectionId, peer: IpAddr) {
        let scanner = RequestScanner::new(self.frame_bytes_max);
        let line = Line {
            peer,
            requests_this_turn: 0,
            assembler: FrameAssembler::new(scanner),
            outgoing: Outgoing::default(),
            is_refused: false,
        };
        self.lines.insert(id, line);
        self.central.connected(id);
    }

    fn receive(&mut self, id: ConnectionId, bytes: &[u8], now: Moment) {
        self.take_requests(id, bytes, now);
    }

    fn end_of_stream(&mut self, id: ConnectionId) {
        if let Some(line) = self.lines.get(&id) {
            let kept_bytes = line.assembler.kept_bytes();
            if kept_bytes > 0 && !self.held.contains(&id) {
                journal::message_cut(line.peer, kept_bytes);
            }
            self.ended.insert(id);
        }
    }

    fn disconnected(&mut self, id: ConnectionId) {
        self.lines.remove(&id);
        self.held.remove(&id);
        self.ended.remove(&id);
        self.central.disconnected(id);
    }

    fn wants_input(&self, id: ConnectionId) -> bool {
        self.lines.get(&id).is_some_and(|line| {
            line.outgoing.ending() == Ending::Open
                && !line.is_refused
                && !line.is_backlogged()
                && !self.held.contains(&id)
        })
    }

    fn is_turn_full(&self) -> bool {
        self.central.staged_bytes() >= STAGED_BYTES_MAX
    }

    fn end_turn(&mut self, now: Moment) -> Result<(), TurnError> {
        self.is_turn_due = false;
        self.central.end_turn(now)?;
        for output in self.central.take_outputs() {
            self.apply(output);
        }
        for id in self.heard_this_turn.drain(..) {
            if let Some(line) = self.lines.get_mut(&id) {
                line.requests_this_turn = 0;
            }
        }
        self.resume_held(now);
        self.end_finished();
        Ok(())
    }

    fn next_deadline(&self) -> Option<Duration> {
        if self.is_turn_due || self.held.iter().any(|id| !self.is_held_back(*id)) {
            return Some(Duration::ZERO);
        }
        self.central.next_deadline()
    }

    fn is_parked(&self, id: ConnectionId) -> bool {
        self.central.is_parked(id)
    }

    fn take_touched(&mut self) -> Vec<ConnectionId> {
        std::mem::take(&mut self.touched)
    }

    fn outgoing(&mut self, id: ConnectionId) -> Option<&mut Outgoing> {
        self.lines.get_mut(&id).map(|line| &mut line.outgoing)
    }

    fn log_standing(&self) {
        self.central.log_standing();
    }

    fn shut_down(&mut self, now: Moment) -> Result<(), TurnError> {
        self.central.shut_down(now)?;
        journal::storage_closed();
        for output in self.central.take_outputs() {
            self.apply(output);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
