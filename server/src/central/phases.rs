//! Each agency's phase, in a map.
//!
//! Betting, closed by AllBetsSent, waiting from RequestWinners to the draw, informed; a wait that ends
//! before the draw leads back to closed. `docs/ARCHITECTURE.md` draws it.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::time::Duration;

use crate::layers::ConnectionId;

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Phase::Betting => "betting",
            Phase::Closed => "closed",
            Phase::Waiting { .. } => "waiting",
            Phase::Informed => "informed",
        })
    }
}

/// Where an agency is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It may send bets.
    Betting,
    /// It has sent everything.
    Closed,
    /// It is parked until the draw, or until `deadline`.
    Waiting { deadline: Option<Duration> },
    /// It was told its winners.
    Informed,
}

#[derive(Debug)]
struct Agency {
    phase: Phase,
    /// The connection that speaks for it.
    connection: Option<ConnectionId>,
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
    pub fn new(participants: u32, closed: impl Iterator<Item = u32>) -> Agencies {
        let mut agencies = Agencies {
            heard_of: HashMap::new(),
            missing: participants,
            participants,
            parked: BTreeSet::new(),
        };
        for agency in closed {
            agencies.close(agency);
            agencies.confirm_closing();
        }
        agencies
    }

    pub fn phase(&self, agency: u32) -> Phase {
        self.heard_of
            .get(&agency)
            .map_or(Phase::Betting, |agency| agency.phase)
    }

    pub fn connection(&self, agency: u32) -> Option<ConnectionId> {
        self.heard_of.get(&agency)?.connection
    }

    /// Participants whose closing is not stored.
    pub fn missing(&self) -> u32 {
        self.missing
    }

    /// The numbers of the first `most` participants that have not closed.
    pub fn missing_numbers(&self, most: usize) -> Vec<u32> {
        (1..=self.participants)
            .filter(|agency| self.phase(*agency) == Phase::Betting)
            .take(most)
            .collect()
    }

    /// Makes `id` the agency's connection and gives back the one that was it before.
    pub fn enter(&mut self, agency: u32, id: ConnectionId) -> Option<ConnectionId> {
        let old = self.connection(agency);
        if let Some(old) = old {
            self.leave(agency, old);
        }
        self.record(agency).connection = Some(id);
        old
    }

    /// The agency's connection is gone, or no longer its own.
    pub fn leave(&mut self, agency: u32, id: ConnectionId) {
        if self.connection(agency) == Some(id) {
            self.unpark(agency, Phase::Closed);
            self.record(agency).connection = None;
        }
    }

    /// The agency says that it has sent everything. It counts as missing until that is stored.
    pub fn close(&mut self, agency: u32) {
        assert_eq!(self.phase(agency), Phase::Betting, "an agency closes once");
        self.record(agency).phase = Phase::Closed;
    }

    /// The agency's closing is stored.
    pub fn confirm_closing(&mut self) {
        self.missing -= 1;
    }

    /// The agency's closing could not be stored.
    pub fn reopen(&mut self, agency: u32) {
        self.unpark(agency, Phase::Betting);
        self.record(agency).phase = Phase::Betting;
    }

    /// The agency asks for its winners.
    pub fn wait(&mut self, agency: u32, deadline: Option<Duration>) {
        self.unpark(agency, Phase::Closed);
        self.record(agency).phase = Phase::Waiting { deadline };
        self.parked.insert(parking_place(agency, deadline));
    }

    /// Ends the wait of an agency, if it waits, and leaves it in `phase`.
    pub fn unpark(&mut self, agency: u32, phase: Phase) {
        if let Phase::Waiting { deadline } = self.phase(agency) {
            self.parked.remove(&parking_place(agency, deadline));
            self.record(agency).phase = phase;
        }
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
