//! The business of the central: who may bet, what is stored, when the draw is held, who has won.
//!
//! [`Central`] is a state machine without I/O. It takes messages of connections that it knows by
//! number only, stages what they ask for, and at the end of the turn commits all of it at once;
//! only then does it give its answers out. Time is handed in. Agencies that wait for the draw are
//! *parked*: they cost an entry in a map and their connection.
//!
//! This file has what a message does. `turn` has what the end of a turn does, `agencies` the map of
//! agencies, `identity` whom a connection speaks for.

mod agencies;
mod identity;
mod turn;

use std::time::Duration;

use lottery_core::message::{
    Awaits, Batch, Code, Message, Refusal, Reply, Request, Stage, StatusReport, Welcome,
};
use lottery_core::store::{Disk, Draw, DrawRecord, Store, Winners};
use thiserror::Error;

use crate::connection::ConnectionId;
use crate::http::{AgencyState, Watched};
use crate::limits::AGENCIES_REPORTED_MAX;
use crate::log_lines::{self, RefusalNews};
use agencies::Agencies;
use turn::Answer;

pub use agencies::Phase;
pub use identity::Identity;
pub use turn::TurnError;

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
    /// The most bets that an agency may place.
    pub agency_bets_max: Option<u64>,
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
    /// Close at once: another connection speaks for its agency now.
    Close(ConnectionId),
}

/// Why a lottery cannot go on where its files stand.
#[derive(Debug, Error)]
pub enum StartError {
    /// The draw on file is of other settings.
    #[error(
        "the draw of this folder was held with WINNING_NUMBER {} and NUM_AGENCIES {}, and the settings \
         say {winning_number} and {agencies}; start with those, or use another STORAGE_DIR for another \
         lottery", record.winning_number, record.agencies
    )]
    OtherDraw {
        /// The draw on file.
        record: DrawRecord,
        /// The number in the settings.
        winning_number: u32,
        /// The agencies in the settings.
        agencies: u32,
    },
    /// The draw is on file, and a closing that it rests on is not.
    #[error(
        "draw.csv says that the draw was held, and closings.csv lacks {missing} agencies: corruption"
    )]
    MissingClosings {
        /// Agencies without a closing.
        missing: u32,
    },
}

/// The central. One is made when the server starts and lives as long as it.
pub struct Central<D: Disk> {
    rules: Rules,
    store: Store<D>,
    agencies: Agencies,
    draw: DrawState,
    /// What to answer when this turn is committed, in order.
    answers: Vec<Answer>,
    outputs: Vec<Output>,
    last_sync: Duration,
    /// When the first message of this run came.
    began: Option<Duration>,
    /// Set while the disk refuses, so that the cause is logged once.
    storage_failing: bool,
    counts: Counts,
}

/// What was counted since the server started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bets stored.
    pub bets: u64,
    /// Batches stored, empty ones left out.
    pub batches: u64,
    /// Refusals by code; that of code 1 is the first.
    pub refusals: [u64; Code::ALL.len()],
}

/// How far the draw is.
#[derive(Debug)]
enum DrawState {
    /// Some agency has not finished.
    Pending,
    /// All have, and the bets are being looked through.
    Drawing(Box<Draw>),
    /// The winners are known, and the draw is to be recorded before anybody is told.
    Recording {
        winners: Winners,
        record: DrawRecord,
        /// When to try again, if the disk did not take it.
        due: Duration,
    },
    /// The draw is on the medium.
    Held(Winners),
}

impl<D: Disk> Central<D> {
    /// A central that goes on where the files of `store` stand.
    ///
    /// # Errors
    ///
    /// When the draw was held already, under other rules.
    pub fn new(rules: Rules, store: Store<D>) -> Result<Central<D>, StartError> {
        let finished = store.finished_agencies();
        let agencies = Agencies::new(
            rules.agencies,
            finished.filter(|agency| *agency <= rules.agencies),
        );
        if let Some(record) = store.draw() {
            expect_same_draw(record, &rules, agencies.missing())?;
        }
        let mut central = Central {
            rules,
            store,
            agencies,
            draw: DrawState::Pending,
            answers: Vec::new(),
            outputs: Vec::new(),
            last_sync: Duration::ZERO,
            began: None,
            storage_failing: false,
            counts: Counts::default(),
        };
        central.begin_draw_when_due();
        Ok(central)
    }

    /// Takes a message of a connection, whose identity its record keeps. The answer is given out at
    /// the end of the turn.
    pub fn receive(
        &mut self,
        id: ConnectionId,
        identity: &mut Identity,
        message: Message<'_>,
        now: Duration,
    ) {
        if identity.is_refused() {
            return;
        }
        self.began.get_or_insert(now);
        let batch = match &message.request {
            Request::Bets(batch) => Some(batch.count),
            _ => None,
        };
        if let Err(refusal) = self.act(id, identity, message, now) {
            let news = RefusalNews {
                agency: identity.agency(),
                batch,
            };
            self.refuse(id, identity, refusal, Some(news));
        }
    }

    /// Refuses a connection: it is told so at the end of the turn, behind the answers to what it
    /// asked before. Without `news` the log was told of it already.
    pub fn refuse(
        &mut self,
        id: ConnectionId,
        identity: &mut Identity,
        refusal: Refusal,
        news: Option<RefusalNews>,
    ) {
        self.disconnected(id, identity);
        identity.refuse();
        self.answers.push(Answer::Refused {
            connection: id,
            refusal,
            news,
        });
    }

    /// The peer of a connection sends no more: it waits for its answer, or it is gone.
    pub fn peer_finished(&mut self, id: ConnectionId, identity: &mut Identity) {
        identity.note_peer_finished();
        if let Some(agency) = identity.agency() {
            self.agencies.note_half_closed(agency, id);
        }
    }

    /// A connection is gone. What it staged stays staged.
    pub fn disconnected(&mut self, id: ConnectionId, identity: &Identity) {
        if let Some(agency) = identity.agency() {
            self.agencies.leave(agency, id);
        }
    }

    /// How far the lottery is.
    pub fn status(&self) -> StatusReport {
        StatusReport {
            agencies: self.rules.agencies,
            missing: self.agencies.missing(),
            is_drawn: matches!(self.draw, DrawState::Held(_)),
        }
    }

    /// Logs where each agency stands, the first [`AGENCIES_REPORTED_MAX`] of them.
    pub fn log_standing(&self) {
        let StatusReport {
            agencies, missing, ..
        } = self.status();
        log_lines::standing(agencies, missing);
        for agency in (1..=agencies).take(AGENCIES_REPORTED_MAX) {
            let is_connected = self.agencies.is_connected(agency);
            let phase = self.agencies.phase(agency);
            log_lines::agency_standing(agency, phase, self.store.tally(agency).bets, is_connected);
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

    fn act(
        &mut self,
        id: ConnectionId,
        identity: &mut Identity,
        Message { agency, request }: Message<'_>,
        now: Duration,
    ) -> Result<(), Refusal> {
        // A certificate identifies, as a header does, whoever asks for anything of an agency's.
        let asks_nothing = matches!(request, Request::Status | Request::Nothing);
        let agency = agency.or(identity.certified_agency().filter(|_| !asks_nothing));
        if let Some(agency) = agency {
            self.identify(id, identity, agency)?;
        }
        match request {
            Request::Hello => self.hello(id, identity),
            Request::Bets(batch) => self.register_bets(id, identity, batch),
            Request::Finish(awaits) => self.finish(id, identity, awaits, now),
            Request::Winners => self.request_winners(identity, now),
            Request::Status => {
                self.answers.push(Answer::Status { connection: id });
                Ok(())
            }
            Request::Nothing => Ok(()),
        }
    }

    fn hello(&mut self, id: ConnectionId, identity: &Identity) -> Result<(), Refusal> {
        let agency = identity.expect_agency()?;
        let tally = self.store.tally(agency);
        let stage = match self.draw {
            DrawState::Held(_) => Stage::Drawn,
            _ if self.store.has_finished(agency) => Stage::Finished,
            _ => Stage::Betting,
        };
        self.answers.push(Answer::Welcome {
            connection: id,
            welcome: Welcome {
                bets: tally.bets,
                crc: tally.crc,
                stage,
            },
            counts_staged: self.store.has_staged(agency),
        });
        Ok(())
    }

    fn register_bets(
        &mut self,
        id: ConnectionId,
        identity: &mut Identity,
        batch: Batch<'_>,
    ) -> Result<(), Refusal> {
        let mut documents = Vec::new();
        let agency = batch.agency.or(identity.agency());
        if batch.count > 0
            && let Some(agency) = agency
        {
            identity.expect_not_another(agency)?;
            self.expect_participant(agency)?;
            if self.store.has_finished(agency) {
                return Err(Code::BettingClosed.into());
            }
            self.expect_quota(agency, batch.count)?;
            let bets = batch.bets?;
            self.identify(id, identity, agency)?;
            self.store.store_bets(agency, &bets);
            documents = bets
                .bets
                .iter()
                .map(|bet| (bet.document, bet.number))
                .collect();
        }
        self.answers.push(Answer::Stored {
            connection: id,
            agency: identity.agency(),
            documents,
        });
        Ok(())
    }

    fn finish(
        &mut self,
        id: ConnectionId,
        identity: &mut Identity,
        awaits: Awaits,
        now: Duration,
    ) -> Result<(), Refusal> {
        let agency = identity.expect_agency()?;
        let is_news = !self.store.has_finished(agency);
        if is_news {
            self.store.finish_agency(agency);
            self.agencies.finish(agency);
        }
        self.answers.push(Answer::Finished {
            connection: id,
            agency,
            is_news,
        });
        self.park(identity, agency, awaits, now);
        Ok(())
    }

    fn request_winners(&mut self, identity: &mut Identity, now: Duration) -> Result<(), Refusal> {
        let agency = identity.expect_agency()?;
        if !self.store.has_finished(agency) {
            let reason = "winners asked for before the end of the bets";
            return Err(Refusal::new(Code::OutOfTurn, reason));
        }
        self.park(identity, agency, Awaits::Winners, now);
        Ok(())
    }

    fn park(&mut self, identity: &mut Identity, agency: u32, awaits: Awaits, now: Duration) {
        if awaits != Awaits::Nothing {
            let deadline = self.rules.draw_timeout.map(|timeout| now + timeout);
            self.agencies.wait(agency, awaits, deadline);
            identity.park();
        }
    }

    fn expect_participant(&self, agency: u32) -> Result<(), Refusal> {
        if (1..=self.rules.agencies).contains(&agency) {
            return Ok(());
        }
        let expected = self.rules.agencies;
        let reason = format!("agency {agency} does not take part, expected 1 to {expected}");
        Err(Refusal::new(Code::NoSuchAgency, reason))
    }

    fn expect_quota(&self, agency: u32, more: usize) -> Result<(), Refusal> {
        let Some(bets_max) = self.rules.agency_bets_max else {
            return Ok(());
        };
        if self.store.tally(agency).bets + more as u64 <= bets_max {
            return Ok(());
        }
        let reason = format!("agency {agency} may place {bets_max} bets and no more");
        Err(Refusal::new(Code::BettingClosed, reason))
    }

    /// Lets the connection speak for `agency` from here on, as MQTT lets a new session take over.
    fn identify(
        &mut self,
        id: ConnectionId,
        identity: &mut Identity,
        agency: u32,
    ) -> Result<(), Refusal> {
        identity.expect_not_another(agency)?;
        if identity.agency().is_some() {
            return Ok(());
        }
        self.expect_participant(agency)?;
        if let Some(old) = self.agencies.enter(agency, id) {
            // Whoever was left alone by its peer was not taken over, it was followed.
            if !old.is_half_closed {
                log_lines::taken_over(agency);
            }
            self.outputs.push(Output::Close(old.id));
        }
        identity.identify(agency);
        if identity.has_peer_finished() {
            self.agencies.note_half_closed(agency, id);
        }
        Ok(())
    }
}

impl<D: Disk> Watched for Central<D> {
    fn status(&self) -> StatusReport {
        self.status()
    }

    fn counts(&self) -> Counts {
        self.counts
    }

    fn bets(&self) -> u64 {
        let agencies = 1..=self.rules.agencies;
        agencies.map(|agency| self.store.tally(agency).bets).sum()
    }

    fn agency(&self, agency: u32) -> AgencyState {
        let connected = self.agencies.is_connected(agency);
        AgencyState {
            agency,
            bets: self.store.tally(agency).bets,
            rate: 0,
            state: match self.agencies.phase(agency) {
                Phase::Betting => "betting",
                Phase::Waiting { .. } if connected => "waiting",
                Phase::Finished | Phase::Waiting { .. } => "finished",
                Phase::Informed => "informed",
            },
            connected,
            winners: match &self.draw {
                DrawState::Held(winners) => Some(
                    winners
                        .get(&agency)
                        .map_or(0, |winners| winners.len() as u64),
                ),
                _ => None,
            },
        }
    }

    fn draw(&self) -> Option<(u32, u64)> {
        let record = self.store.draw()?;
        Some((record.winning_number, record.winners))
    }

    fn is_storing(&self) -> bool {
        !self.storage_failing
    }
}

fn expect_same_draw(record: DrawRecord, rules: &Rules, missing: u32) -> Result<(), StartError> {
    let Rules {
        agencies,
        winning_number,
        ..
    } = *rules;
    if (record.winning_number, record.agencies) != (winning_number, agencies) {
        return Err(StartError::OtherDraw {
            record,
            winning_number,
            agencies,
        });
    }
    match missing {
        0 => Ok(()),
        missing => Err(StartError::MissingClosings { missing }),
    }
}
