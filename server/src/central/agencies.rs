//! Each agency's phase, in a map.
//!
//! Betting; finished; waiting for the draw; informed. A wait that ends before the draw leads back to
//! finished. `docs/ARCHITECTURE.md` draws it.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use lottery_core::message::Awaits;

use crate::connection::ConnectionId;

/// How far an agency is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Betting,
    Finished,
    Waiting {
        awaits: Awaits,
        /// When it is told that the draw was not held in time.
        deadline: Option<Duration>,
    },
    /// It was told its winners.
    Informed,
}

#[derive(Debug)]
struct Agency {
    phase: Phase,
    /// The connection that speaks for it.
    connection: Option<AgencyConnection>,
}

/// The connection that speaks for an agency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AgencyConnection {
    pub id: ConnectionId,
    /// Whether its peer sends no more. It may still read, or be gone.
    pub is_half_closed: bool,
}

/// The agencies that were heard of. The others are betting and have no connection.
#[derive(Debug)]
pub(super) struct Agencies {
    heard_of: HashMap<u32, Agency>,
    /// Participants whose closing is not stored.
    missing: u32,
    participants: u32,
    /// The waiting agencies by deadline, those without one last.
    parked: BTreeSet<(Duration, u32)>,
}

impl Agencies {
    pub fn new(participants: u32, finished: impl Iterator<Item = u32>) -> Agencies {
        let mut agencies = Agencies {
            heard_of: HashMap::new(),
            missing: participants,
            participants,
            parked: BTreeSet::new(),
        };
        for agency in finished {
            agencies.finish(agency);
            agencies.confirm_finish();
        }
        agencies
    }

    pub fn phase(&self, agency: u32) -> Phase {
        self.heard_of
            .get(&agency)
            .map_or(Phase::Betting, |agency| agency.phase)
    }

    pub fn connection(&self, agency: u32) -> Option<AgencyConnection> {
        self.heard_of.get(&agency)?.connection
    }

    /// Whether its connection is open in both directions.
    pub fn is_connected(&self, agency: u32) -> bool {
        let connection = self.connection(agency);
        connection.is_some_and(|connection| !connection.is_half_closed)
    }

    pub fn missing(&self) -> u32 {
        self.missing
    }

    /// The numbers of the first `most` participants that have not finished.
    pub fn missing_numbers(&self, most: usize) -> Vec<u32> {
        (1..=self.participants)
            .filter(|agency| self.phase(*agency) == Phase::Betting)
            .take(most)
            .collect()
    }

    /// Makes `id` the agency's connection and gives back the one that was it before.
    pub fn enter(&mut self, agency: u32, id: ConnectionId) -> Option<AgencyConnection> {
        let old = self.connection(agency);
        if let Some(old) = old {
            self.leave(agency, old.id);
        }
        self.record(agency).connection = Some(AgencyConnection {
            id,
            is_half_closed: false,
        });
        old
    }

    /// The peer of the agency's connection sends no more.
    pub fn note_half_closed(&mut self, agency: u32, id: ConnectionId) {
        if let Some(connection) = &mut self.record(agency).connection
            && connection.id == id
        {
            connection.is_half_closed = true;
        }
    }

    /// The agency's connection is gone, or no longer its own.
    pub fn leave(&mut self, agency: u32, id: ConnectionId) {
        if self.connection(agency).is_some_and(|old| old.id == id) {
            self.unpark(agency, Phase::Finished);
            self.record(agency).connection = None;
        }
    }

    /// The agency says that it has sent everything. It counts as missing until that is stored.
    pub fn finish(&mut self, agency: u32) {
        assert_eq!(
            self.phase(agency),
            Phase::Betting,
            "an agency finishes once"
        );
        self.record(agency).phase = Phase::Finished;
    }

    pub fn confirm_finish(&mut self) {
        self.missing -= 1;
    }

    /// The agency's closing could not be stored.
    pub fn reopen(&mut self, agency: u32) {
        self.unpark(agency, Phase::Betting);
        self.record(agency).phase = Phase::Betting;
    }

    pub fn wait(&mut self, agency: u32, awaits: Awaits, deadline: Option<Duration>) {
        self.unpark(agency, Phase::Finished);
        self.record(agency).phase = Phase::Waiting { awaits, deadline };
        self.parked.insert(parking_place(agency, deadline));
    }

    /// Ends the wait of an agency, if it waits, and leaves it in `phase`.
    pub fn unpark(&mut self, agency: u32, phase: Phase) {
        if let Phase::Waiting { deadline, .. } = self.phase(agency) {
            self.parked.remove(&parking_place(agency, deadline));
            self.record(agency).phase = phase;
        }
    }

    pub fn parked(&self) -> usize {
        self.parked.len()
    }

    /// The parked agency whose deadline is first, or any when none has one.
    pub fn first_parked(&self) -> Option<(Duration, u32)> {
        self.parked.first().copied()
    }

    fn record(&mut self, agency: u32) -> &mut Agency {
        self.heard_of.entry(agency).or_insert(Agency {
            phase: Phase::Betting,
            connection: None,
        })
    }
}

fn parking_place(agency: u32, deadline: Option<Duration>) -> (Duration, u32) {
    (deadline.unwrap_or(Duration::MAX), agency)
}
