//! An agency that never says Hello: types 1 to 7, one batch at a time.
//!
//! It cannot know what became of a batch whose answer was lost, so it sends the same bets again,
//! under other DNIs, by which the [`crate::promise`] can tell the attempts apart. It is known to the
//! central by the bets it sends and by nothing else. When it loses its connection after its last
//! batch, it sends that again: either it is refused because betting is closed, and the agency will
//! never learn its winners, or it can go on to say that it is done.

use fastrand::Rng;
use lottery_core::protocol::reply::ReplyScanner;
use lottery_core::protocol::{Code, FrameAssembler, Reply, request};
use server::layers::ConnectionId;

use crate::network::{Network, Outlook, Received};
use crate::plan::{AgencyPlan, OwnedBet};
use crate::promise::Promise;

/// The agency.
pub struct Legacy {
    /// What it is to do.
    pub plan: AgencyPlan,
    line: Option<(ConnectionId, FrameAssembler<ReplyScanner>)>,
    /// Bets that were acknowledged.
    registered: usize,
    /// Bets of the last batch that was.
    last_batch: usize,
    stage: Stage,
    /// Whether it has ever said that it has sent everything.
    has_finished: bool,
    attempts: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Betting,
    /// A batch of this many bets waits for its answer.
    Awaiting {
        attempt: u64,
        bets: usize,
    },
    Waiting,
    /// It was told its winners, or can no longer be.
    Over,
}

/// What a step of the agency came to.
#[derive(Debug)]
pub enum LegacyHappened {
    /// Nothing of note.
    Nothing,
    /// A batch was acknowledged.
    Acknowledged,
    /// A batch could not be stored.
    NotStored,
    /// It was told its winners.
    Winners(Vec<u32>),
    /// It was told that the draw was not held in time.
    DrawTimeout,
    /// It cannot go on.
    GaveUp(String),
}

impl Legacy {
    /// An agency that has not begun.
    pub fn new(plan: AgencyPlan) -> Legacy {
        Legacy {
            plan,
            line: None,
            registered: 0,
            last_batch: 0,
            stage: Stage::Betting,
            has_finished: false,
            attempts: 0,
        }
    }

    /// Whether it was told its winners, or can no longer be.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Its connection.
    pub fn connection(&self) -> Option<ConnectionId> {
        self.line.as_ref().map(|(id, _)| *id)
    }

    /// It has a connection.
    pub fn connect(&mut self, id: ConnectionId) {
        self.line = Some((
            id,
            FrameAssembler::new(ReplyScanner::new(u64::from(u16::MAX))),
        ));
    }

    /// Sends what it has to send and takes some of what has arrived.
    pub fn step(
        &mut self,
        network: &mut Network,
        promise: &mut Promise,
        rng: &mut Rng,
    ) -> LegacyHappened {
        let Some((id, assembler)) = &mut self.line else {
            return LegacyHappened::Nothing;
        };
        let id = *id;
        if self.stage == Stage::Betting {
            let mut out = Vec::new();
            self.stage = if self.registered < self.plan.bets.len() {
                self.attempts += 1;
                let attempt = u64::from(self.plan.number) << 32 | self.attempts;
                let bets = attempted(&self.plan, self.registered, self.attempts);
                promise.note_legacy_attempt(attempt, &bets);
                encode(&bets, &mut out);
                Stage::Awaiting {
                    attempt,
                    bets: bets.len(),
                }
            } else {
                request::encode_all_bets_sent(&mut out);
                request::encode_request_winners(&mut out);
                self.has_finished = true;
                Stage::Waiting
            };
            network.agency_sends(id, &out);
        }
        let bytes = match network.agency_receives(id) {
            Received::Bytes(bytes) => bytes,
            Received::Nothing => return LegacyHappened::Nothing,
            Received::Ended | Received::Broken => {
                network.agency_leaves(id, Outlook::Ended);
                self.lose_line();
                return LegacyHappened::Nothing;
            }
        };
        let mut input = &bytes[..];
        let reply = match assembler.next_frame(&mut input) {
            Ok(Some(frame)) => Reply::parse(frame),
            Ok(None) => return LegacyHappened::Nothing,
            Err(error) => return LegacyHappened::GaveUp(error.to_string()),
        };
        // It never has two requests under way, so nothing can follow an answer.
        match (reply, self.stage) {
            (Ok(Reply::RegisterBetOk), Stage::Awaiting { attempt, bets }) => {
                promise.note_legacy_acknowledged(attempt);
                self.registered += bets;
                self.last_batch = bets;
                self.stage = Stage::Betting;
                if rng.bool() {
                    let mut ack = Vec::new();
                    request::encode_ack(&mut ack);
                    network.agency_sends(id, &ack);
                }
                LegacyHappened::Acknowledged
            }
            (Ok(Reply::InformWinners(winners)), Stage::Waiting) => {
                network.agency_leaves(id, Outlook::Ended);
                self.line = None;
                self.stage = Stage::Over;
                LegacyHappened::Winners(winners)
            }
            (Ok(Reply::RegisterBetFailed(code)), _) => {
                network.agency_leaves(id, Outlook::Ended);
                self.lose_line();
                match code {
                    Code::NotStored => LegacyHappened::NotStored,
                    Code::DrawTimeout => LegacyHappened::DrawTimeout,
                    Code::BettingClosed if self.has_finished => {
                        self.stage = Stage::Over;
                        LegacyHappened::Nothing
                    }
                    other => LegacyHappened::GaveUp(other.to_string()),
                }
            }
            (reply, stage) => LegacyHappened::GaveUp(format!("{reply:?} while {stage:?}")),
        }
    }

    /// It has waited long enough for an answer, and gives the connection up.
    pub fn time_out(&mut self, network: &mut Network) {
        if let Some(id) = self.connection() {
            network.agency_leaves(id, Outlook::Reset);
            self.lose_line();
        }
    }

    fn lose_line(&mut self) {
        self.line = None;
        if self.registered == self.plan.bets.len() {
            self.registered -= self.last_batch;
        }
        self.stage = Stage::Betting;
    }
}

/// The next batch, under DNIs of its own.
fn attempted(plan: &AgencyPlan, from: usize, attempt: u64) -> Vec<OwnedBet> {
    let batch = plan.bets[from..]
        .iter()
        .take(plan.pace.batch_bets_max as usize);
    batch
        .map(|bet| {
            let document = bet.document + 1000 * attempt as u32;
            OwnedBet {
                document,
                ..bet.clone()
            }
        })
        .collect()
}

fn encode(bets: &[OwnedBet], out: &mut Vec<u8>) {
    request::encode_batch_header(bets.len() as u32, out);
    for bet in bets {
        let bet = bet.as_bet();
        request::encode_counted_bet(&bet, out);
    }
}
