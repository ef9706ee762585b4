//! Who goes when connections, memory or time run out.

use std::time::Duration;

use super::Reactor;
use crate::connection::{Connection, ConnectionId};
use crate::limits::SECOND_LOOK;
use crate::log_lines::{self, Overdue};
use crate::service::{Service, Session};
use crate::transport::Socket;

impl<S: Service, T: Socket> Reactor<S, T> {
    pub(super) fn make_room(&mut self) {
        let is_full = self.lottery_connections() >= self.limits.connections_max;
        if is_full && !std::mem::replace(&mut self.is_full, is_full) {
            log_lines::connections_full(self.limits.connections_max);
        }
        self.is_full = is_full;
        if is_full && let Some(oldest) = self.strangers.first().copied() {
            self.disconnect(oldest);
        }
    }

    pub(super) fn lottery_connections(&self) -> usize {
        self.connections.len() - self.viewers.len()
    }

    pub(super) fn count_memory(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(&id) {
            let memory_bytes = connection.memory_bytes();
            self.memory_bytes += memory_bytes;
            self.memory_bytes -= connection.counted_bytes;
            connection.counted_bytes = memory_bytes;
        }
    }

    /// Closes the largest holders when all connections together hold too much: strangers and viewers
    /// before agencies, and of each those first that made no progress in this turn.
    pub(super) fn keep_within_memory(&mut self, now: Duration) {
        let max = self.limits.memory_bytes_max;
        if self.memory_bytes <= max {
            return;
        }
        let mut holders: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.counted_bytes > 0)
            .map(|(id, connection)| {
                let is_agency = connection.is_agency();
                let progresses = connection.last_progress == now;
                let least = usize::MAX - connection.counted_bytes;
                (is_agency, progresses, least, *id)
            })
            .collect();
        holders.sort_unstable();
        // Somewhat more than needed, so that this is not done again in the next turn.
        let enough = max - max / 8;
        let before = self.memory_bytes;
        let mut closed = 0;
        for (.., id) in holders {
            if self.memory_bytes <= enough {
                break;
            }
            self.disconnect(id);
            closed += 1;
        }
        log_lines::memory_exceeded(before, max, closed);
    }

    /// Closes the connections whose time is up. A connection's timer is not moved when it speaks; it
    /// is looked at when it fires, and set anew.
    pub(super) fn close_overdue(&mut self, now: Duration) {
        while let Some(id) = self.timers.take_expired(now) {
            let Some(connection) = self.connections.get(&id) else {
                continue;
            };
            if let Some(until) = connection.lingers_until {
                if until <= now {
                    self.disconnect(id);
                }
                continue;
            }
            let Some(timeout) = self.limits.idle_timeout else {
                continue;
            };
            let (since, overdue) = connection.waits_since(now);
            let deadline = since + timeout;
            if deadline > now {
                self.timers.set(deadline, id);
            } else if connection.is_queued && overdue != Overdue::Unidentified {
                // It has sent what nobody has looked at yet, perhaps because a sync took long.
                self.timers.set(now + SECOND_LOOK, id);
            } else {
                log_lines::overdue_closed(connection.peer, overdue, timeout);
                self.disconnect(id);
            }
        }
    }
}

impl<S: Session, T: Socket> Connection<S, T> {
    /// What the server has waited for longest, and since when.
    fn waits_since(&self, now: Duration) -> (Duration, Overdue) {
        let is_excused = self.session.is_parked() && self.is_flushed();
        let silent_since = if is_excused { now } else { self.last_activity };
        let is_unidentified = !self.is_agency() && !is_excused;
        let unidentified = is_unidentified.then_some(self.connected_at);
        let unfinished = self.message_since.filter(|_| !is_excused);
        let waits = [
            (Some(silent_since), Overdue::Silent),
            (unfinished, Overdue::UnfinishedMessage),
            (unidentified, Overdue::Unidentified),
        ];
        let waits = waits.into_iter();
        waits
            .filter_map(|(since, overdue)| Some((since?, overdue)))
            .min_by_key(|(since, _)| *since)
            .unwrap_or((now, Overdue::Silent))
    }
}
