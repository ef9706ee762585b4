//! Doing the runs: each row some times over, the floor and ours in turn.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::histogram::Histogram;
use crate::rows::{DEFAULT_PACE, Driver, Row};
use crate::statistics::Spread;
use crate::trial::data::{BUNDLED_AGENCIES, Bets, Library};
use crate::trial::lottery::{Agencies, Cost, Pace, run};
use crate::trial::store::{FullStore, StoreCost, start_empty};
use crate::trial::syscalls::{self, Calls};
use crate::trial::{Programs, Workspace, floor};

/// Starts on an empty folder that are measured: each takes but milliseconds.
const STARTS: usize = 20;

/// Times the bundled data of which the store is opened and drawn over.
const STORE_TIMES: u32 = 50;

/// Everything that runs need.
pub struct Bench {
    /// What is run.
    pub programs: Programs,
    /// Where.
    pub workspace: Workspace,
    /// How often each row is run.
    pub pairs: usize,
    /// The bets.
    pub library: Library,
}

/// What the runs of a row cost.
#[derive(Debug)]
pub struct Measured {
    /// The row.
    pub row: Row,
    /// Bets of a run.
    pub bets: u64,
    /// A cost for each run.
    costs: Vec<Cost>,
    /// The time of the floor before each run.
    floors: Vec<Duration>,
    /// The answer times of all runs, where they are known.
    pub answer_times: Option<Histogram>,
}

impl Measured {
    /// Seconds of a run.
    pub fn seconds(&self) -> Spread {
        self.spread(|cost| cost.elapsed.as_secs_f64())
    }

    /// Bets a second.
    pub fn bets_per_second(&self) -> Spread {
        self.spread(|cost| cost.bets as f64 / cost.elapsed.as_secs_f64())
    }

    /// A run's time as multiple of the floor's that preceded it.
    pub fn ratio(&self) -> Spread {
        let pairs = self.costs.iter().zip(&self.floors);
        let ratios = pairs.map(|(cost, floor)| cost.elapsed.as_secs_f64() / floor.as_secs_f64());
        some(Spread::of(ratios))
    }

    /// Seconds of the floor.
    pub fn floor_seconds(&self) -> Spread {
        some(Spread::of(self.floors.iter().map(Duration::as_secs_f64)))
    }

    /// Nanoseconds of the server's processor time for a bet.
    pub fn cpu_ns_per_bet(&self) -> Spread {
        self.spread(|cost| cost.server.cpu.as_nanos() as f64 / cost.bets as f64)
    }

    /// Nanoseconds of the real clients' processor time for a bet.
    pub fn clients_cpu_ns_per_bet(&self) -> Option<Spread> {
        Spread::of(self.costs.iter().filter_map(|cost| {
            let cpu = cost.clients_cpu?;
            Some(cpu.as_nanos() as f64 / cost.bets as f64)
        }))
    }

    /// The share of the server's in the kernel, from 0 to 1.
    pub fn system_share(&self) -> f64 {
        let sum = |part: fn(&Cost) -> Duration| self.costs.iter().map(part).sum::<Duration>();
        let (system, all) = (sum(|cost| cost.server.system), sum(|cost| cost.server.cpu));
        (system.as_secs_f64() / all.as_secs_f64()).min(1.0)
    }

    /// Microseconds of the server's processor time for an agency.
    pub fn cpu_us_per_agency(&self) -> Spread {
        let agencies = f64::from(self.row.agencies);
        self.spread(|cost| cost.server.cpu.as_secs_f64() * 1e6 / agencies)
    }

    /// Microseconds of a run for an agency.
    pub fn us_per_agency(&self) -> Spread {
        let agencies = f64::from(self.row.agencies);
        self.spread(|cost| cost.elapsed.as_secs_f64() * 1e6 / agencies)
    }

    /// The server's peak of memory, in MiB.
    pub fn peak_mib(&self) -> Spread {
        self.spread(|cost| cost.server.peak_bytes as f64 / f64::from(1 << 20))
    }

    fn spread(&self, figure: impl Fn(&Cost) -> f64) -> Spread {
        some(Spread::of(self.costs.iter().map(figure)))
    }
}

fn some(spread: Option<Spread>) -> Spread {
    spread.expect("a row is run at least once")
}

/// What opening and drawing cost, over all runs.
#[derive(Debug)]
pub struct StoreMeasured {
    /// Bets in the store.
    pub bets: u64,
    /// Bytes of them.
    pub bytes: u64,
    costs: Vec<StoreCost>,
}

impl StoreMeasured {
    /// Megabytes a second from the start of the server to listening.
    pub fn opening_mb_per_second(&self) -> Spread {
        self.spread(|cost| self.bytes as f64 / 1e6 / cost.opening.as_secs_f64())
    }

    /// Milliseconds from the last closing to the last winners.
    pub fn draw_ms(&self) -> Spread {
        self.spread(|cost| cost.draw.as_secs_f64() * 1e3)
    }

    /// Milliseconds that another connection waited at most.
    pub fn longest_wait_ms(&self) -> Spread {
        self.spread(|cost| cost.longest_wait.as_secs_f64() * 1e3)
    }

    /// Answers that the other connection had during the draw.
    pub fn probes(&self) -> Spread {
        self.spread(|cost| cost.probes as f64)
    }

    /// The server's peak of memory, in MiB.
    pub fn peak_mib(&self) -> Spread {
        self.spread(|cost| cost.peak_bytes as f64 / f64::from(1 << 20))
    }

    fn spread(&self, figure: impl Fn(&StoreCost) -> f64) -> Spread {
        some(Spread::of(self.costs.iter().map(figure)))
    }
}

/// The system calls of a run.
#[derive(Debug)]
pub struct CountedCalls {
    /// What was run.
    pub what: &'static str,
    /// Batches of the run.
    pub batches: u64,
    /// The calls, the most frequent first.
    pub calls: Vec<Calls>,
}

impl Bench {
    /// Programs to be run in a new folder in `parent`, each row `pairs` times.
    ///
    /// # Errors
    ///
    /// When the folder cannot be made.
    pub fn new(programs: Programs, parent: &Path, pairs: usize) -> Result<Bench> {
        let workspace = Workspace::new(parent)?;
        Ok(Bench {
            programs,
            library: Library::new(workspace.path().join("data")),
            workspace,
            pairs,
        })
    }

    /// Runs a row: the floor, ours, the floor, ours …
    ///
    /// # Errors
    ///
    /// When a run fails.
    pub fn row(&mut self, row: Row) -> Result<Measured> {
        let name = row.name();
        let measured = match row.driver {
            Driver::Clients => self.client_row(row),
            Driver::Load { greets } => self.load_row(row, greets),
        };
        measured.with_context(|| format!("row {name}"))
    }

    fn client_row(&mut self, row: Row) -> Result<Measured> {
        let data = self.library.data(row.bets, row.agencies)?;
        let files = &data.files;
        let (programs, workspace) = (&self.programs, &self.workspace);
        in_turn(
            row,
            self.pairs,
            || floor::with_processes(programs, workspace, files, data.bytes),
            || self.lottery(&row, Agencies::Clients { files }),
        )
    }

    fn load_row(&mut self, row: Row, greets: bool) -> Result<Measured> {
        let scripts = &self
            .library
            .lottery_scripts(row.bets, row.pace.batch_bets)?;
        let floor_scripts = &self.library.floor_scripts(row.bets)?;
        let agencies = Agencies::Load {
            agencies: row.agencies,
            scripts,
            greets,
        };
        let (programs, workspace) = (&self.programs, &self.workspace);
        in_turn(
            row,
            self.pairs,
            || floor::with_load(programs, workspace, floor_scripts, row.agencies),
            || self.lottery(&row, agencies),
        )
    }

    fn lottery(&self, row: &Row, agencies: Agencies<'_>) -> Result<Cost> {
        let Row {
            durability, pace, ..
        } = *row;
        run(
            &self.programs,
            &self.workspace,
            durability,
            &[],
            agencies,
            pace,
        )
    }

    /// Opens a large store after a crash and holds the draw over it, again and again.
    ///
    /// # Errors
    ///
    /// When a run fails.
    pub fn store(&mut self) -> Result<StoreMeasured> {
        let bets = Bets::Bundled { times: STORE_TIMES };
        let files = self.library.data(bets, BUNDLED_AGENCIES)?.files;
        let store = FullStore::fill(self.workspace.storage(), &files)?;
        let costs = (0..self.pairs).map(|_| store.open_and_draw(&self.programs, &self.workspace));
        let costs = costs.collect::<Result<_>>()?;
        self.workspace.clean()?;
        Ok(StoreMeasured {
            bets: store.bets,
            bytes: store.bytes,
            costs,
        })
    }

    /// Milliseconds from the start of a server on an empty folder to listening.
    ///
    /// # Errors
    ///
    /// When a server fails.
    pub fn starts_ms(&self) -> Result<Spread> {
        let starts = (0..STARTS).map(|_| {
            let start = start_empty(&self.programs, &self.workspace)?;
            Ok(start.as_secs_f64() * 1e3)
        });
        Ok(some(Spread::of(starts.collect::<Result<Vec<_>>>()?)))
    }

    /// Counts system calls; `None` without strace.
    ///
    /// # Errors
    ///
    /// When a run fails.
    pub fn system_calls(&mut self) -> Result<Option<Vec<CountedCalls>>> {
        if !syscalls::is_available() {
            return Ok(None);
        }
        let five = Bets::Bundled { times: 1 };
        let one_at_a_time = Pace {
            window: 1,
            ..DEFAULT_PACE
        };
        let runs = [
            ("5 agencies, window 128, no", five, 5, "no", DEFAULT_PACE),
            (
                "5 agencies, window 128, always",
                five,
                5,
                "always",
                DEFAULT_PACE,
            ),
            ("5 agencies, window 1, no", five, 5, "no", one_at_a_time),
            (
                "1,000 agencies of one batch, no",
                Bets::Each,
                1000,
                "no",
                DEFAULT_PACE,
            ),
        ];
        let mut counted = Vec::new();
        for (what, bets, agencies, durability, pace) in runs {
            let scripts = &self.library.lottery_scripts(bets, pace.batch_bets)?;
            let shares = if scripts.len() == 1 { agencies } else { 1 };
            let messages: usize = scripts.iter().map(|script| script.messages()).sum();
            let load = Agencies::Load {
                agencies,
                scripts,
                greets: true,
            };
            let (programs, workspace) = (&self.programs, &self.workspace);
            counted.push(CountedCalls {
                what,
                batches: messages as u64 * u64::from(shares),
                calls: syscalls::count(programs, workspace, durability, load, pace)?,
            });
        }
        Ok(Some(counted))
    }
}

/// The floor and ours in turn, so that what disturbs the machine disturbs both.
fn in_turn(
    row: Row,
    pairs: usize,
    floor: impl Fn() -> Result<Duration>,
    ours: impl Fn() -> Result<Cost>,
) -> Result<Measured> {
    let (mut costs, mut floors) = (Vec::new(), Vec::new());
    let mut answer_times: Option<Histogram> = None;
    for _ in 0..pairs {
        floors.push(floor()?);
        let cost = ours()?;
        if let Some(times) = &cost.answer_times {
            answer_times.get_or_insert_default().merge(times);
        }
        costs.push(cost);
    }
    Ok(Measured {
        row,
        bets: costs.first().map_or(0, |cost| cost.bets),
        costs,
        floors,
        answer_times,
    })
}
