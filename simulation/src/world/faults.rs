//! What goes wrong in a world, until nothing does any more.

use lottery_core::store::{BETS_FILE, CLOSINGS_FILE, DRAW_FILE};
use lottery_core::testing::Faults;
use lottery_core::testing::Operation::{Open, Read, Sync, Truncate, Write};
use server::testing::Outlook;

use super::World;
use crate::agency::Agency;
use crate::plan::TWINS_MAX;
use crate::promise::Broken;
use crate::stranger::{Habit, Stranger, random_outlook};

/// Strangers present at once, at most, but for a crowd.
const STRANGERS_MAX: usize = 3;

/// Silent strangers who come at once.
const CROWD: usize = 8;

impl World {
    pub(super) fn have_fault(&mut self) -> Result<(), Broken> {
        match self.moment.rng.u8(..12) {
            0 | 1 => {
                let agencies = self.agencies.iter().filter_map(|it| it.call.as_ref());
                let strangers = self.strangers.iter().map(|it| &it.call);
                let calls = agencies.chain(strangers).collect::<Vec<_>>();
                if let Some(call) = self.moment.rng.choice(calls) {
                    call.peer.cut();
                }
            }
            2 => {
                let central_sees = random_outlook(&mut self.moment.rng);
                let index = self.moment.rng.usize(..self.agencies.len());
                if self.agencies[index].runs() {
                    self.agencies[index].crash(central_sees);
                    self.statistics.add("agency crashes");
                }
            }
            3 if self.central.is_some() => {
                let power_cut = self.moment.rng.bool();
                self.end_central(power_cut, false)?;
            }
            4 => self.stop_central()?,
            // The central dies within one of its next operations on the disk.
            5 | 6 => self.disk.set_faults(Faults {
                crash_after: Some(self.moment.rng.u32(..6)),
                ..self.disk.faults()
            }),
            7 | 8 => self.break_disk(),
            9 => self.disk.set_faults(Faults::default()),
            10 if self.central.is_some() && self.moment.rng.u8(..4) == 0 => {
                self.operator.touch(&mut self.moment.rng);
            }
            11 => self.start_twin(),
            _ => {}
        }
        Ok(())
    }

    /// Somebody ends the central by SIGTERM, which stores all it has taken.
    fn stop_central(&mut self) -> Result<(), Broken> {
        let Some(central) = self.central.take() else {
            return Ok(());
        };
        self.statistics.add("central stops gracefully");
        match central.shut_down(self.moment.now) {
            Ok(()) => self.end_central(false, false),
            Err(error) => self.note_stop(&error),
        }
    }

    /// Fills the disk, or has some operations fail from here on.
    fn break_disk(&mut self) {
        let mut faults = self.disk.faults();
        if self.moment.rng.u8(..3) == 0 {
            faults.room = Some(self.moment.rng.usize(..300));
        }
        for _ in 0..self.moment.rng.usize(..3) {
            let operation = [Open, Read, Write, Truncate, Sync][self.moment.rng.usize(..5)];
            let file = [BETS_FILE, CLOSINGS_FILE, DRAW_FILE][self.moment.rng.usize(..3)];
            faults.failing.push((operation, file));
        }
        self.disk.set_faults(faults);
    }

    /// Starts a second program for an agency, as somebody might by mistake.
    fn start_twin(&mut self) {
        let index = self.moment.rng.usize(..self.agencies.len());
        let twins = self.agencies.iter().filter(|agency| agency.is_twin).count();
        let plan = &self.agencies[index].plan;
        if twins < TWINS_MAX && plan.dialect.is_none() {
            self.twinned.insert(plan.number);
            let mut twin = Agency::new(plan.clone(), true);
            twin.start(self.moment.now);
            self.agencies.push(twin);
            self.statistics.add("twins");
        }
    }

    pub(super) fn let_strangers_in(&mut self) {
        let (habit, name) = Habit::random(&mut self.moment.rng);
        if self.central.is_none() || self.strangers.len() >= STRANGERS_MAX {
            return;
        }
        self.statistics.add(name);
        self.call(habit);
        // Now and then a crowd comes along.
        match self.moment.rng.u8(..8) {
            0 => {
                self.statistics.add("crowds of silent strangers");
                (0..CROWD).for_each(|_| self.call(Habit::KeepsSilent));
            }
            1 => (0..CROWD).for_each(|_| self.call(Habit::Hoards)),
            _ => {}
        }
    }

    fn call(&mut self, habit: Habit) {
        let agencies = self.plan.rules.agencies;
        let stranger = Stranger::call(habit, agencies, &mut self.doors, &mut self.moment);
        self.strangers.push(stranger);
    }

    /// From here on nothing fails: the disk is good, twins and strangers are gone, and every
    /// connection that is dead will be found to be.
    pub(super) fn end_faults(&mut self) {
        self.tell("faults cease");
        self.moment.is_faulty = false;
        self.plan.turns = 100;
        self.disk.set_faults(Faults::default());
        for stranger in self.strangers.drain(..) {
            stranger.call.peer.leave(Outlook::Reset);
        }
        self.agencies.retain_mut(|agency| {
            if agency.is_twin {
                agency.crash(Outlook::Reset);
            }
            !agency.is_twin
        });
    }
}
