//! The central's turns, its ends and its beginnings.

use lottery_core::store::{CommitError, DRAW_FILE};
use server::central::{Central, Durability, TurnError};

use super::World;
use crate::central::{self, SimCentral};
use crate::plan::Plan;
use crate::promise::{Broken, expect};

impl World {
    pub(super) fn turn_central(&mut self) -> Result<(), Broken> {
        let settled = self.settled();
        let is_busy = self.moment.rng.u8(..100) >= self.plan.turns;
        let Some(central) = self.central.as_mut().filter(|_| !is_busy) else {
            return Ok(());
        };
        let turned = central.turn(&mut self.doors, self.moment.now)?;
        self.read_log(&settled)?;
        match turned {
            // It would have gone on, had it not died.
            Ok(()) if self.disk.has_crashed() => self.end_central(false, false),
            Ok(()) => self.expect_no_stranger_to_stay(),
            Err(error) => self.note_stop(&error),
        }
    }

    /// The central ended in the middle of a turn, because it died or because it could not go on.
    pub(super) fn note_stop(&mut self, error: &TurnError) -> Result<(), Broken> {
        self.tell(&format!("central stops: {error}"));
        self.statistics.add(match self.disk.has_crashed() {
            true => "central crashes within an operation on the disk",
            false => "central stops because it cannot go on",
        });
        match error {
            TurnError::OtherDraw { .. } => return Err(Broken(error.to_string())),
            TurnError::Storage(CommitError::Tampered { .. }) if self.operator.has_touched() => {
                self.statistics.add("files missed by the central");
            }
            TurnError::Storage(CommitError::Tampered { file }) => {
                return Err(Broken(format!("the central missed {file}, which is there")));
            }
            TurnError::Storage(_) | TurnError::Draw(_) => {}
        }
        // A failed sync has the central cut off what no good one covered.
        let may_lose = matches!(error, TurnError::Storage(error) if error.is_fatal());
        let power_cut = self.moment.rng.bool();
        self.end_central(power_cut, may_lose)
    }

    /// The central is gone; what was not synced may be with it.
    pub(super) fn end_central(&mut self, power_cut: bool, may_lose: bool) -> Result<(), Broken> {
        self.tell(&format!("central dies, power cut: {power_cut}"));
        self.statistics.add("central crashes");
        // Without `always`, nothing is promised of what was acknowledged just before, so no such
        // acknowledgement may arrive when the promise no longer covers it.
        let loses_answers =
            (may_lose || power_cut) && self.plan.rules.durability != Durability::Always;
        self.doors.central_crashes(power_cut, loses_answers);
        self.central = None;
        self.disk.restart(power_cut);
        if power_cut {
            self.statistics.add("central crashes by power cut");
        }
        match may_lose || power_cut {
            true => self.promise.note_loss(&self.operator),
            false => Ok(()),
        }
    }

    pub(super) fn start_central(&mut self) -> Result<(), Broken> {
        self.operator.make_good();
        self.expect_other_rules_refused()?;
        let Plan { rules, limits, .. } = self.plan;
        self.central = SimCentral::start(&self.disk, rules, limits)?;
        self.tell(&format!("central starts: {}", self.central.is_some()));
        if self.central.is_none() {
            let power_cut = self.disk.has_crashed() && self.moment.rng.bool();
            self.end_central(power_cut, false)?;
        } else if self.draws_logged > 0 {
            self.statistics.add("restarts after the draw");
        }
        Ok(())
    }

    /// Once the draw was held, nobody can start the lottery with another number, or more agencies.
    fn expect_other_rules_refused(&mut self) -> Result<(), Broken> {
        let is_held = self.disk.synced(DRAW_FILE).ends_with(b"\r\n");
        if !is_held || !self.moment.is_faulty || self.moment.rng.bool() {
            return Ok(());
        }
        let mut rules = self.plan.rules;
        match self.moment.rng.bool() {
            true => rules.winning_number += 1,
            false => rules.agencies += 1,
        }
        let Some(store) = central::open(&self.disk)? else {
            return Ok(());
        };
        let Err(error) = Central::new(rules, store) else {
            return Err(Broken("the central began another draw".into()));
        };
        self.statistics.add("starts with another number refused");
        let named = format!("{} and {}", rules.winning_number, rules.agencies);
        expect(error.to_string().contains(&named), || error.to_string())
    }
}
