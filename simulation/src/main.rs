//! Runs worlds, many of them or one again.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use clap::Parser;
use lottery_core::testing::{Counts, merge};
use lottery_program::{EXIT_FAILURE, VERSION};
use lottery_simulation::met::{EXPECTED, SEEDS_TO_MEET_EVERYTHING};
use lottery_simulation::{Broken, World};

/// Runs the lottery in worlds where everything fails, and checks its promise.
#[derive(Parser)]
#[command(name = "lottery-simulation", version = VERSION)]
#[command(after_help = "Example: lottery-simulation --seeds 20000")]
struct Flags {
    /// How many worlds to run
    #[arg(long, value_name = "N", default_value = "1000")]
    seeds: u64,
    /// The seed of the first
    #[arg(long, value_name = "SEED", default_value = "0")]
    first_seed: u64,
    /// Run this one world and tell what happens in it
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
}

fn main() -> ExitCode {
    lottery_program::run("lottery-simulation", || {
        let flags = Flags::try_parse()?;
        let has_held = match flags.seed {
            Some(seed) => run(seed, 1, true),
            None => run(flags.first_seed, flags.seeds, false),
        };
        Ok(match has_held {
            true => ExitCode::SUCCESS,
            false => EXIT_FAILURE.into(),
        })
    })
}

/// Runs worlds, and says whether the promise held in all of them, and everything was met.
fn run(first: u64, seeds: u64, trace: bool) -> bool {
    let started = Instant::now();
    let (counts, failure) = run_all(first, seeds, trace);
    let seconds = started.elapsed().as_secs_f64();
    if let Some((seed, broken)) = failure {
        println!("seed {seed}: the promise is broken: {broken}");
        println!("replay it with: cargo run --release -p lottery-simulation -- --seed {seed}");
        return false;
    }
    let speed = seeds as f64 / seconds;
    println!("{seeds} worlds in {seconds:.1} s, {speed:.0} a second; met:");
    for name in EXPECTED {
        let count = counts.get(name).copied().unwrap_or_default();
        println!("{count:>12} {name}");
    }
    println!("the promise held in all of them");
    let missed = EXPECTED.iter().find(|name| !counts.contains_key(*name));
    match missed.filter(|_| seeds >= SEEDS_TO_MEET_EVERYTHING) {
        Some(name) => {
            println!("never met: {name}");
            false
        }
        None => true,
    }
}

/// What was met in worlds, and the seed of one that broke the promise.
type Outcome = (Counts, Option<(u64, Broken)>);

/// Runs the worlds on all processors; stops at the first that breaks the promise.
fn run_all(first: u64, seeds: u64, trace: bool) -> Outcome {
    let next = AtomicU64::new(first);
    let end = first.saturating_add(seeds);
    let run_some = || {
        let mut counts = Counts::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return (counts, None);
            }
            match World::run(seed, trace) {
                Ok(met) => merge(&mut counts, &met),
                Err(broken) => {
                    next.store(end, Ordering::Relaxed);
                    return (counts, Some((seed, broken)));
                }
            }
        }
    };
    let processors = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..processors).map(|_| scope.spawn(run_some)).collect();
        let mut all = Outcome::default();
        for worker in workers {
            let (counts, failure) = worker.join().expect("a world catches its panics");
            merge(&mut all.0, &counts);
            all.1 = all.1.or(failure);
        }
        all
    })
}
