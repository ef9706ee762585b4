//! A visit: messages are taken out of what a connection has sent.

use std::time::Duration;

use super::Reactor;
use crate::connection::{Connection, ConnectionId, Ending, Rank};
use crate::limits::VISIT_BYTES_MIN;
use crate::log_lines;
use crate::service::{Service, Session};
use crate::transport::{ReadOutcome, Socket};

impl<S: Service, T: Socket> Reactor<S, T> {
    /// Visits the connections of each rank, within its share of the turn and until the turn is full.
    /// Those that are left keep their places.
    pub(super) fn visit_ready(&mut self, now: Duration) {
        for rank in Rank::ALL {
            let share = rank.share();
            let ready = self.queues.len(rank);
            let visit_bytes =
                (share.turn_bytes / ready.max(1)).clamp(VISIT_BYTES_MIN, share.visit_bytes_max);
            let mut bytes_left = share.turn_bytes;
            let mut visits_left = share.visits;
            for _ in 0..ready {
                if self.service.is_turn_full() || bytes_left == 0 || visits_left == 0 {
                    break;
                }
                let Some(id) = self.queues.pop(rank) else {
                    break;
                };
                visits_left -= usize::from(self.connections.contains_key(&id));
                let read = self.visit(id, visit_bytes, share.visit_messages, now);
                bytes_left = bytes_left.saturating_sub(read);
            }
        }
    }

    /// Takes messages that were held back, then reads for more, within these bounds. Says how many bytes
    /// were read.
    fn visit(
        &mut self,
        id: ConnectionId,
        bytes_max: usize,
        messages_max: usize,
        now: Duration,
    ) -> usize {
        let Some(connection) = self.connections.get_mut(&id) else {
            return 0;
        };
        connection.is_queued = false;
        if connection.is_dead {
            self.disconnect(id);
            return 0;
        }
        let mut messages_left = messages_max;
        if connection.has_messages {
            messages_left = self.take_messages(id, 0, messages_left, now);
        }
        let mut read = 0;
        while read < bytes_max && messages_left > 0 {
            let Some(connection) = self.connections.get_mut(&id) else {
                return read;
            };
            let is_lingering = connection.lingers_until.is_some();
            if !connection.is_readable || !(is_lingering || connection.is_heard()) {
                break;
            }
            let room = (bytes_max - read).min(self.read_buffer.len());
            match connection.read(&mut self.read_buffer[..room], now) {
                ReadOutcome::Bytes { bytes, .. } => {
                    read += bytes;
                    if !is_lingering {
                        if let Some(certificate) = connection.transport.take_certificate() {
                            self.service.certified(&mut connection.session, certificate);
                        }
                        messages_left = self.take_messages(id, bytes, messages_left, now);
                    }
                }
                ReadOutcome::Ended if is_lingering => self.disconnect(id),
                ReadOutcome::Broken => self.disconnect(id),
                ReadOutcome::Refused(cause) => {
                    log_lines::handshake_refused(connection.peer, &cause);
                    connection.outgoing.end(Ending::AfterFlush);
                    break;
                }
                ReadOutcome::Ended | ReadOutcome::Nothing | ReadOutcome::Later => break,
            }
        }
        self.settle(id);
        read
    }

    /// Takes messages out of what was held back and the first `bytes` of the read buffer, at most so
    /// many; says how many more may be taken in this visit.
    fn take_messages(
        &mut self,
        id: ConnectionId,
        bytes: usize,
        messages_max: usize,
        now: Duration,
    ) -> usize {
        let Some(connection) = self.connections.get_mut(&id) else {
            return 0;
        };
        let mut input = &self.read_buffer[..bytes];
        let mut messages_left = messages_max;
        loop {
            connection.has_messages = connection.inbox.kept_bytes() > 0 || !input.is_empty();
            if messages_left == 0 || !connection.is_heard() {
                connection.inbox.keep(input);
                return messages_left;
            }
            let Connection {
                session,
                inbox,
                outgoing,
                ..
            } = connection;
            match inbox.next_message(&mut input, |bytes| session.scan(bytes)) {
                Ok(Some(message)) => {
                    self.service.message(id, session, message, outgoing, now);
                    messages_left -= 1;
                    connection.was_heard = true;
                    connection.last_progress = now;
                    connection.message_since = None;
                }
                Ok(None) => {
                    connection.has_messages = false;
                    if connection.inbox.kept_bytes() > 0 {
                        connection.message_since.get_or_insert(now);
                    }
                    return messages_left;
                }
                Err(refusal) => {
                    self.service.no_message(id, session, refusal, outgoing);
                    connection.has_messages = false;
                    return messages_left;
                }
            }
        }
    }

    /// After a visit: tells the service of the end of the stream, and notes that there may be answers.
    fn settle(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        if connection.saw_end {
            // Its session may have been identified since the system announced the end.
            self.service.peer_finished(id, &mut connection.session);
        }
        if connection.owes_end() && connection.is_heard() {
            connection.is_end_told = true;
            let Connection {
                session,
                inbox,
                outgoing,
                ..
            } = connection;
            self.service
                .end_of_stream(id, session, inbox.kept(), outgoing);
        }
        let outgoing = &connection.outgoing;
        if outgoing.ending() != Ending::Open || !outgoing.unsent().is_empty() {
            self.touched.push(id);
        }
        self.update(id);
    }
}
