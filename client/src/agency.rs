//! An agency's conversation with the central, as a state machine without I/O.
//!
//! ```text
//! Hello ──▶ Welcome ──▶ batches, a window of them at a time ──▶ AllBetsSent, RequestWinners ──▶ winners
//! ```
//!
//! After a broken connection, Welcome counts the stored bets and gives their CRC. The agency compares
//! its own first bets and continues after them. The driver owns the socket: it asks
//! [`Agency::advance`] what to do, sends what was put into its buffer, and passes on every reply.

use std::collections::VecDeque;

use lottery_core::bet::Bet;
use lottery_core::codec::native::{self, AGENCY_MESSAGE_BYTES_MAX, BATCH_HEADER_BYTES};
use lottery_core::encoding::{self, Tally};
use lottery_core::message::{self, Code, Refusal, Reply, Welcome};
use thiserror::Error;

use crate::bet_source::{BetSource, SourceError};

/// How an agency sends.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Bets in a message, at most; 1 or more.
    pub batch_bets_max: u32,
    /// Messages that may wait for their answer at once.
    pub window: usize,
}

/// An agency. One lives as long as its program and outlives its connections.
#[derive(Debug)]
pub struct Agency<S> {
    number: u32,
    source: S,
    pace: Pace,
    /// An encoded bet that did not fit into the last batch.
    next_bet: Vec<u8>,
    stage: Stage,
    /// The batches that wait for their answers, oldest first: their bets, and where in the source
    /// they end.
    in_flight: VecDeque<(u32, u64)>,
    registered: u64,
    registered_bytes: u64,
    /// The most bets the central can have from this program: counted by a Welcome, or sent. Unknown
    /// before the first Welcome.
    sent: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// Hello must be sent.
    Greeting,
    /// Hello was sent.
    Greeted,
    Betting,
    /// The winners must be requested.
    Asking {
        must_finish: bool,
    },
    /// The winners were requested.
    Waiting,
    Done(Vec<u32>),
}

/// What the driver is to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something was added to the buffer; there may be more to add.
    Send,
    /// Send the buffer and wait for a reply, which the central gives at once.
    AwaitReply,
    /// Send the buffer and wait for the draw, however long it takes.
    AwaitDraw,
    /// These are the winners; there is nothing left to do.
    Done(Vec<u32>),
}

/// What a reply meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The central has this many bets already.
    Welcomed(u64),
    /// The oldest unanswered batch, of this many bets, is stored.
    Registered(u32),
    /// Everything is stored, and the draw is awaited. This comes from the driver, not from a reply.
    AwaitingDraw,
    /// The winners are known.
    Winners,
}

/// Why the conversation cannot go on.
#[derive(Debug, Error)]
pub enum AgencyError {
    /// The bets cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The central refused.
    #[error("refused by the central with code {}: {code}", code.number())]
    Refused {
        /// Its reason.
        code: Code,
        /// Bets of the batch that was probably meant.
        bets: Option<u32>,
    },
    /// The central's bets of this agency, the first tally, are not the first bets of this source.
    #[error(
        "the central has {} bets of this agency with CRC {}, but the first {} here have CRC {}: \
         nothing was sent; use the file of the first run", .0.bets, .0.crc, .1.bets, .1.crc
    )]
    OtherBets(Tally, Tally),
    /// Bets are registered that this program did not send, or the agency was taken over from it.
    #[error("another program runs as agency {0}; stop one of the two")]
    AnotherProgram(u32),
    /// The agency finished earlier with this many bets, and there are more now.
    #[error("betting is closed with the first {0} bets; the rows after them were not sent")]
    FinishedBefore(u64),
    /// The central sent this, which was not asked for.
    #[error("the central sent {0} out of turn")]
    OutOfTurn(&'static str),
}

impl AgencyError {
    /// Whether trying again later may help.
    pub fn is_passing(&self) -> bool {
        matches!(self, AgencyError::Refused { code, .. } if *code == Code::NotStored)
    }
}

impl<S: BetSource> Agency<S> {
    /// Agency `number`, whose bets are those of `source`.
    pub fn new(number: u32, source: S, pace: Pace) -> Agency<S> {
        Agency {
            number,
            source,
            pace,
            next_bet: Vec::new(),
            stage: Stage::Greeting,
            in_flight: VecDeque::new(),
            registered: 0,
            registered_bytes: 0,
            sent: None,
        }
    }

    /// The agency's number.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Where the bets come from.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// Bets that the central has confirmed.
    pub fn registered(&self) -> u64 {
        self.registered
    }

    /// Bytes of the source that those take.
    pub fn registered_bytes(&self) -> u64 {
        self.registered_bytes
    }

    /// Whether the central has answered Hello on this connection.
    pub fn is_identified(&self) -> bool {
        !matches!(self.stage, Stage::Greeting | Stage::Greeted)
    }

    /// Whether the winners were asked for on this connection.
    pub fn is_waiting(&self) -> bool {
        self.stage == Stage::Waiting
    }

    /// Begins a new connection; whatever waited for an answer on the last one is forgotten.
    pub fn connected(&mut self) {
        if self.is_identified() {
            self.sent = self.sent.max(Some(self.winners_max()));
        }
        if !matches!(self.stage, Stage::Done(_)) {
            self.stage = Stage::Greeting;
        }
        self.in_flight.clear();
        self.next_bet.clear();
    }

    /// Adds what must be sent next to `out`, and returns what to do then. Fails when the bets cannot be
    /// read.
    pub fn advance(&mut self, out: &mut Vec<u8>) -> Result<Step, AgencyError> {
        match &self.stage {
            Stage::Greeting => {
                native::encode_hello(self.number, out);
                self.stage = Stage::Greeted;
                Ok(Step::AwaitReply)
            }
            Stage::Betting if self.in_flight.len() < self.pace.window => self.send_batch(out),
            Stage::Greeted | Stage::Betting => Ok(Step::AwaitReply),
            Stage::Asking { must_finish } => {
                if *must_finish {
                    native::encode_all_bets_sent(out);
                }
                native::encode_request_winners(out);
                self.stage = Stage::Waiting;
                Ok(Step::Send)
            }
            Stage::Waiting if self.in_flight.is_empty() => Ok(Step::AwaitDraw),
            Stage::Waiting => Ok(Step::AwaitReply),
            Stage::Done(winners) => Ok(Step::Done(winners.clone())),
        }
    }

    /// Takes a reply. Fails when the central refuses, answers what was not asked, or has bets that
    /// this program did not send.
    pub fn receive(&mut self, reply: Reply) -> Result<News, AgencyError> {
        match (reply, &self.stage) {
            (Reply::Welcome(welcome), Stage::Greeted) => self.take_welcome(welcome),
            (Reply::Refused(Refusal { code, .. }), _) => Err(AgencyError::Refused {
                code,
                bets: self.in_flight.front().map(|(bets, _)| *bets),
            }),
            (Reply::Winners(winners), Stage::Waiting) if self.in_flight.is_empty() => {
                self.stage = Stage::Done(winners);
                Ok(News::Winners)
            }
            (reply, _) => match self.in_flight.pop_front() {
                Some((bets, end)) if reply == Reply::Stored => {
                    self.registered += u64::from(bets);
                    self.registered_bytes = end;
                    Ok(News::Registered(bets))
                }
                _ => Err(AgencyError::OutOfTurn(name(&reply))),
            },
        }
    }

    /// The most winners that the central can truthfully report.
    pub fn winners_max(&self) -> u64 {
        let in_flight = self.in_flight.iter().map(|(bets, _)| u64::from(*bets));
        self.registered + in_flight.sum::<u64>()
    }

    /// Adds the next batch to `out`, as large as it may be, or notes that there are no more bets.
    fn send_batch(&mut self, out: &mut Vec<u8>) -> Result<Step, AgencyError> {
        let start = out.len();
        out.resize(start + BATCH_HEADER_BYTES, 0);
        let mut bets = 0;
        loop {
            let next_bet = &mut self.next_bet;
            let is_needed = next_bet.is_empty();
            let put = |bet: &Bet<'_>| native::encode_counted_bet(bet, next_bet);
            if is_needed && self.source.next_bet(put)?.is_none() {
                self.stage = Stage::Asking { must_finish: true };
                break;
            }
            let bytes = out.len() - start + self.next_bet.len();
            if bets == self.pace.batch_bets_max || bytes > AGENCY_MESSAGE_BYTES_MAX {
                break;
            }
            out.append(&mut self.next_bet);
            bets += 1;
        }
        if bets == 0 {
            out.truncate(start);
            return Ok(Step::Send);
        }
        let mut header = Vec::with_capacity(BATCH_HEADER_BYTES);
        native::encode_batch_header(bets, &mut header);
        out[start..start + BATCH_HEADER_BYTES].copy_from_slice(&header);
        self.in_flight.push_back((bets, self.source.offset()));
        Ok(Step::Send)
    }

    fn take_welcome(&mut self, welcome: Welcome) -> Result<News, AgencyError> {
        self.source.rewind()?;
        let stored = welcome.tally;
        let own = self.tally_first(stored.bets)?;
        if own != stored {
            return Err(AgencyError::OtherBets(stored, own));
        }
        if self.sent.is_some_and(|sent| stored.bets > sent) {
            return Err(AgencyError::AnotherProgram(self.number));
        }
        self.sent = self.sent.max(Some(stored.bets));
        self.registered = stored.bets;
        self.registered_bytes = self.source.offset();
        self.stage = match welcome.stage {
            message::Stage::Betting => Stage::Betting,
            message::Stage::Finished | message::Stage::Drawn => {
                if self.source.next_bet(|_| ())?.is_some() {
                    return Err(AgencyError::FinishedBefore(stored.bets));
                }
                Stage::Asking { must_finish: false }
            }
        };
        Ok(News::Welcomed(stored.bets))
    }

    /// The tally of the first `bets` bets, or of all when there are fewer.
    fn tally_first(&mut self, bets: u64) -> Result<Tally, AgencyError> {
        let mut tally = Tally::default();
        let mut encoding = Vec::new();
        while tally.bets < bets {
            encoding.clear();
            let encode = |bet: &Bet<'_>| encoding::encode(bet, &mut encoding);
            if self.source.next_bet(encode)?.is_none() {
                break;
            }
            tally.add(1, &encoding);
        }
        Ok(tally)
    }
}

fn name(reply: &Reply) -> &'static str {
    match reply {
        Reply::Welcome(_) => "Welcome",
        Reply::Stored => "RegisterBetOk",
        Reply::Winners(_) => "InformWinners",
        Reply::Status(_) => "StatusReport",
        Reply::Refused(_) => "RegisterBetFailed",
        Reply::Finished | Reply::DrawHeld => "a message of another dialect",
    }
}
