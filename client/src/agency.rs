//! An agency's conversation with the central, as a state machine without I/O.
//!
//! ```text
//! Hello ──▶ Welcome ──▶ batches, a window of them at a time ──▶ AllBetsSent, RequestWinners ──▶ winners
//! ```
//!
//! A broken connection costs nothing: the next Hello is answered with a count and a CRC of what is
//! stored. The agency goes through as many of its own bets, checks that they are the same, and goes
//! on behind them. The driver owns the socket: it asks [`Agency::advance`] what to do, sends what
//! was put into its buffer, and hands in every reply.

use std::collections::VecDeque;

use lottery_core::bet::Bet;
use lottery_core::protocol::reply::AgencyState;
use lottery_core::protocol::{Code, Reply, Welcome, bet_encoding, request};
use lottery_core::store::Tally;
use thiserror::Error;

use crate::batch::Batch;
use crate::bet_source::{BetSource, SourceError};

/// How an agency sends.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Bets in a message, at most.
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
    batch: Batch,
    stage: Stage,
    /// Bets of each batch that waits for its answer, oldest first.
    in_flight: VecDeque<u32>,
    /// Bets that the central has confirmed.
    registered: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// Hello is to be said.
    Greeting,
    /// Hello was said.
    Greeted,
    /// Bets are being sent.
    Betting,
    /// Everything was sent, and the winners are to be asked for.
    Asking { must_close: bool },
    /// The winners were asked for.
    Waiting,
    /// The winners are known.
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
    /// The winners are known; there is nothing left to do.
    Done(Vec<u32>),
}

/// What a reply meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The central has these bets already.
    Welcomed {
        /// Bets stored before this connection.
        bets: u64,
    },
    /// The oldest batch without an answer is stored.
    Registered {
        /// Its bets.
        bets: u32,
    },
    /// Everything is stored, and the draw is awaited. The driver tells this, as no reply does.
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
        /// Bets of the batch that was probably meant, if one waited for its answer.
        bets: Option<u32>,
    },
    /// The central has bets of this agency that are not the first bets of this source.
    #[error(
        "the central has {} bets of this agency with CRC {}, and the first {} here have {}: \
         nothing was sent; expected the same bets as before",
        stored.bets, stored.crc, own.bets, own.crc
    )]
    OtherBets {
        /// What the central has.
        stored: Tally,
        /// As many of the own bets, or all when there are fewer.
        own: Tally,
    },
    /// The agency finished earlier, with fewer bets than there are now.
    #[error("betting is closed with the first {registered} bets, and there are more here")]
    ClosedBefore {
        /// Bets that are stored.
        registered: u64,
    },
    /// The central answered something that was not asked.
    #[error("the central sent {reply:?} out of turn")]
    OutOfTurn {
        /// Its reply.
        reply: Reply,
    },
}

impl AgencyError {
    /// Whether trying again later may help.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            AgencyError::Refused {
                code: Code::NotStored,
                ..
            }
        )
    }
}

impl<S: BetSource> Agency<S> {
    /// Agency `number`, whose bets are those of `source`.
    pub fn new(number: u32, source: S, pace: Pace) -> Agency<S> {
        Agency {
            number,
            source,
            pace,
            batch: Batch::new(pace.batch_bets_max),
            stage: Stage::Greeting,
            in_flight: VecDeque::new(),
            registered: 0,
        }
    }

    /// Where the bets come from.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// Bets that the central has confirmed.
    pub fn registered(&self) -> u64 {
        self.registered
    }

    /// A new connection was made; whatever waited for an answer on the last one is forgotten.
    pub fn connected(&mut self) {
        if !matches!(self.stage, Stage::Done(_)) {
            self.stage = Stage::Greeting;
        }
        self.in_flight.clear();
        self.batch.clear();
    }

    /// Adds to `out` what is to be sent next, and says what to do then.
    ///
    /// # Errors
    ///
    /// When the bets cannot be read.
    pub fn advance(&mut self, out: &mut Vec<u8>) -> Result<Step, AgencyError> {
        match &self.stage {
            Stage::Greeting => {
                request::encode_hello(self.number, out);
                self.stage = Stage::Greeted;
                Ok(Step::AwaitReply)
            }
            Stage::Betting if self.in_flight.len() < self.pace.window => self.send_batch(out),
            Stage::Greeted | Stage::Betting => Ok(Step::AwaitReply),
            Stage::Asking { must_close } => {
                if *must_close {
                    request::encode_all_bets_sent(out);
                }
                request::encode_request_winners(out);
                self.stage = Stage::Waiting;
                Ok(Step::Send)
            }
            Stage::Waiting if self.in_flight.is_empty() => Ok(Step::AwaitDraw),
            Stage::Waiting => Ok(Step::AwaitReply),
            Stage::Done(winners) => Ok(Step::Done(winners.clone())),
        }
    }

    /// Takes a reply.
    ///
    /// # Errors
    ///
    /// When the central refuses, or answers something that was not asked, or has other bets.
    pub fn receive(&mut self, reply: Reply) -> Result<News, AgencyError> {
        match (reply, &self.stage) {
            (Reply::Welcome(welcome), Stage::Greeted) => self.take_welcome(welcome),
            (Reply::RegisterBetFailed(code), _) => Err(AgencyError::Refused {
                code,
                bets: self.in_flight.front().copied(),
            }),
            (Reply::RegisterBetOk, _) if !self.in_flight.is_empty() => {
                let bets = self.in_flight.pop_front().unwrap_or_default();
                self.registered += u64::from(bets);
                Ok(News::Registered { bets })
            }
            (Reply::InformWinners(winners), Stage::Waiting) if self.in_flight.is_empty() => {
                self.stage = Stage::Done(winners);
                Ok(News::Winners)
            }
            (reply, _) => Err(AgencyError::OutOfTurn { reply }),
        }
    }

    /// The most winners that the central can truthfully tell of.
    pub fn winners_max(&self) -> u64 {
        let in_flight: u64 = self.in_flight.iter().copied().map(u64::from).sum();
        self.registered + in_flight
    }

    fn send_batch(&mut self, out: &mut Vec<u8>) -> Result<Step, AgencyError> {
        let Agency {
            source,
            batch,
            in_flight,
            ..
        } = self;
        let mut put = |bet: &Bet<'_>| {
            let had_room = batch.push(bet);
            if !had_room {
                in_flight.push_back(batch.send(out));
                let has_room = batch.push(bet);
                assert!(has_room, "an empty batch has room for any valid bet");
            }
            had_room
        };
        loop {
            match source.next_bet(&mut put)? {
                Some(true) => {}
                Some(false) => return Ok(Step::Send),
                None => break,
            }
        }
        if self.batch.count() > 0 {
            self.in_flight.push_back(self.batch.send(out));
        }
        self.stage = Stage::Asking { must_close: true };
        Ok(Step::Send)
    }

    fn take_welcome(&mut self, welcome: Welcome) -> Result<News, AgencyError> {
        self.source.rewind()?;
        let stored = Tally {
            bets: welcome.bets,
            crc: welcome.crc,
        };
        let own = self.tally_first(stored.bets)?;
        if own != stored {
            return Err(AgencyError::OtherBets { stored, own });
        }
        self.registered = stored.bets;
        self.stage = match welcome.state {
            AgencyState::Betting => Stage::Betting,
            AgencyState::Closed | AgencyState::Drawn => {
                if self.source.next_bet(|_| ())?.is_some() {
                    return Err(AgencyError::ClosedBefore {
                        registered: stored.bets,
                    });
                }
                Stage::Asking { must_close: false }
            }
        };
        Ok(News::Welcomed { bets: stored.bets })
    }

    /// The tally of the first `bets` bets, or of all when there are fewer.
    fn tally_first(&mut self, bets: u64) -> Result<Tally, AgencyError> {
        let mut tally = Tally::default();
        let mut encoding = Vec::new();
        while tally.bets < bets {
            encoding.clear();
            let encode = |bet: &Bet<'_>| bet_encoding::encode(bet, &mut encoding);
            if self.source.next_bet(encode)?.is_none() {
                break;
            }
            tally.add(1, &encoding);
        }
        Ok(tally)
    }
}

#[cfg(test)]
mod tests;
