//! A world: who is in it, what happens next, and how it ends.

use std::collections::BTreeSet;
use std::time::Duration;
use std::{mem, panic};

use fastrand::Rng;
use lottery_core::message::Code;
use lottery_core::store::BETS_FILE;
use lottery_core::testing::{Counts, SimDisk, Statistics};
use server::testing::{Network, Outlook, forget_log};

use crate::agency::{Agency, Happened, Moment};
use crate::central::{Doors, SimCentral};
use crate::dialects::Dialect;
use crate::liar;
use crate::operator::Operator;
use crate::plan::Plan;
use crate::promise::{Broken, Promise, expect};
use crate::stranger::Stranger;

mod faults;
mod log;
mod restarts;

/// Steps within which a world without faults must come to its end. Most need a few thousand; the slowest
/// agency, which sends one bet at a time, some 130,000.
const CALM_STEPS_MAX: u32 = 400_000;

/// A world, made from a seed.
pub struct World {
    moment: Moment,
    plan: Plan,
    steps: u32,
    disk: SimDisk,
    operator: Operator,
    doors: Doors,
    central: Option<SimCentral>,
    agencies: Vec<Agency>,
    strangers: Vec<Stranger>,
    /// Agencies for which a second program has run.
    twinned: BTreeSet<u32>,
    promise: Promise,
    statistics: Statistics,
    draws_logged: u64,
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
        let agencies = plan.agencies.iter();
        World {
            agencies: agencies.map(|it| Agency::new(it.clone(), false)).collect(),
            doors: Doors::new(network, plan.has_tls),
            promise: Promise::new(&plan),
            moment: Moment {
                now: Duration::ZERO,
                rng,
                is_faulty: true,
                said: Vec::new(),
                happened: Vec::new(),
            },
            plan,
            steps: 0,
            operator: Operator::new(disk.clone(), statistics.clone()),
            disk,
            central: None,
            strangers: Vec::new(),
            twinned: BTreeSet::new(),
            statistics,
            draws_logged: 0,
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
        let Plan { rules, limits, .. } = &self.plan;
        self.tell(&format!("plan: {rules:?} {limits:?}"));
        for _ in 0..self.plan.faulty_steps {
            self.step()?;
        }
        self.end_faults();
        for _ in 0..CALM_STEPS_MAX {
            if self.agencies.iter().all(|agency| agency.is_over) {
                return self.conclude();
            }
            self.step()?;
        }
        let waiting = self.agencies.iter().filter(|agency| !agency.is_over);
        let waiting: Vec<_> = waiting.map(|agency| agency.plan.number).collect();
        Err(Broken(format!(
            "agencies {waiting:?} wait, {CALM_STEPS_MAX} steps after the faults ceased"
        )))
    }

    fn step(&mut self) -> Result<(), Broken> {
        self.steps += 1;
        self.moment.now += Duration::from_millis(self.moment.rng.u64(..80));
        match self.moment.rng.u32(..1000) {
            0..400 => self.turn_central()?,
            400..880 => self.step_agency()?,
            880..900 if self.moment.is_faulty => self.have_fault()?,
            880..920 => self.start_someone()?,
            920..935 => self.time_out_agency(),
            935..945 if self.moment.is_faulty => self.let_strangers_in(),
            _ => {
                let rng = &mut self.moment.rng;
                self.strangers.retain_mut(|stranger| stranger.step(rng));
            }
        }
        self.promise.check_files(&self.operator)
    }

    fn step_agency(&mut self) -> Result<(), Broken> {
        let index = self.moment.rng.usize(..self.agencies.len());
        let agency = &mut self.agencies[index];
        if self.moment.rng.u8(..100) >= agency.plan.diligence {
            return Ok(());
        }
        let (number, dialect) = (agency.plan.number, agency.plan.dialect);
        if agency.wants_connection(self.moment.now) {
            let door = dialect.unwrap_or(Dialect::Native) as usize;
            let doors = &mut self.doors;
            let central = self.central.as_ref();
            let call = central.map(|_| doors.call(door, Some(number), self.moment.now));
            agency.connect(call, &mut self.moment);
        }
        agency.step(&mut self.moment);
        for happened in mem::take(&mut self.moment.happened) {
            let name = dialect.map_or("native with Hello", Dialect::name);
            self.tell(&format!("agency {number} ({name}): {happened:?}"));
            self.note(number, dialect, happened)?;
        }
        Ok(())
    }

    fn note(
        &mut self,
        agency: u32,
        dialect: Option<Dialect>,
        happened: Happened,
    ) -> Result<(), Broken> {
        match happened {
            Happened::Welcomed(bets) => {
                self.promise.note_acknowledged(agency.into(), bets);
                self.statistics.add_times("resumes", bets.min(1));
            }
            Happened::Sends(series, rows) => self.promise.note_series(series, rows),
            Happened::Acknowledged(series, rows) => {
                self.promise.note_acknowledged(series, rows);
                self.statistics.add("batches acknowledged");
            }
            Happened::Returned => self.statistics.add("returns to ask for winners"),
            Happened::Drawn(told) => {
                let told = told.as_deref();
                self.promise.check_drawn(agency, told, &self.operator)?;
                if told.is_some() {
                    self.count_winners(dialect);
                }
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
            Happened::NoticedTwin => {
                self.statistics.add("twins noticed");
                expect(self.twinned.contains(&agency), || {
                    format!("agency {agency} saw a twin that never was")
                })?;
            }
        }
        Ok(())
    }

    fn count_winners(&self, dialect: Option<Dialect>) {
        const IN_DIALECT: [&str; 5] = [
            "winners told in native",
            "winners told in frames",
            "winners told in flags",
            "winners told in lines",
            "winners told in sized",
        ];
        let name = dialect.map(|dialect| IN_DIALECT[dialect as usize]);
        self.statistics
            .add(name.unwrap_or("winners told in native with Hello"));
        if self.plan.has_tls {
            self.statistics.add("winners told over TLS");
        }
    }

    /// Starts the central, or an agency's program, that does not run. One that has its winners may
    /// ask again.
    fn start_someone(&mut self) -> Result<(), Broken> {
        if self.central.is_none() {
            return self.start_central();
        }
        let index = self.moment.rng.usize(..self.agencies.len());
        let agency = &mut self.agencies[index];
        if !agency.runs() && (self.moment.is_faulty || !agency.is_over) {
            if agency.is_over {
                self.statistics.add("winners asked for again");
            }
            agency.start(self.moment.now);
        }
        Ok(())
    }

    /// An agency loses patience with a connection that is dead, or, while anything may fail, with any.
    fn time_out_agency(&mut self) {
        let index = self.moment.rng.usize(..self.agencies.len());
        let agency = &mut self.agencies[index];
        let Some(call) = &agency.call else { return };
        let is_silent = call.peer.outlook() == Outlook::Silent;
        if is_silent || (self.moment.is_faulty && self.moment.rng.u8(..8) == 0) {
            self.statistics.add("timeouts of agencies");
            agency.hang_up(Outlook::Reset, &mut self.moment);
        }
    }

    fn conclude(&mut self) -> Result<Counts, Broken> {
        liar::talk(&mut self.moment.rng, &self.statistics);
        let bets = self.operator.cached(BETS_FILE);
        self.promise.expect_complete(&bets)?;
        let counts = self.statistics.counts();
        let (times, has_crashed) = (self.draws_logged, counts.contains_key("central crashes"));
        expect(times == 1 || (times > 1 && has_crashed), || {
            format!("the draw was logged {times} times, and the central has crashed: {has_crashed}")
        })?;
        Ok(counts)
    }

    fn tell(&self, what: &str) {
        if self.trace {
            let seconds = self.moment.now.as_secs_f64();
            println!("{:>6} {seconds:>9.3}s {what}", self.steps);
        }
    }
}
