//! The business of the central: who may bet, what is stored, when the draw is held, who has won.
//!
//! [`Central`] is a state machine without I/O. It takes messages of connections that it knows by
//! number only, stages what they ask for, and at the end of the turn commits all of it at once;
//! only then does it give its answers out. Time is handed in. Agencies that wait for the draw are
//! *parked*: they cost an entry in a map and their connection.
//!
//! `requests` has what a message does, `turn` what the end of a turn does, `agencies` the map of agencies,
//! `identity` which agency a connection speaks for.

mod agencies;
mod identity;
mod requests;
mod turn;

use std::time::Duration;

use anyhow::{Result, ensure};
use lottery_core::message::{Code, Message, Refusal, Reply, Request, StatusReport};
use lottery_core::store::{Disk, Draw, DrawRecord, Store, Winners};

use crate::connection::ConnectionId;
use crate::limits::AGENCIES_REPORTED_MAX;
use crate::log_lines::{self, RefusalNews};
use agencies::Agencies;
use turn::Pending;

pub(crate) use agencies::Phase;
pub use identity::Certificate;
pub(crate) use identity::Identity;
pub use turn::{Committed, TurnError};

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

/// The central. One is made when the server starts and lives as long as it.
pub struct Central<D: Disk> {
    rules: Rules,
    store: Store<D>,
    agencies: Agencies,
    draw: DrawState,
    /// What to answer when this turn is committed, in order.
    pending: Vec<(ConnectionId, Pending)>,
    replies: Vec<(ConnectionId, Option<Reply>)>,
    last_sync: Duration,
    /// When the first message of this run came.
    began: Option<Duration>,
    /// Set while the disk refuses, so that the cause is logged once.
    storage_failing: bool,
    counts: Counts,
    /// Bets of those who take part that were stored when this run began.
    bets_at_start: u64,
}

/// What was counted since the server started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub bets: u64,
    /// Batches stored, empty ones left out.
    pub batches: u64,
    /// Refusals by code; that of code 1 is the first.
    pub refusals: [u64; Code::ALL.len()],
}

/// How an agency stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// How far it is. It waits for the draw only while it is connected.
    pub phase: Phase,
    pub bets: u64,
    /// Whether its connection is open in both directions.
    pub is_connected: bool,
    /// Its bets that won, once the draw was held.
    pub winners: Option<usize>,
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
    pub fn new(rules: Rules, store: Store<D>) -> Result<Central<D>> {
        let stored = store.agencies();
        let stored: Vec<_> = stored.take_while(|(id, _)| *id <= rules.agencies).collect();
        let bets_at_start = stored.iter().map(|(_, stored)| stored.tally.bets).sum();
        let finished = stored.iter().filter(|(_, stored)| stored.has_finished);
        let agencies = Agencies::new(rules.agencies, finished.map(|(id, _)| *id));
        if let Some(record) = store.draw() {
            expect_same_draw(record, &rules, agencies.missing())?;
        }
        let mut central = Central {
            rules,
            store,
            agencies,
            draw: DrawState::Pending,
            pending: Vec::new(),
            replies: Vec::new(),
            last_sync: Duration::ZERO,
            began: None,
            storage_failing: false,
            counts: Counts::default(),
            bets_at_start,
        };
        central.begin_draw_when_due();
        Ok(central)
    }

    /// Takes a message of a connection, whose identity its record keeps. The answer is given out at
    /// the end of the turn.
    pub(crate) fn receive(
        &mut self,
        id: ConnectionId,
        identity: &mut Identity,
        message: Message<'_>,
        now: Duration,
    ) {
        if identity.is_refused || self.is_taken_over(id, identity) {
            return;
        }
        self.began.get_or_insert(now);
        let batch = match &message.request {
            Request::Bets(batch) => Some(batch.count),
            _ => None,
        };
        if let Err(refusal) = self.act(id, identity, message, now) {
            let news = RefusalNews {
                agency: identity.agency,
                batch,
            };
            self.refuse(id, identity, refusal, Some(news));
        }
    }

    /// Whether another connection speaks for the agency of this one, which is to be closed. The newcomer's
    /// Welcome may count no bets that come after it.
    fn is_taken_over(&self, id: ConnectionId, identity: &Identity) -> bool {
        let speaks = identity
            .agency
            .and_then(|agency| self.agencies.connection(agency));
        speaks.is_some_and(|connection| connection.id != id)
    }

    /// Refuses a connection: it is told so at the end of the turn, after the answers to what it
    /// asked before. Without `news` the log was told of it already.
    pub(crate) fn refuse(
        &mut self,
        id: ConnectionId,
        identity: &mut Identity,
        refusal: Refusal,
        news: Option<RefusalNews>,
    ) {
        self.disconnected(id, identity);
        identity.refuse();
        self.pending.push((id, Pending::Refused { refusal, news }));
    }

    /// The peer of a connection sends no more: it waits for its answer, or it is gone.
    pub(crate) fn peer_finished(&mut self, id: ConnectionId, identity: &Identity) {
        if let Some(agency) = identity.agency {
            self.agencies.note_half_closed(agency, id);
        }
    }

    /// A connection is gone. What it staged stays staged.
    pub(crate) fn disconnected(&mut self, id: ConnectionId, identity: &Identity) {
        if let Some(agency) = identity.agency {
            self.agencies.leave(agency, id);
        }
    }

    pub(crate) fn status(&self) -> StatusReport {
        StatusReport {
            agencies: self.rules.agencies,
            missing: self.agencies.missing(),
            is_drawn: matches!(self.draw, DrawState::Held(_)),
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Bets stored, of all agencies that take part.
    pub(crate) fn bets(&self) -> u64 {
        self.bets_at_start + self.counts.bets
    }

    pub(crate) fn standing(&self, agency: u32) -> Standing {
        let won = |winners: &Winners| winners.get(&agency).map_or(0, Vec::len);
        let is_connected = self.agencies.is_connected(agency);
        Standing {
            phase: match self.agencies.phase(agency) {
                Phase::Waiting { .. } if !is_connected => Phase::Finished,
                phase => phase,
            },
            bets: self.store.tally(agency).bets,
            is_connected,
            winners: match &self.draw {
                DrawState::Held(winners) => Some(won(winners)),
                _ => None,
            },
        }
    }

    pub(crate) fn parked(&self) -> usize {
        self.agencies.parked()
    }

    pub(crate) fn draw(&self) -> Option<DrawRecord> {
        self.store.draw()
    }

    /// Whether the disk takes bets, as far as is known.
    pub fn is_storing(&self) -> bool {
        !self.storage_failing
    }

    /// Logs how the agencies stand, the first [`AGENCIES_REPORTED_MAX`] of them.
    pub fn log_standing(&self) {
        let StatusReport {
            agencies, missing, ..
        } = self.status();
        log_lines::standing(agencies, missing);
        for agency in (1..=agencies).take(AGENCIES_REPORTED_MAX) {
            log_lines::agency_standing(agency, &self.standing(agency));
        }
    }

    /// Bytes staged for the next commit, and of the answers that wait for it; the caller keeps them
    /// within bounds by ending the turn.
    pub fn staged_bytes(&self) -> usize {
        self.store.staged_bytes() + self.pending.len() * size_of::<(ConnectionId, Pending)>()
    }

    /// Takes the replies, in order. A connection without one is closed at once: another speaks for its
    /// agency now.
    pub fn take_replies(&mut self) -> Vec<(ConnectionId, Option<Reply>)> {
        std::mem::take(&mut self.replies)
    }
}

fn expect_same_draw(record: DrawRecord, rules: &Rules, missing: u32) -> Result<()> {
    let DrawRecord {
        agencies,
        winning_number,
        ..
    } = record;
    ensure!(
        (winning_number, agencies) == (rules.winning_number, rules.agencies),
        "the draw of this folder was held with WINNING_NUMBER {winning_number} and NUM_AGENCIES {agencies}, and \
         the settings say {} and {}; start with those, or use another STORAGE_DIR for another lottery",
        rules.winning_number,
        rules.agencies
    );
    ensure!(
        missing == 0,
        "draw.csv says that the draw was held, and closings.csv lacks {missing} agencies: corruption"
    );
    Ok(())
}
