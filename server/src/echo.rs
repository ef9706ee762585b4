//! The echo service of the first exercises: one message, the same bytes back, goodbye.

use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

use lottery_core::codec::Scan;
use memchr::memchr;

use crate::connection::{ConnectionId, Ending, Outgoing};
use crate::log_lines;
use crate::service::{Class, Service, Session};

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

/// The message has no line feed within the bytes that are read.
#[derive(Clone, Copy, Debug)]
pub struct TooLong;

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
    type Fault = TooLong;

    fn scan(&mut self, bytes: &[u8]) -> Result<Scan, TooLong> {
        let found = memchr(b'\n', &bytes[self.searched_bytes..]);
        match found.map(|position| self.searched_bytes + position + 1) {
            Some(length) if length <= self.message_bytes_max => Ok(Scan::Whole(length)),
            None if bytes.len() < self.message_bytes_max => {
                self.searched_bytes = bytes.len();
                Ok(Scan::Incomplete { at_least: None })
            }
            Some(_) | None => Err(TooLong),
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

    fn connected(&mut self, _door: usize, peer: IpAddr) -> EchoSession {
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
        _fault: TooLong,
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
    fn the_first_message_comes_back_unaltered_once_it_is_over_however_it_is_cut() {
        let received = "action: receive_message | result: success | ip: 127.0.0.1 | msg: ";
        for (sent, ends, echoed, logged) in [
            ("año N°1\r\n".as_bytes(), false, 11, Some("año N°1")),
            (
                b"\xff\x00|\xfe\n",
                false,
                5,
                Some("\u{fffd}\\u{0}¦\u{fffd}"),
            ),
            (b"one\ntwo\nthree\n", true, 4, Some("one")),
            (b"\n", false, 1, Some("")),
            (b"Message", true, 7, Some("Message")),
            (b"Message", false, 0, None),
            (b"", true, 0, None),
            (b"0123456789abcde\n", false, 16, Some("0123456789abcde")),
            (b"0123456789abcdef\n", false, 0, None),
            (b"0123456789abcdef", false, 0, None),
        ] {
            for cut in 0..=sent.len() {
                forget_log();
                let echo = Echo::new(MESSAGE_BYTES_MAX);
                let mut world = World::around(echo, Setup::of(0), SimDisk::default());
                world.hears(A, &sent[..cut]);
                world.hears(A, &sent[cut..]);
                let is_too_long = sent.len() >= MESSAGE_BYTES_MAX && echoed == 0;
                if ends {
                    world.ends(A);
                    world.run();
                }
                assert_eq!(world.received(A), &sent[..echoed]);
                assert_eq!(world.is_over(A), logged.is_some() || ends || is_too_long);
                assert_eq!(times_logged(received), usize::from(logged.is_some()));
                if let Some(logged) = logged {
                    assert_eq!(times_logged(&format!("{received}{logged}")), 1);
                    assert_eq!(times_logged(&format!("{received}{logged}\\r")), 0);
                }
                let refused = times_logged("action: receive_message | result: fail");
                assert_eq!(refused, usize::from(is_too_long));
                world.dies(A);
                world.run();
                world.reactor.service().log_standing();
                assert_eq!(
                    times_logged("action: estado | result: success | conexiones: 0"),
                    1
                );
            }
        }
    }
}
