//! What the board shows, as data. Counts only: never a DNI or a name.

use std::collections::VecDeque;
use std::time::Duration;

use lottery_core::store::Disk;
use serde::Serialize;

use crate::central::{Central, Phase, Standing};
use crate::limits::AGENCIES_REPORTED_MAX;

/// How often the history takes a sample, and how many it keeps: five minutes.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
const SAMPLES_MAX: usize = 300;

/// An agency on the board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgencyState {
    /// Its number.
    pub agency: u32,
    /// Its bets.
    pub bets: u64,
    /// Bets a second, lately.
    pub rate: u64,
    /// `betting`, `finished`, `waiting` or `informed`.
    pub state: &'static str,
    /// Whether it is connected.
    pub connected: bool,
    /// Its bets that won, once the draw was held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub winners: Option<usize>,
}

/// What the board shows; `/status.json` in its form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct State {
    /// Agencies that take part.
    pub agencies: u32,
    /// Those that have not finished.
    pub missing: u32,
    /// Bets stored.
    pub bets: u64,
    /// Bets a second, lately.
    pub rate: u64,
    /// Bets stored in each of the last seconds, the latest last.
    pub history: Vec<u64>,
    /// Whether the draw was held.
    pub drawn: bool,
    /// The number drawn, once it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// Bets that won, once the draw was held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub winners: Option<u64>,
    /// The agencies, the first 1000 of them.
    pub agency_states: Vec<AgencyState>,
}

/// How the counts changed lately.
#[derive(Debug, Default)]
pub(super) struct History {
    sampled_at: Option<Duration>,
    bets: u64,
    agency_bets: Vec<u64>,
    agency_rates: Vec<u64>,
    per_second: VecDeque<u64>,
}

impl History {
    /// Takes a sample, if one is due.
    pub fn sample(&mut self, now: Duration, central: &Central<impl Disk>) {
        let agency_bets = || agencies(central).map(|(_, standing)| standing.bets);
        let Some(sampled_at) = self.sampled_at else {
            self.sampled_at = Some(now);
            self.bets = central.bets();
            self.agency_bets = agency_bets().collect();
            self.agency_rates = vec![0; self.agency_bets.len()];
            return;
        };
        let since = now.saturating_sub(sampled_at);
        if since < SAMPLE_INTERVAL {
            return;
        }
        self.sampled_at = Some(now);
        let rate = |bets: u64| (bets as f64 / since.as_secs_f64()) as u64;
        let bets = central.bets();
        self.per_second.push_back(rate(bets - self.bets));
        self.bets = bets;
        if self.per_second.len() > SAMPLES_MAX {
            self.per_second.pop_front();
        }
        let known = self.agency_bets.iter_mut().zip(&mut self.agency_rates);
        for (new, (bets, agency_rate)) in agency_bets().zip(known) {
            *agency_rate = rate(new - *bets);
            *bets = new;
        }
    }

    /// The state as it is now, with the rates of the last sample.
    pub fn state(&self, central: &Central<impl Disk>) -> State {
        let status = central.status();
        let draw = central.draw();
        let rates = self.agency_rates.iter().copied();
        State {
            agencies: status.agencies,
            missing: status.missing,
            bets: central.bets(),
            rate: self.per_second.back().copied().unwrap_or_default(),
            history: self.per_second.iter().copied().collect(),
            drawn: status.is_drawn,
            number: draw.map(|draw| draw.winning_number),
            winners: draw.map(|draw| draw.winners),
            agency_states: agencies(central)
                .zip(rates.chain(std::iter::repeat(0)))
                .map(|((agency, standing), rate)| AgencyState {
                    agency,
                    bets: standing.bets,
                    rate,
                    state: match standing.phase {
                        Phase::Betting => "betting",
                        Phase::Waiting { .. } if standing.is_connected => "waiting",
                        Phase::Finished | Phase::Waiting { .. } => "finished",
                        Phase::Informed => "informed",
                    },
                    connected: standing.is_connected,
                    winners: standing.winners,
                })
                .collect(),
        }
    }
}

/// The agencies that are shown, and how each is.
fn agencies(central: &Central<impl Disk>) -> impl Iterator<Item = (u32, Standing)> {
    let shown = central.status().agencies.min(AGENCIES_REPORTED_MAX as u32);
    (1..=shown).map(|agency| (agency, central.standing(agency)))
}
