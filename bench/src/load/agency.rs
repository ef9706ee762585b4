//! One of many agencies: a socket, a place in a script, and the batches that wait for an answer.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use lottery_core::protocol::reply::ReplyScanner;
use lottery_core::protocol::{FrameAssembler, Reply, request};
use mio::net::TcpStream;
use rustix::net::sockopt::set_socket_linger;

use super::{Clock, Conversation, Script};
use crate::floor::ANSWER_BYTES;
use crate::histogram::Histogram;

/// An agency. It is made when it begins to connect and dropped after the run.
#[derive(Debug)]
pub struct Agency {
    number: u32,
    /// Its socket; the load registers it.
    pub stream: TcpStream,
    stage: Stage,
    was_heard: bool,
    assembler: FrameAssembler<ReplyScanner>,
    /// Bytes of an answer of the floor's that came without its rest.
    partial_answer: usize,
    /// Bytes of the script that were sent.
    sent: usize,
    /// Messages that were sent whole.
    messages_sent: usize,
    answered: usize,
    /// When each message that waits for its answer was given to the system, in nanoseconds of the
    /// load's clock.
    in_flight: VecDeque<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Connecting,
    /// Hello was said.
    Greeted,
    /// Messages go out and answers come in.
    Sending,
    /// The winners, or the last of the floor's answers, are here.
    Done,
}

/// What all agencies of a load have in common.
pub struct Common<'a> {
    /// What they say, and how.
    pub conversation: Conversation,
    /// Messages that may wait for their answer at once.
    pub window: usize,
    /// What time it is.
    pub clock: Clock,
    /// Where bytes are read to.
    pub buffer: &'a mut [u8],
    /// Where messages are patched.
    pub scratch: &'a mut Vec<u8>,
    /// The times from a message to its answer.
    pub answer_times: &'a mut Histogram,
}

impl Agency {
    /// Begins to connect.
    pub fn connect(number: u32, address: SocketAddr, script: &Script) -> Result<Agency> {
        Ok(Agency {
            number,
            stream: TcpStream::connect(address)?,
            stage: Stage::Connecting,
            was_heard: false,
            assembler: FrameAssembler::new(ReplyScanner::new(script.bets)),
            partial_answer: 0,
            sent: 0,
            messages_sent: 0,
            answered: 0,
            in_flight: VecDeque::new(),
        })
    }

    /// Closes the connection so that nothing of it stays: tens of thousands that linger for a
    /// minute or two fill the tables of the kernel and of its firewall, which then drops packets.
    pub fn vanish(self) {
        // Without the option the connection closes as usual.
        let _ = set_socket_linger(&self.stream, Some(Duration::ZERO));
    }

    /// Whether the server has answered anything, and so has accepted the connection.
    pub fn was_heard(&self) -> bool {
        self.was_heard
    }

    /// Whether it has all it wanted.
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// The socket has room, or is connected now.
    pub fn writable(&mut self, script: &Script, common: &mut Common<'_>) -> Result<()> {
        if self.stage == Stage::Connecting {
            if let Some(error) = self.stream.take_error()? {
                bail!("agency {}: connecting: {error}", self.number);
            }
            if self.stream.peer_addr().is_err() {
                return Ok(());
            }
            self.stream.set_nodelay(true)?;
            self.stage = match common.conversation {
                Conversation::Lottery { greets: true } => {
                    let mut hello = Vec::new();
                    request::encode_hello(self.number, &mut hello);
                    // An empty socket takes eight bytes.
                    self.stream.write_all(&hello)?;
                    Stage::Greeted
                }
                _ => Stage::Sending,
            };
        }
        self.send(script, common)
    }

    /// Bytes came.
    pub fn readable(&mut self, script: &Script, common: &mut Common<'_>) -> Result<()> {
        loop {
            let read = match self.stream.read(common.buffer) {
                Ok(0) if self.is_done() => return Ok(()),
                Ok(0) => bail!("agency {}: the server closed the connection", self.number),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => bail!("agency {}: reading: {error}", self.number),
            };
            self.was_heard = true;
            match common.conversation {
                Conversation::Lottery { .. } => self.take_replies(script, common, read)?,
                Conversation::Floor => self.take_answers(script, common, read),
            }
            self.send(script, common)?;
            if read < common.buffer.len() {
                return Ok(());
            }
        }
    }

    /// Sends as much as the window and the socket let.
    fn send(&mut self, script: &Script, common: &mut Common<'_>) -> Result<()> {
        if self.stage != Stage::Sending {
            return Ok(());
        }
        let end = script.end_of_first(self.answered + common.window);
        while self.sent < end {
            let message = self.messages_sent;
            let piece = script.piece(self.number, message, self.sent, end, common.scratch);
            // Before the write, so that no answer comes before its question.
            let now = common.clock.nanoseconds();
            match self.stream.write(piece) {
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => bail!("agency {}: sending: {error}", self.number),
            }
            while let Some(end) = script.end_of(self.messages_sent)
                && end <= self.sent
            {
                self.messages_sent += 1;
                self.in_flight.push_back(now);
            }
            if self.sent == script.bytes().len() && common.conversation == Conversation::Floor {
                self.stream.shutdown(Shutdown::Write)?;
            }
        }
        Ok(())
    }

    fn take_replies(
        &mut self,
        script: &Script,
        common: &mut Common<'_>,
        read: usize,
    ) -> Result<()> {
        let now = common.clock.nanoseconds();
        let mut input = &common.buffer[..read];
        while let Some(frame) = self.assembler.next_frame(&mut input)? {
            match Reply::parse(frame)? {
                Reply::RegisterBetOk => {
                    if !note_answer(&mut self.in_flight, now, common.answer_times) {
                        bail!("agency {}: an answer that nobody waits for", self.number);
                    }
                    self.answered += 1;
                }
                Reply::Welcome(welcome) if self.stage == Stage::Greeted => {
                    let stored = welcome.bets;
                    ensure!(
                        stored == 0,
                        "agency {}: {stored} bets are stored already",
                        self.number
                    );
                    self.stage = Stage::Sending;
                }
                Reply::InformWinners(winners) if self.answered == script.messages() => {
                    let (told, expected) = (winners.len() as u64, script.winners);
                    ensure!(
                        told == expected,
                        "agency {}: {told} winners, expected {expected}",
                        self.number
                    );
                    self.stage = Stage::Done;
                }
                other => bail!("agency {}: unexpected {other:?}", self.number),
            }
        }
        Ok(())
    }

    fn take_answers(&mut self, script: &Script, common: &mut Common<'_>, read: usize) {
        let now = common.clock.nanoseconds();
        let bytes = self.partial_answer + read;
        self.partial_answer = bytes % ANSWER_BYTES;
        for _ in 0..bytes / ANSWER_BYTES {
            note_answer(&mut self.in_flight, now, common.answer_times);
            self.answered += 1;
        }
        if self.answered == script.messages() {
            self.stage = Stage::Done;
        }
    }
}

/// Counts the time that the oldest message waited; says whether there was one.
fn note_answer(in_flight: &mut VecDeque<u64>, now: u64, times: &mut Histogram) -> bool {
    let sent = in_flight.pop_front();
    if let Some(sent) = sent {
        times.record_ns(now.saturating_sub(sent));
    }
    sent.is_some()
}
