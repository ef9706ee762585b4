//! A world: who is in it, what happens next, and how it ends.

use std::time::Duration;

use fastrand::Rng;
use server::central::Durability;
use server::layers::ConnectionId;

use crate::agency::{Happened, SimAgency};
use crate::central::{SimCentral, Turned};
use crate::disk::{Faults, SimDisk};
use crate::legacy::{Legacy, LegacyHappened};
use crate::network::{Network, Outlook};
use crate::plan::Plan;
use crate::promise::{Broken, Promise};
use crate::statistics::{Counts, Statistics};
use crate::stranger::Stranger;

/// Steps within which a world without faults must come to its end. Worlds that keep the promise
/// need a few thousand at most, the slowest agencies included.
const CALM_STEPS_MAX: u32 = 100_000;

/// Programs that run for the same agency at once, at most.
const TWINS_MAX: usize = 2;

/// Strangers present at once, at most.
const STRANGERS_MAX: usize = 3;

/// A world, made from a seed.
pub struct World {
    rng: Rng,
    plan: Plan,
    now: Duration,
    steps: u32,
    disk: SimDisk,
    network: Network,
    central: Option<SimCentral>,
    /// Connections made that the central has not accepted.
    backlog: Vec<ConnectionId>,
    agencies: Vec<SimAgency>,
    legacies: Vec<Legacy>,
    strangers: Vec<Stranger>,
    promise: Promise,
    statistics: Statistics,
    /// Whether anything may fail.
    is_faulty: bool,
    is_drawn: bool,
    /// Tells each event, for a replay.
    trace: bool,
}

impl World {
    /// The world of `seed`. With `trace` it tells what happens on standard output.
    pub fn new(seed: u64, trace: bool) -> World {
        let mut rng = Rng::with_seed(seed);
        let plan = Plan::random(&mut rng);
        let statistics = Statistics::default();
        let disk = SimDisk::new(rng.fork(), statistics.clone());
        let network = Network::new(rng.fork(), statistics.clone());
        let mut agencies = Vec::new();
        let mut legacies = Vec::new();
        for agency in &plan.agencies {
            if agency.says_hello {
                agencies.push(SimAgency::new(agency.clone(), false));
            } else {
                statistics.add("agencies without Hello");
                legacies.push(Legacy::new(agency.clone()));
            }
        }
        World {
            promise: Promise::new(&plan),
            rng,
            plan,
            now: Duration::ZERO,
            steps: 0,
            disk,
            network,
            central: None,
            backlog: Vec::new(),
            agencies,
            legacies,
            strangers: Vec::new(),
            statistics,
            is_faulty: true,
            is_drawn: false,
            trace,
        }
    }

    /// Runs the world to its end and gives back what it met.
    ///
    /// # Errors
    ///
    /// When the promise is broken.
    pub fn run(mut self) -> Result<Counts, Broken> {
        self.tell(&format!("plan: {:?}", self.plan.rules));
        for _ in 0..self.plan.faulty_steps {
            self.step()?;
        }
        self.end_faults();
        for _ in 0..CALM_STEPS_MAX {
            if self.is_over() {
                return self.conclude();
            }
            self.step()?;
        }
        Err(Broken::NoEnd {
            steps: CALM_STEPS_MAX,
            who: self.who_waits(),
        })
    }

    fn step(&mut self) -> Result<(), Broken> {
        self.steps += 1;
        self.now += Duration::from_millis(self.rng.u64(..80));
        match self.rng.u32(..1000) {
            0..400 => self.turn_central()?,
            400..880 => self.step_someone()?,
            880..900 if self.is_faulty => self.have_fault()?,
            880..920 => self.start_someone()?,
            920..935 => self.time_out_someone(),
            935..940 if self.is_faulty => self.let_stranger_in(),
            _ => self.step_strangers(),
        }
        self.promise.check_disk(&self.disk)
    }

    fn turn_central(&mut self) -> Result<(), Broken> {
        let Some(central) = &mut self.central else {
            return Ok(());
        };
        let accepted = std::mem::take(&mut self.backlog);
        let turned = central.turn(&accepted, &mut self.network, self.now);
        if turned == Turned::Dead {
            if self.disk.has_crashed() {
                self.statistics.add("central crashes within a commit");
            } else {
                self.statistics.add("central stops in doubt");
            }
            // After a failed sync nobody knows what of the unsynced is on the medium.
            let power_cut = self.rng.bool() || !self.disk.has_crashed();
            self.crash_central(power_cut)?;
        }
        Ok(())
    }

    fn crash_central(&mut self, power_cut: bool) -> Result<(), Broken> {
        self.tell(&format!("central dies, power cut: {power_cut}"));
        self.statistics.add("central crashes");
        self.central = None;
        self.backlog.clear();
        // Without `always`, nothing is promised of what was acknowledged just before a power cut, so
        // no such acknowledgement may arrive when the promise no longer covers it.
        let loses_answers = power_cut && self.plan.rules.durability != Durability::Always;
        self.network.central_crashes(power_cut, loses_answers);
        self.disk.restart(power_cut);
        if power_cut {
            self.statistics.add("central crashes by power cut");
            self.promise.note_power_cut(&self.disk)?;
        }
        Ok(())
    }

    fn start_central(&mut self) -> Result<(), Broken> {
        self.central = SimCentral::start(&self.disk, self.plan.rules, self.now)?;
        self.tell(&format!("central starts: {}", self.central.is_some()));
        if self.central.is_none() {
            let power_cut = self.disk.has_crashed() && self.rng.bool();
            self.crash_central(power_cut)?;
        } else if self.is_drawn {
            self.statistics.add("restarts after the draw");
        }
        Ok(())
    }

    fn step_someone(&mut self) -> Result<(), Broken> {
        let chosen = self.rng.usize(..self.agencies.len() + self.legacies.len());
        match chosen.checked_sub(self.agencies.len()) {
            None => self.step_agency(chosen),
            Some(legacy) => self.step_legacy(legacy),
        }
    }

    fn step_agency(&mut self, index: usize) -> Result<(), Broken> {
        let agency = &mut self.agencies[index];
        if self.rng.u8(..100) >= agency.plan.diligence {
            return Ok(());
        }
        let number = agency.plan.number;
        if agency.wants_connection(self.now) {
            let id = self.central.is_some().then(|| self.network.connect());
            self.backlog.extend(id);
            agency.known_at_connecting = self.promise.acknowledged(number);
            agency.connect(id, self.now, &mut self.rng);
        }
        for happened in agency.step(&mut self.network, self.now, &mut self.rng) {
            self.note(index, &happened)?;
        }
        Ok(())
    }

    fn note(&mut self, index: usize, happened: &Happened) -> Result<(), Broken> {
        let SimAgency {
            plan,
            known_at_connecting: acknowledged,
            ..
        } = &self.agencies[index];
        let (number, acknowledged) = (plan.number, *acknowledged);
        self.tell(&format!("agency {number}: {happened:?}"));
        match happened {
            Happened::Welcomed(bets) => {
                if *bets < acknowledged {
                    let (agency, told) = (number, *bets);
                    return Err(Broken::WrongWelcome {
                        agency,
                        told,
                        acknowledged,
                    });
                }
                self.promise.note_acknowledged(number, *bets);
                if *bets > 0 {
                    self.statistics.add("resumes");
                }
            }
            Happened::Acknowledged(bets) => {
                self.promise.note_acknowledged(number, *bets);
                self.statistics.add("batches acknowledged");
            }
            Happened::Winners(winners) => self.note_winners(number, winners)?,
            Happened::NotStored => self.statistics.add("batches refused for want of storage"),
            Happened::DrawTimeout => self.statistics.add("draw timeouts"),
            Happened::GaveUp(reason) => {
                let reason = reason.clone();
                return Err(Broken::GaveUp {
                    agency: number,
                    reason,
                });
            }
        }
        Ok(())
    }

    fn note_winners(&mut self, number: u32, winners: &[u32]) -> Result<(), Broken> {
        self.promise
            .check_winners(number, winners, &self.plan, &self.disk)?;
        self.statistics.add("winners told");
        if !std::mem::replace(&mut self.is_drawn, true) {
            self.statistics.add("draws");
        }
        Ok(())
    }

    fn step_legacy(&mut self, index: usize) -> Result<(), Broken> {
        let legacy = &mut self.legacies[index];
        if legacy.is_over() || self.rng.u8(..100) >= legacy.plan.diligence {
            return Ok(());
        }
        if legacy.connection().is_none() && self.central.is_some() {
            let id = self.network.connect();
            self.backlog.push(id);
            legacy.connect(id);
        }
        let number = legacy.plan.number;
        let happened = legacy.step(&mut self.network, &mut self.promise, &mut self.rng);
        if !matches!(happened, LegacyHappened::Nothing) {
            self.tell(&format!("agency {number}, without Hello: {happened:?}"));
        }
        match happened {
            LegacyHappened::Nothing => Ok(()),
            LegacyHappened::Acknowledged => {
                self.statistics.add("batches acknowledged");
                Ok(())
            }
            LegacyHappened::NotStored => {
                self.statistics.add("batches refused for want of storage");
                Ok(())
            }
            LegacyHappened::DrawTimeout => {
                self.statistics.add("draw timeouts");
                Ok(())
            }
            LegacyHappened::Winners(winners) => self.note_winners(number, &winners),
            LegacyHappened::GaveUp(reason) => Err(Broken::GaveUp {
                agency: number,
                reason,
            }),
        }
    }

    fn have_fault(&mut self) -> Result<(), Broken> {
        match self.rng.u8(..10) {
            0 | 1 => {
                let ids = self.network.ids();
                if !ids.is_empty() {
                    self.network.cut(ids[self.rng.usize(..ids.len())]);
                }
            }
            2 => self.crash_agency(),
            3 => {
                let power_cut = self.rng.bool();
                if self.central.is_some() {
                    self.crash_central(power_cut)?;
                }
            }
            4 | 5 => self.schedule_crash(),
            6 | 7 => self.break_disk(),
            8 => self.disk.set_faults(Faults::default()),
            _ => self.start_twin(),
        }
        Ok(())
    }

    fn crash_agency(&mut self) {
        if self.agencies.is_empty() {
            return;
        }
        let index = self.rng.usize(..self.agencies.len());
        let outlooks = [Outlook::Ended, Outlook::Reset, Outlook::Silent];
        let central_sees = outlooks[self.rng.usize(..3)];
        if self.agencies[index].runs() {
            self.agencies[index].crash(&mut self.network, central_sees);
            self.statistics.add("agency crashes");
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

    fn break_disk(&mut self) {
        let faults = self.disk.faults();
        self.disk.set_faults(match self.rng.u8(..4) {
            0 => Faults {
                failing_sync: true,
                ..faults
            },
            1 => Faults {
                failing_open: true,
                ..faults
            },
            2 => Faults {
                room: Some(self.rng.usize(..300)),
                failing_truncate: true,
                ..faults
            },
            _ => Faults {
                room: Some(self.rng.usize(..300)),
                ..faults
            },
        });
    }

    /// Starts a second program for an agency, as somebody might by mistake.
    fn start_twin(&mut self) {
        let twins = self.agencies.iter().filter(|agency| agency.is_twin).count();
        let single: Vec<_> = self
            .agencies
            .iter()
            .filter(|agency| !agency.is_twin)
            .collect();
        if twins < TWINS_MAX && !single.is_empty() {
            let plan = single[self.rng.usize(..single.len())].plan.clone();
            let mut twin = SimAgency::new(plan, true);
            twin.start(self.now);
            self.agencies.push(twin);
            self.statistics.add("twins");
        }
    }

    /// Starts the central, or an agency's program, that does not run. One that has its winners may
    /// ask again.
    fn start_someone(&mut self) -> Result<(), Broken> {
        if self.central.is_none() {
            return self.start_central();
        }
        if self.agencies.is_empty() {
            return Ok(());
        }
        let index = self.rng.usize(..self.agencies.len());
        let agency = &mut self.agencies[index];
        if !agency.runs() && (self.is_faulty || !agency.is_done()) {
            if agency.is_done() {
                self.statistics.add("winners asked for again");
            }
            agency.start(self.now);
        }
        Ok(())
    }

    /// Somebody loses patience with a connection that is dead, or, while anything may fail, with any.
    fn time_out_someone(&mut self) {
        let chosen = self.rng.usize(..self.agencies.len() + self.legacies.len());
        let legacy = chosen.checked_sub(self.agencies.len());
        let connection = match legacy {
            None => self.agencies[chosen].connection(),
            Some(legacy) => self.legacies[legacy].connection(),
        };
        let Some(id) = connection else { return };
        let is_silent = self.network.agency_outlook(id) == Outlook::Silent;
        let gives_up = is_silent || (self.is_faulty && self.rng.u8(..8) == 0);
        if !gives_up {
            return;
        }
        self.statistics.add("timeouts of agencies");
        match legacy {
            None => self.agencies[chosen].time_out(&mut self.network, self.now, &mut self.rng),
            Some(legacy) => self.legacies[legacy].time_out(&mut self.network),
        }
    }

    fn let_stranger_in(&mut self) {
        if self.central.is_some() && self.strangers.len() < STRANGERS_MAX {
            let id = self.network.connect();
            self.backlog.push(id);
            self.strangers
                .push(Stranger::new(id, &self.plan, &mut self.rng));
            self.statistics.add("strangers");
        }
    }

    fn step_strangers(&mut self) {
        let World {
            strangers,
            network,
            rng,
            ..
        } = self;
        strangers.retain_mut(|stranger| stranger.step(network, rng));
    }

    /// From here on nothing fails: the disk is good, twins and strangers are gone, and every
    /// connection that is dead will be found to be.
    fn end_faults(&mut self) {
        self.tell("faults cease");
        self.is_faulty = false;
        self.disk.set_faults(Faults::default());
        for stranger in std::mem::take(&mut self.strangers) {
            stranger.leave(&mut self.network);
        }
        let World {
            agencies, network, ..
        } = self;
        agencies.retain_mut(|agency| {
            if agency.is_twin {
                agency.crash(network, Outlook::Reset);
            }
            !agency.is_twin
        });
    }

    fn is_over(&self) -> bool {
        self.agencies.iter().all(SimAgency::is_done) && self.legacies.iter().all(Legacy::is_over)
    }

    fn who_waits(&self) -> String {
        let waiting = self.agencies.iter().filter(|agency| !agency.is_done());
        let legacies = self.legacies.iter().filter(|legacy| !legacy.is_over());
        let numbers = waiting
            .map(|agency| agency.plan.number)
            .chain(legacies.map(|legacy| legacy.plan.number));
        numbers
            .map(|number| number.to_string())
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn conclude(&mut self) -> Result<Counts, Broken> {
        for agency in &self.plan.agencies {
            if !self.promise.is_complete(agency.number, &self.disk)? {
                let planned = agency.bets.len() as u64;
                return Err(Broken::ClosedEarly {
                    agency: agency.number,
                    closed: 0,
                    planned,
                });
            }
        }
        Ok(self.statistics.counts())
    }

    fn tell(&self, what: &str) {
        if self.trace {
            println!("{:>6} {:>9.3}s {what}", self.steps, self.now.as_secs_f64());
        }
    }
}
