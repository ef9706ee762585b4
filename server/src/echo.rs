//! The echo service of the first exercises: one message, the same bytes back, goodbye.

use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

use lottery_core::codec::Scan;
use lottery_core::message::{Code, Refusal};
use memchr::memchr;

use crate::connection::{ConnectionId, Ending, Outgoing};
use crate::log_lines;
use crate::service::{Behind, Class, Service, Session};

/// Sends each connection its own first message back, unaltered, and closes it. A message goes to
/// its line feed, or to the end of the stream.
#[derive(Debug)]
pub struct Echo {
    message_bytes_max: usize,
    connections: usize,
}

/// A connection to the echo service.
#[derive(Debug)]
pub struct EchoSession {
    peer: IpAddr,
    message_bytes_max: usize,
    /// Bytes known to have no line feed.
    searched_bytes: usize,
}

impl Echo {
    /// A service that echoes messages of at most `message_bytes_max` bytes; a peer that sends a longer
    /// one gets nothing back.
    pub fn new(message_bytes_max: usize) -> Echo {
        Echo {
            message_bytes_max,
            connections: 0,
        }
    }
}

impl Session for EchoSession {
    fn scan(&mut self, bytes: &[u8]) -> Result<Scan, Refusal> {
        let found = memchr(b'\n', &bytes[self.searched_bytes..]);
        match found.map(|position| self.searched_bytes + position + 1) {
            Some(length) if length <= self.message_bytes_max => Ok(Scan::Whole(length)),
            None if bytes.len() < self.message_bytes_max => {
                self.searched_bytes = bytes.len();
                Ok(Scan::Incomplete { at_least: None })
            }
            Some(_) | None => Err(Code::Malformed.into()),
        }
    }

    fn class(&self) -> Class {
        Class::Agency
    }

    fn is_parked(&self) -> bool {
        false
    }
}

impl Service for Echo {
    type Session = EchoSession;
    type Error = Infallible;

    fn connected(&mut self, _behind: Behind, peer: IpAddr) -> EchoSession {
        self.connections += 1;
        EchoSession {
            peer,
            message_bytes_max: self.message_bytes_max,
            searched_bytes: 0,
        }
    }

    fn message(
        &mut self,
        _id: ConnectionId,
        session: &mut EchoSession,
        message: &[u8],
        outgoing: &mut Outgoing,
        _now: Duration,
    ) {
        if !message.is_empty() {
            let text = String::from_utf8_lossy(message);
            log_lines::echoed(session.peer, text.trim_end_matches(['\r', '\n']));
        }
        outgoing.buffer().extend_from_slice(message);
        outgoing.end(Ending::AfterFlush);
    }

    fn no_message(
        &mut self,
        _id: ConnectionId,
        session: &mut EchoSession,
        _refusal: Refusal,
        outgoing: &mut Outgoing,
    ) {
        log_lines::echo_refused(session.peer, self.message_bytes_max);
        outgoing.end(Ending::AfterFlush);
    }

    fn end_of_stream(
        &mut self,
        id: ConnectionId,
        session: &mut EchoSession,
        rest: &[u8],
        outgoing: &mut Outgoing,
    ) {
        self.message(id, session, rest, outgoing, Duration::ZERO);
    }

    fn disconnected(&mut self, _id: ConnectionId, _session: EchoSession) {
        self.connections -= 1;
    }

    fn log_standing(&self) {
        log_lines::echo_standing(self.connections);
    }
}

#[cfg(test)]
mod tests {
    use lottery_core::testing::SimDisk;

    use super::*;
    use crate::testing::{A, Setup, World, forget_log, times_logged};

    const MESSAGE_BYTES_MAX: usize = 16;

    #[test]
    fn a_message_ends_with_its_line_however_it_is_cut_and_must_not_be_too_long() {
        for (sent, echoed) in [
            ("one\ntwo\nthree\n", "one\n"),
            ("0123456789abcde\n", "0123456789abcde\n"),
            ("0123456789abcdef\n", ""),
            ("0123456789abcdef", ""),
        ] {
            for cut in 0..=sent.len() {
                forget_log();
                let echo = Echo::new(MESSAGE_BYTES_MAX);
                let mut world = World::around(echo, Setup::of(0), SimDisk::default());
                world.hears(A, &sent.as_bytes()[..cut]);
                world.hears(A, &sent.as_bytes()[cut..]);
                assert_eq!(world.received(A), echoed.as_bytes());
                assert!(world.is_over(A));
                world.dies(A);
                world.run();
                world.reactor.service().log_standing();
                let standing = "action: estado | result: success | conexiones: 0";
                assert_eq!(times_logged(standing), 1);
            }
        }
    }
}
