//! What the board shows, as data. Counts only: never a DNI or a name.

use std::collections::VecDeque;
use std::time::Duration;

use lottery_core::store::Disk;
use serde_json::json;

use crate::central::{Central, Phase, Standing};
use crate::limits::AGENCIES_REPORTED_MAX;

/// How often the history takes a sample, and how many it keeps: five minutes.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
const SAMPLES_MAX: usize = 300;

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

    /// The state as it is now, with the rates of the last sample, as `/status.json` has it.
    pub fn state(&self, central: &Central<impl Disk>) -> String {
        let status = central.status();
        let rates = self.agency_rates.iter().copied();
        let agencies = agencies(central).zip(rates.chain(std::iter::repeat(0)));
        let agencies = agencies.map(|((agency, standing), rate)| {
            let mut state = json!({
                "agency": agency,
                "bets": standing.bets,
                "rate": rate,
                "state": match standing.phase {
                    Phase::Betting => "betting",
                    Phase::Waiting { .. } => "waiting",
                    Phase::Finished => "finished",
                    Phase::Informed => "informed",
                },
                "connected": standing.is_connected,
            });
            if let Some(winners) = standing.winners {
                state["winners"] = winners.into();
            }
            state
        });
        let mut state = json!({
            "agencies": status.agencies,
            "missing": status.missing,
            "bets": central.bets(),
            "rate": self.per_second.back().copied().unwrap_or_default(),
            "history": self.per_second,
            "drawn": status.is_drawn,
            "agency_states": agencies.collect::<Vec<_>>(),
        });
        if let Some(draw) = central.draw() {
            state["number"] = draw.winning_number.into();
            state["winners"] = draw.winners.into();
        }
        state.to_string()
    }
}

/// The agencies that are shown, and how each is.
fn agencies(central: &Central<impl Disk>) -> impl Iterator<Item = (u32, Standing)> {
    let shown = central.status().agencies.min(AGENCIES_REPORTED_MAX as u32);
    (1..=shown).map(|agency| (agency, central.standing(agency)))
}
