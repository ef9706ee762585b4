//! A world: who is in it, what happens next, and how it ends.

use std::collections::BTreeSet;
use std::panic;
use std::time::Duration;

use fastrand::Rng;
use lottery_core::message::Code;
use lottery_core::testing::{Counts, SimDisk, Statistics};
use server::testing::{Network, Outlook, Peer, forget_log};

use crate::central::{Doors, SimCentral};
use crate::liar;
use crate::operator::Operator;
use crate::plain::Plain;
use crate::plan::Plan;
use crate::promise::{Broken, Promise, expect};
use crate::resuming::{Happened, Resuming};
use crate::stranger::Stranger;

mod faults;
mod log;
mod restarts;

/// Steps within which a world without faults must come to its end. Worlds that keep the promise
/// need a few thousand at most, the slowest agencies included.
const CALM_STEPS_MAX: u32 = 100_000;

/// A world, made from a seed.
pub struct World {
    rng: Rng,
    plan: Plan,
    now: Duration,
    steps: u32,
    disk: SimDisk,
    operator: Operator,
    doors: Doors,
    central: Option<SimCentral>,
    resuming: Vec<Resuming>,
    plain: Vec<Plain>,
    strangers: Vec<Stranger>,
    /// Agencies for which a second program has run.
    twinned: BTreeSet<u32>,
    promise: Promise,
    statistics: Statistics,
    /// Whether anything may fail.
    is_faulty: bool,
    draws_logged: u64,
    /// How often the central has died.
    crashes: u64,
    /// Tells each event, for a replay.
    trace: bool,
}

impl World {
    fn new(seed: u64, trace: bool) -> World {
        forget_log();
        let mut rng = Rng::with_seed(seed);
        let plan = Plan::random(&mut rng);
        let statistics = Statistics::default();
        let disk = SimDisk::new(rng.fork(), statistics.clone());
        let network = Network::random(rng.fork(), statistics.clone());
        let mut resuming = Vec::new();
        let mut plain = Vec::new();
        for agency in &plan.agencies {
            match agency.dialect {
                None => resuming.push(Resuming::new(agency.clone(), false)),
                Some(dialect) => plain.push(Plain::new(agency.clone(), dialect)),
            }
        }
        World {
            doors: Doors::new(network, plan.has_tls),
            promise: Promise::new(&plan),
            rng,
            plan,
            now: Duration::ZERO,
            steps: 0,
            operator: Operator::new(disk.clone(), statistics.clone()),
            disk,
            central: None,
            resuming,
            plain,
            strangers: Vec::new(),
            twinned: BTreeSet::new(),
            statistics,
            is_faulty: true,
            draws_logged: 0,
            crashes: 0,
            trace,
        }
    }

    /// Runs the world of `seed` to its end and gives back what it met. With `trace` it tells what happens
    /// on standard output.
    ///
    /// # Errors
    ///
    /// When the promise is broken, or an assertion of production's.
    pub fn run(seed: u64, trace: bool) -> Result<Counts, Broken> {
        let run = || World::new(seed, trace).run_to_end();
        panic::catch_unwind(run).unwrap_or_else(|_| Err(Broken("something panicked".into())))
    }

    fn run_to_end(mut self) -> Result<Counts, Broken> {
        self.tell(&format!(
            "plan: {:?} {:?}",
            self.plan.rules, self.plan.limits
        ));
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
        Err(Broken(format!(
            "no end within {CALM_STEPS_MAX} steps after the faults ceased: {}",
            self.who_waits()
        )))
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
            935..945 if self.is_faulty => self.let_strangers_in(),
            _ => self.step_strangers(),
        }
        self.promise.check_files(&self.operator)
    }

    fn step_someone(&mut self) -> Result<(), Broken> {
        let chosen = self.rng.usize(..self.resuming.len() + self.plain.len());
        match chosen.checked_sub(self.resuming.len()) {
            None => self.step_resuming(chosen),
            Some(plain) => self.step_plain(plain),
        }
    }

    fn step_resuming(&mut self, index: usize) -> Result<(), Broken> {
        let agency = &mut self.resuming[index];
        if self.rng.u8(..100) >= agency.plan.diligence {
            return Ok(());
        }
        let number = agency.plan.number;
        if agency.wants_connection(self.now) {
            let caller = self
                .central
                .is_some()
                .then(|| self.doors.call(0, Some(number)));
            agency.known_at_connecting = self.promise.acknowledged(number);
            agency.connect(caller, self.now, &mut self.rng);
        }
        let acknowledged = agency.known_at_connecting;
        for happened in agency.step(self.now, &mut self.rng) {
            match happened {
                Happened::Welcomed(bets) => {
                    expect(bets >= acknowledged, || {
                        format!(
                            "agency {number} was welcomed with {bets}, and knew of {acknowledged}"
                        )
                    })?;
                    self.promise.note_acknowledged(number, bets);
                    if bets > 0 {
                        self.statistics.add("resumes");
                    }
                }
                Happened::Acknowledged(bets) => self.promise.note_acknowledged(number, bets),
                _ => {}
            }
            self.note(number, "native with Hello", happened)?;
        }
        Ok(())
    }

    fn step_plain(&mut self, index: usize) -> Result<(), Broken> {
        let agency = &mut self.plain[index];
        if agency.is_over() || self.rng.u8(..100) >= agency.plan.diligence {
            return Ok(());
        }
        let (number, dialect) = (agency.plan.number, agency.dialect);
        if agency.caller().is_none() && self.central.is_some() {
            agency.connect(self.doors.call(dialect as usize, Some(number)));
        }
        let happened = agency.step(&mut self.promise, self.is_faulty, self.now, &mut self.rng);
        if std::mem::take(&mut agency.has_returned) {
            self.statistics.add("returns to ask for winners");
        }
        match happened {
            Some(happened) => self.note(number, dialect.name(), happened),
            None => Ok(()),
        }
    }

    fn note(&mut self, agency: u32, dialect: &str, happened: Happened) -> Result<(), Broken> {
        self.tell(&format!("agency {agency} ({dialect}): {happened:?}"));
        let agencies = self.plan.rules.agencies;
        match happened {
            Happened::Welcomed(_) => {}
            Happened::Acknowledged(_) => self.statistics.add("batches acknowledged"),
            Happened::DrawHeld => self.promise.check_drawn(agency, agencies, &self.operator)?,
            Happened::Winners(winners) => {
                self.promise
                    .check_winners(agency, &winners, agencies, &self.operator)?;
                if self.plan.has_tls {
                    self.statistics.add("winners told over TLS");
                }
                self.statistics.add(match dialect {
                    "native" => "winners told in native",
                    "frames" => "winners told in frames",
                    "flags" => "winners told in flags",
                    "lines" => "winners told in lines",
                    "sized" => "winners told in sized",
                    _ => "winners told in native with Hello",
                });
            }
            Happened::Refused(Some(Code::NotStored)) => {
                self.statistics.add("batches refused for want of storage");
            }
            Happened::Refused(Some(Code::DrawTimeout)) => self.statistics.add("draw timeouts"),
            // The other dialects do not say why; of the native codes, these have a reason.
            Happened::Refused(None | Some(Code::BettingClosed)) => {}
            Happened::Refused(Some(code)) => {
                return Err(Broken(format!("agency {agency} was refused: {code}")));
            }
            Happened::GaveUp(reason) => {
                return Err(Broken(format!("agency {agency} gave up: {reason}")));
            }
            Happened::NoticedTwin if self.twinned.contains(&agency) => {
                self.statistics.add("twins noticed");
            }
            Happened::NoticedTwin => {
                return Err(Broken(format!("agency {agency} saw a twin that never was")));
            }
        }
        Ok(())
    }

    /// Starts the central, or an agency's program, that does not run. One that has its winners may
    /// ask again.
    fn start_someone(&mut self) -> Result<(), Broken> {
        if self.central.is_none() {
            return self.start_central();
        }
        if self.resuming.is_empty() {
            return Ok(());
        }
        let index = self.rng.usize(..self.resuming.len());
        let agency = &mut self.resuming[index];
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
        let chosen = self.rng.usize(..self.resuming.len() + self.plain.len());
        let plain = chosen.checked_sub(self.resuming.len());
        let caller = match plain {
            None => self.resuming[chosen].caller(),
            Some(plain) => self.plain[plain].caller(),
        };
        let Some(caller) = caller else { return };
        let is_silent = caller.peer.outlook() == Outlook::Silent;
        let gives_up = is_silent || (self.is_faulty && self.rng.u8(..8) == 0);
        if !gives_up {
            return;
        }
        self.statistics.add("timeouts of agencies");
        match plain {
            None => self.resuming[chosen].time_out(self.now, &mut self.rng),
            Some(plain) => self.plain[plain].time_out(),
        }
    }

    fn step_strangers(&mut self) {
        let World { strangers, rng, .. } = self;
        strangers.retain_mut(|stranger| stranger.step(rng));
    }

    /// The ends of all connections.
    fn peers(&self) -> Vec<&Peer> {
        let resuming = self.resuming.iter().filter_map(Resuming::caller);
        let plain = self.plain.iter().filter_map(Plain::caller);
        let strangers = self.strangers.iter().map(Stranger::caller);
        let callers = resuming.chain(plain).chain(strangers);
        callers.map(|caller| &caller.peer).collect()
    }

    fn is_over(&self) -> bool {
        self.resuming.iter().all(Resuming::is_done) && self.plain.iter().all(Plain::is_over)
    }

    fn who_waits(&self) -> String {
        let resuming = self.resuming.iter().filter(|agency| !agency.is_done());
        let resuming = resuming.map(|agency| agency.plan.number);
        let plain = self.plain.iter().filter(|agency| !agency.is_over());
        let plain = plain.map(|agency| agency.plan.number);
        let numbers = resuming.chain(plain).map(|number| number.to_string());
        numbers.collect::<Vec<_>>().join(", ")
    }

    fn conclude(&mut self) -> Result<Counts, Broken> {
        liar::talk(&mut self.rng, &self.statistics);
        self.promise.check_complete(&self.operator)?;
        let (times, crashes) = (self.draws_logged, self.crashes);
        expect(times == 1 || (times > 1 && crashes > 0), || {
            format!("the draw was logged {times} times, with {crashes} crashes of the central")
        })?;
        Ok(self.statistics.counts())
    }

    fn tell(&self, what: &str) {
        if self.trace {
            println!("{:>6} {:>9.3}s {what}", self.steps, self.now.as_secs_f64());
        }
    }
}
