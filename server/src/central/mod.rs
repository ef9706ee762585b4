//! The business of the central: who may bet, what is stored, when the draw is held, who has won.
//!
//! [`Central`] is a state machine without I/O. It takes requests from connections that it knows by
//! number only, stages what they ask for, and at the end of the turn commits all of it at once;
//! only then does it give its answers out. Time is handed in. Agencies that ask for their winners
//! are *parked*: they cost an entry in a map until the draw is held.
//!
//! This file has what a request does. `turn` has what the end of a turn does, and `phases`
//! has the map of agencies.

mod phases;
mod turn;

use std::collections::HashMap;
use std::time::Duration;

use lottery_core::bet::{Bet, UncheckedBet};
use lottery_core::date::Date;
use lottery_core::protocol::reply::AgencyState;
use lottery_core::protocol::{Code, Reply, Request, StatusReport, Welcome};
use lottery_core::store::{Draw, Store, Winners};

use crate::journal::{self, RefusalNews};
use crate::layers::{ConnectionId, Moment};
use phases::{Agencies, Phase};
use turn::Answer;

pub use turn::TurnError;

/// Agencies of which a report on request tells, at most.
const AGENCIES_REPORTED_MAX: usize = 1000;

/// The rules of a lottery, from the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Agencies 1 to this one take part.
    pub agencies: u32,
    /// The number drawn.
    pub winning_number: u32,
    /// When appended bets are synced.
    pub durability: Durability,
    /// The longest that an agency waits for the draw.
    pub draw_timeout: Option<Duration>,
}

/// When appended bets are synced: the meaning of Redis's `appendfsync`. Closings are synced always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Before they are acknowledged.
    Always,
    /// Once a second.
    EverySecond,
    /// When the system finds time, and when the server ends.
    No,
}

/// What the central wants done for a connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this.
    Reply(ConnectionId, Reply),
    /// Send this, and then close: the connection has no further use.
    LastReply(ConnectionId, Reply),
    /// Close at once: another connection speaks for its agency now.
    Close(ConnectionId),
}

/// The central. One is made when the server starts and lives as long as it.
#[derive(Debug)]
pub struct Central<F> {
    rules: Rules,
    store: Store<F>,
    /// Every open connection that was not given its last answer, and whom it speaks for.
    connections: HashMap<ConnectionId, Speaker>,
    agencies: Agencies,
    draw: DrawState,
    /// What to answer when this turn is committed, in order.
    answers: Vec<Answer>,
    outputs: Vec<Output>,
    last_sync: Duration,
    /// When the first request of this run came.
    began: Option<Duration>,
    /// Set while the disk refuses, so that the cause is logged once.
    storage_failing: bool,
}

/// Whom a connection speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaker {
    /// Nobody knows yet.
    Unidentified,
    /// This agency.
    Agency(u32),
    /// Nobody any more: it was refused, and is told so at the end of the turn, after the answers to
    /// what it asked before.
    Refused,
}

/// How far the draw is.
#[derive(Debug)]
enum DrawState {
    /// Some agency has not finished.
    Pending,
    /// All have, and the bets are being looked through.
    Drawing {
        /// The look through the bets.
        draw: Box<Draw>,
        /// Whether an earlier run held it already, and this one only works out the winners again.
        is_repeated: bool,
    },
    /// The winners are known.
    Held(Winners),
}

/// Why a request is refused.
struct Refusal {
    code: Code,
    reason: String,
}

impl Refusal {
    fn because(code: Code, reason: impl Into<String>) -> Refusal {
        Refusal {
            code,
            reason: reason.into(),
        }
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Refusal {
        Refusal::because(code, code.to_string())
    }
}

impl<F: lottery_core::store::DiskFile> Central<F> {
    /// A central that goes on where the files of `store` stand.
    pub fn new(rules: Rules, store: Store<F>) -> Central<F> {
        let closed = store
            .closed_agencies()
            .filter(|agency| *agency <= rules.agencies);
        let agencies = Agencies::new(rules.agencies, closed);
        let mut central = Central {
            rules,
            store,
            connections: HashMap::new(),
            agencies,
            draw: DrawState::Pending,
            answers: Vec::new(),
            outputs: Vec::new(),
            last_sync: Duration::ZERO,
            began: None,
            storage_failing: false,
        };
        central.begin_draw_when_due(true);
        central
    }

    /// A connection was made.
    pub fn connected(&mut self, id: ConnectionId) {
        self.connections.insert(id, Speaker::Unidentified);
    }

    /// A connection is gone. What it staged stays staged.
    pub fn disconnected(&mut self, id: ConnectionId) {
        if let Some(Speaker::Agency(agency)) = self.connections.remove(&id) {
            self.agencies.leave(agency, id);
        }
    }

    /// Takes a request. Its answer is given out at the end of the turn.
    pub fn request(&mut self, id: ConnectionId, request: Request<'_>, now: Moment) {
        if !self.is_heard(id) {
            return;
        }
        self.began.get_or_insert(now.elapsed);
        let batch = match &request {
            Request::RegisterBets(bets) => Some(bets.len()),
            _ => None,
        };
        let result = match request {
            Request::RegisterBets(bets) => self.register_bets(id, &bets, now.today),
            Request::Ack => Ok(()),
            Request::AllBetsSent => self.all_bets_sent(id),
            Request::RequestWinners => self.request_winners(id, now),
            Request::Hello { agency } => self.hello(id, agency),
            Request::Status => {
                self.answers.push(Answer::Status { connection: id });
                Ok(())
            }
        };
        if let Err(Refusal { code, reason }) = result {
            let agency = self.agency_of(id);
            let news = RefusalNews {
                agency,
                batch,
                reason,
            };
            self.refuse_with(id, code, Some(news));
        }
    }

    /// Refuses a connection whose bytes were no request.
    pub fn refuse(&mut self, id: ConnectionId, code: Code) {
        self.refuse_with(id, code, None);
    }

    fn refuse_with(&mut self, id: ConnectionId, code: Code, news: Option<RefusalNews>) {
        if self.is_heard(id) {
            self.disconnected(id);
            self.connections.insert(id, Speaker::Refused);
            self.answers.push(Answer::Refusal {
                connection: id,
                code,
                news,
            });
        }
    }

    /// Whether the connection is parked: it waits for the draw and owes nothing.
    pub fn is_parked(&self, id: ConnectionId) -> bool {
        self.agency_of(id)
            .is_some_and(|agency| matches!(self.agencies.phase(agency), Phase::Waiting { .. }))
    }

    /// How far the lottery is.
    pub fn status(&self) -> StatusReport {
        StatusReport {
            agencies: self.rules.agencies,
            missing: self.agencies.missing(),
            state: match self.draw {
                DrawState::Held(_) => AgencyState::Drawn,
                DrawState::Pending | DrawState::Drawing { .. } => AgencyState::Betting,
            },
        }
    }

    /// Logs where each agency stands, the first `AGENCIES_REPORTED_MAX` of them.
    pub fn log_standing(&self) {
        let StatusReport {
            agencies, missing, ..
        } = self.status();
        journal::standing(agencies, missing);
        for agency in (1..=agencies).take(AGENCIES_REPORTED_MAX) {
            let phase = self.agencies.phase(agency);
            let is_connected = self.agencies.connection(agency).is_some();
            journal::agency_standing(agency, phase, self.store.tally(agency).bets, is_connected);
        }
    }

    /// Bytes staged for the next commit, and of the answers that wait for it; the caller keeps them
    /// within bounds by ending the turn.
    pub fn staged_bytes(&self) -> usize {
        self.store.staged_bytes() + self.answers.len() * size_of::<Answer>()
    }

    /// Takes what is to be done for the connections, in order.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    fn is_heard(&self, id: ConnectionId) -> bool {
        let speaker = self.connections.get(&id);
        speaker.is_some_and(|speaker| *speaker != Speaker::Refused)
    }

    fn agency_of(&self, id: ConnectionId) -> Option<u32> {
        match self.connections.get(&id) {
            Some(Speaker::Agency(agency)) => Some(*agency),
            _ => None,
        }
    }

    fn hello(&mut self, id: ConnectionId, agency: u32) -> Result<(), Refusal> {
        self.identify(id, agency)?;
        let tally = self.store.tally(agency);
        let state = match self.draw {
            DrawState::Held(_) => AgencyState::Drawn,
            _ if self.store.is_closed(agency) => AgencyState::Closed,
            _ => AgencyState::Betting,
        };
        self.answers.push(Answer::Welcome {
            connection: id,
            welcome: Welcome {
                bets: tally.bets,
                crc: tally.crc,
                state,
            },
            counts_staged: self.store.has_staged(agency),
        });
        Ok(())
    }

    fn register_bets(
        &mut self,
        id: ConnectionId,
        bets: &[UncheckedBet<'_>],
        today: Date,
    ) -> Result<(), Refusal> {
        let Some(first) = bets.first() else {
            self.answers.push(Answer::Stored {
                connection: id,
                batch: Vec::new(),
                count: 0,
            });
            return Ok(());
        };
        let agency = self.agency_of(id).unwrap_or(first.agency);
        self.expect_participant(agency)?;
        if self.store.is_closed(agency) {
            return Err(Code::BettingClosed.into());
        }
        let bets = check_batch(agency, bets, today)?;
        self.identify(id, agency)?;
        self.store.store_bets(agency, &bets);
        self.answers.push(Answer::Stored {
            connection: id,
            batch: journal::bets_to_log(&bets),
            count: bets.len(),
        });
        Ok(())
    }

    fn all_bets_sent(&mut self, id: ConnectionId) -> Result<(), Refusal> {
        let agency = self.identified(id)?;
        if !self.store.is_closed(agency) {
            self.store.close_agency(agency);
            self.agencies.close(agency);
            self.answers.push(Answer::Closing {
                connection: id,
                agency,
            });
        }
        Ok(())
    }

    fn request_winners(&mut self, id: ConnectionId, now: Moment) -> Result<(), Refusal> {
        let agency = self.identified(id)?;
        if !self.store.is_closed(agency) {
            let reason = "winners asked for before AllBetsSent";
            return Err(Refusal::because(Code::OutOfTurn, reason));
        }
        let deadline = self.rules.draw_timeout.map(|timeout| now.elapsed + timeout);
        self.agencies.wait(agency, deadline);
        Ok(())
    }

    fn identified(&self, id: ConnectionId) -> Result<u32, Refusal> {
        self.agency_of(id)
            .ok_or_else(|| Refusal::because(Code::OutOfTurn, "the agency is not identified yet"))
    }

    fn expect_participant(&self, agency: u32) -> Result<(), Refusal> {
        if (1..=self.rules.agencies).contains(&agency) {
            return Ok(());
        }
        let expected = self.rules.agencies;
        let reason = format!("agency {agency} does not take part, expected 1 to {expected}");
        Err(Refusal::because(Code::NoSuchAgency, reason))
    }

    /// Lets the connection speak for `agency` from here on, as MQTT lets a new session take over.
    fn identify(&mut self, id: ConnectionId, agency: u32) -> Result<(), Refusal> {
        match self.agency_of(id) {
            Some(known) if known == agency => return Ok(()),
            Some(known) => return Err(wrong_agency(known, agency)),
            None => self.expect_participant(agency)?,
        }
        if let Some(old) = self.agencies.enter(agency, id) {
            journal::taken_over(agency);
            self.connections.remove(&old);
            self.outputs.push(Output::Close(old));
        }
        self.connections.insert(id, Speaker::Agency(agency));
        Ok(())
    }
}

/// The bets of a batch, when all of them are valid and of the same agency.
fn check_batch<'a>(
    agency: u32,
    bets: &[UncheckedBet<'a>],
    today: Date,
) -> Result<Vec<Bet<'a>>, Refusal> {
    let mut valid = Vec::with_capacity(bets.len());
    for (position, bet) in bets.iter().enumerate() {
        if bet.agency != agency {
            return Err(wrong_agency(agency, bet.agency));
        }
        let bet = bet.check(today).map_err(|invalid| {
            Refusal::because(Code::InvalidBet, format!("bet {}: {invalid}", position + 1))
        })?;
        valid.push(bet);
    }
    Ok(valid)
}

fn wrong_agency(expected: u32, found: u32) -> Refusal {
    let reason = format!("agency {found} on the connection of agency {expected}");
    Refusal::because(Code::WrongAgency, reason)
}

#[cfg(test)]
mod tests;
