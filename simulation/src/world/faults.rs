//! What goes wrong in a world, until nothing does any more.

use lottery_core::store::{BETS_FILE, CLOSINGS_FILE, DRAW_FILE};
use lottery_core::testing::{Faults, Operation};
use server::testing::Outlook;

use super::World;
use crate::plan::TWINS_MAX;
use crate::promise::Broken;
use crate::resuming::Resuming;
use crate::stranger::{Habit, Stranger};

/// Strangers present at once, at most, but for a crowd.
const STRANGERS_MAX: usize = 3;

/// Silent strangers who come at once.
const CROWD: usize = 8;

impl World {
    pub(super) fn have_fault(&mut self) -> Result<(), Broken> {
        match self.rng.u8(..12) {
            0 | 1 => {
                let chosen = self.rng.usize(..);
                let peers = self.peers();
                if !peers.is_empty() {
                    peers[chosen % peers.len()].cut();
                }
            }
            2 => self.crash_agency(),
            3 => {
                let power_cut = self.rng.bool();
                if self.central.is_some() {
                    self.crash_central(power_cut)?;
                }
            }
            4 => self.stop_central()?,
            5 | 6 => self.schedule_crash(),
            7 | 8 => self.break_disk(),
            9 => self.disk.set_faults(Faults::default()),
            10 if self.central.is_some() && self.rng.u8(..4) == 0 => {
                self.operator.touch(&mut self.rng);
            }
            _ => self.start_twin(),
        }
        Ok(())
    }

    fn crash_agency(&mut self) {
        if self.resuming.is_empty() {
            return;
        }
        let index = self.rng.usize(..self.resuming.len());
        let outlooks = [Outlook::Ended, Outlook::Reset, Outlook::Silent];
        let central_sees = outlooks[self.rng.usize(..3)];
        if self.resuming[index].runs() {
            self.resuming[index].crash(central_sees);
            self.statistics.add("agency crashes");
        }
    }

    /// Somebody ends the central by SIGTERM, which stores all it has taken.
    fn stop_central(&mut self) -> Result<(), Broken> {
        let Some(central) = self.central.take() else {
            return Ok(());
        };
        self.statistics.add("central stops gracefully");
        match central.shut_down(self.now) {
            Ok(()) => self.crash_central(false),
            Err(error) => self.note_stop(&error),
        }
    }

    /// Has the central die within one of its next operations on the disk.
    fn schedule_crash(&mut self) {
        let crash_after = Some(self.rng.u32(..6));
        self.disk.set_faults(Faults {
            crash_after,
            ..self.disk.faults()
        });
    }

    /// Fills the disk, or has some operations fail from here on.
    fn break_disk(&mut self) {
        let mut faults = self.disk.faults();
        if self.rng.u8(..3) == 0 {
            faults.room = Some(self.rng.usize(..300));
        }
        for _ in 0..self.rng.usize(..3) {
            let operations = [
                Operation::Open,
                Operation::Read,
                Operation::Write,
                Operation::Truncate,
                Operation::Sync,
            ];
            let operation = operations[self.rng.usize(..operations.len())];
            let file = [BETS_FILE, CLOSINGS_FILE, DRAW_FILE][self.rng.usize(..3)];
            faults.failing.push((operation, file));
        }
        self.disk.set_faults(faults);
    }

    /// Starts a second program for an agency, as somebody might by mistake.
    fn start_twin(&mut self) {
        let is_twin = |agency: &&Resuming| agency.is_twin;
        let twins = self.resuming.iter().filter(is_twin).count();
        let single = self.resuming.iter().filter(|agency| !agency.is_twin);
        let single: Vec<_> = single.collect();
        if twins < TWINS_MAX && !single.is_empty() {
            let plan = single[self.rng.usize(..single.len())].plan.clone();
            let mut twin = Resuming::new(plan, true);
            twin.start(self.now);
            self.twinned.insert(twin.plan.number);
            self.resuming.push(twin);
            self.statistics.add("twins");
        }
    }

    pub(super) fn let_strangers_in(&mut self) {
        let habit = Habit::random(&mut self.rng);
        if self.central.is_none() || self.strangers.len() >= STRANGERS_MAX {
            return;
        }
        self.statistics.add(match habit {
            Habit::Babbles | Habit::Dawdles | Habit::KeepsSilent => "strangers",
            Habit::Floods => "floods",
            Habit::Hoards => "hoards",
        });
        self.call(habit);
        // Now and then a crowd comes along.
        match self.rng.u8(..8) {
            0 => {
                self.statistics.add("crowds of silent strangers");
                (0..CROWD).for_each(|_| self.call(Habit::KeepsSilent));
            }
            1 => (0..CROWD).for_each(|_| self.call(Habit::Hoards)),
            _ => {}
        }
    }

    fn call(&mut self, habit: Habit) {
        let stranger = Stranger::call(habit, &self.plan, &mut self.doors, self.now, &mut self.rng);
        self.strangers.push(stranger);
    }

    /// From here on nothing fails: the disk is good, twins and strangers are gone, and every
    /// connection that is dead will be found to be.
    pub(super) fn end_faults(&mut self) {
        self.tell("faults cease");
        self.is_faulty = false;
        self.disk.set_faults(Faults::default());
        for stranger in std::mem::take(&mut self.strangers) {
            stranger.leave();
        }
        self.resuming.retain_mut(|agency| {
            if agency.is_twin {
                agency.crash(Outlook::Reset);
            }
            !agency.is_twin
        });
    }
}
