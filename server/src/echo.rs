//! The echo service of the first exercises: one message, the same bytes back, goodbye.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

use crate::journal;
use crate::layers::{ConnectionId, Moment};
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
    /// A service that echoes messages of at most `message_bytes_max` bytes; whoever sends a longer
    /// one gets nothing back.
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
    type Error = Infallible;

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
        let is_whole = end.is_some_and(|end| end == taken);
        if is_whole {
            self.answer(id);
        } else if taken == room {
            journal::echo_refused(line.peer, self.message_bytes_max);
            line.message.clear();
            line.outgoing.end(Ending::AfterFlush);
            self.touched.push(id);
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

    fn end_turn(&mut self, _now: Moment) -> Result<(), Infallible> {
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

    fn log_standing(&self) {
        journal::echo_standing(self.lines.len());
    }

    fn shut_down(&mut self, _now: Moment) -> Result<(), Infallible> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::testing::{TODAY, remember_log, times_logged};

    const ID: ConnectionId = ConnectionId(1);
    const MESSAGE_BYTES_MAX: usize = 16;

    /// An echo service with one connection, which is sent these pieces and no end.
    fn after(pieces: &[&[u8]]) -> Echo {
        let mut echo = Echo::new(MESSAGE_BYTES_MAX);
        echo.connected(ID, Ipv4Addr::LOCALHOST.into());
        let now = Moment {
            elapsed: Duration::ZERO,
            today: TODAY,
        };
        for piece in pieces {
            echo.receive(ID, piece, now);
            echo.end_turn(now).unwrap();
        }
        echo
    }

    /// What is sent back, when the message is over.
    fn answer(echo: &mut Echo) -> Option<Vec<u8>> {
        let is_touched = echo.take_touched().contains(&ID);
        let wants_input = echo.wants_input(ID);
        let outgoing = echo.outgoing(ID).unwrap();
        let is_over = outgoing.ending() == Ending::AfterFlush;
        assert_eq!(is_touched, is_over);
        assert_eq!(wants_input, !is_over);
        is_over.then(|| outgoing.unsent().to_vec())
    }

    #[test]
    fn a_message_comes_back_unaltered_wherever_it_is_cut() {
        let message = "año N°1\r\n".as_bytes();
        for cut in 0..=message.len() {
            let (front, back) = message.split_at(cut);
            let mut echo = after(&[front, back]);
            assert_eq!(answer(&mut echo).as_deref(), Some(message));
        }
    }

    #[test]
    fn bytes_that_are_no_text_come_back_unaltered() {
        let message = b"\xff\x00|\xfe\n";
        assert_eq!(
            answer(&mut after(&[message])).as_deref(),
            Some(&message[..])
        );
    }

    #[test]
    fn nothing_comes_back_before_the_message_is_over() {
        assert_eq!(answer(&mut after(&[b"Message", b" N"])), None);
    }

    #[test]
    fn the_end_of_the_stream_ends_a_message() {
        let mut echo = after(&[b"Message"]);
        echo.end_of_stream(ID);
        assert_eq!(answer(&mut echo).as_deref(), Some(&b"Message"[..]));
    }

    #[test]
    fn what_follows_the_first_message_is_not_echoed() {
        let mut echo = after(&[b"one\ntwo\n", b"three\n"]);
        echo.end_of_stream(ID);
        assert_eq!(answer(&mut echo).as_deref(), Some(&b"one\n"[..]));
    }

    #[test]
    fn a_connection_closed_without_a_byte_is_closed_and_is_no_failure() {
        remember_log();
        let mut echo = after(&[]);
        echo.end_of_stream(ID);
        assert_eq!(answer(&mut echo).as_deref(), Some(&b""[..]));
        assert_eq!(times_logged("action: receive_message"), 0);
    }

    #[test]
    fn a_message_without_an_end_gets_nothing_back() {
        remember_log();
        let mut echo = after(&[b"0123456789", b"0123456789\n"]);
        assert_eq!(answer(&mut echo).as_deref(), Some(&b""[..]));
        assert_eq!(times_logged("action: receive_message | result: fail"), 1);
        assert_eq!(times_logged("action: receive_message | result: success"), 0);
    }

    #[test]
    fn a_message_is_logged_once_and_without_its_line_feed() {
        remember_log();
        after(&[b"hola\r\n", b"hola\r\n"]);
        let line = "action: receive_message | result: success | ip: 127.0.0.1 | msg: hola";
        assert_eq!(times_logged(line), 1);
        assert_eq!(times_logged(&format!("{line}\r")), 0);
    }

    #[test]
    fn a_connection_that_is_gone_leaves_nothing_behind() {
        let mut echo = after(&[b"Message"]);
        echo.disconnected(ID);
        assert!(echo.lines.is_empty());
        assert!(echo.outgoing(ID).is_none());
        echo.end_of_stream(ID);
        assert_eq!(echo.take_touched(), []);
    }
}
