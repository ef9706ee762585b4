//! The echo service of the first exercises: one message, the same bytes back, goodbye.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::central::{ConnectionId, Moment, TurnError};
use crate::journal;
use crate::service::{Ending, Outgoing, Service};

/// Sends each connection its own first message back, unaltered, and closes it. A message goes to
/// its line feed, or to the end of the stream.
#[derive(Debug)]
pub struct Echo {
    message_bytes_max: usize,
    lines: HashMap<ConnectionId, EchoLine>,
    touched: Vec<ConnectionId>,
}

#[derive(Debug)]
struct EchoLine {
    peer: IpAddr,
    message: Vec<u8>,
    outgoing: Outgoing,
}

impl Echo {
    /// A service that echoes messages of at most `message_bytes_max` bytes; a longer one is cut
    /// off there, as if it had ended.
    pub fn new(message_bytes_max: usize) -> Echo {
        Echo {
            message_bytes_max,
            lines: HashMap::new(),
            touched: Vec::new(),
        }
    }

    fn answer(&mut self, id: ConnectionId) {
        let Some(line) = self.lines.get_mut(&id) else {
            return;
        };
        if line.outgoing.ending() != Ending::Open {
            return;
        }
        let message = std::mem::take(&mut line.message);
        if !message.is_empty() {
            let text = String::from_utf8_lossy(&message);
            journal::echoed(line.peer, text.trim_end_matches(['\r', '\n']));
        }
        line.outgoing.buffer().extend_from_slice(&message);
        line.outgoing.end(Ending::AfterFlush);
        self.touched.push(id);
    }
}

impl Service for Echo {
    fn connected(&mut self, id: ConnectionId, peer: IpAddr) {
        let line = EchoLine {
            peer,
            message: Vec::new(),
            outgoing: Outgoing::default(),
        };
        self.lines.insert(id, line);
    }

    fn receive(&mut self, id: ConnectionId, bytes: &[u8], _now: Moment) {
        let Some(line) = self.lines.get_mut(&id) else {
            return;
        };
        if line.outgoing.ending() != Ending::Open {
            return;
        }
        let end = bytes
            .iter()
            .position(|byte| *byte == b'\n')
            .map(|feed| feed + 1);
        let room = self.message_bytes_max - line.message.len();
        let taken = end.unwrap_or(bytes.len()).min(room);
        line.message.extend_from_slice(&bytes[..taken]);
        if end.is_some() || taken == room {
            self.answer(id);
        }
    }

    fn end_of_stream(&mut self, id: ConnectionId) {
        self.answer(id);
    }

    fn disconnected(&mut self, id: ConnectionId) {
        self.lines.remove(&id);
    }

    fn wants_input(&self, id: ConnectionId) -> bool {
        self.lines
            .get(&id)
            .is_some_and(|line| line.outgoing.ending() == Ending::Open)
    }

    fn is_turn_full(&self) -> bool {
        false
    }

    fn end_turn(&mut self, _now: Moment) -> Result<(), TurnError> {
        Ok(())
    }

    fn next_deadline(&self) -> Option<Duration> {
        None
    }

    fn is_parked(&self, _id: ConnectionId) -> bool {
        false
    }

    fn take_touched(&mut self) -> Vec<ConnectionId> {
        std::mem::take(&mut self.touched)
    }

    fn outgoing(&mut self, id: ConnectionId) -> Option<&mut Outgoing> {
        self.lines.get_mut(&id).map(|line| &mut line.outgoing)
    }

    fn shut_down(&mut self, _now: Moment) -> Result<(), TurnError> {
        Ok(())
    }
}
