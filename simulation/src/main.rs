//! Runs worlds, many of them or one again.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use clap::Parser;
use lottery_core::testing::{Counts, merge};
use lottery_program::{EXIT_FAILURE, VERSION};
use lottery_simulation::met::{EXPECTED, SEEDS_TO_MEET_EVERYTHING};
use lottery_simulation::promise::Broken;
use lottery_simulation::world::World;

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
    /// With --seed: tell only how it ends
    #[arg(long)]
    quiet: bool,
}

fn main() -> ExitCode {
    lottery_program::run("lottery-simulation", || {
        let flags = Flags::try_parse()?;
        let result = match flags.seed {
            Some(seed) => replay(seed, flags.quiet),
            None => run_many(flags.first_seed, flags.seeds),
        };
        Ok(if result {
            ExitCode::SUCCESS
        } else {
            EXIT_FAILURE.into()
        })
    })
}

/// Runs one world and says whether the promise held.
fn replay(seed: u64, quiet: bool) -> bool {
    match World::run(seed, !quiet) {
        Ok(counts) => {
            println!("seed {seed}: the promise held");
            for (name, count) in counts {
                println!("  {count:>6} {name}");
            }
            true
        }
        Err(broken) => {
            println!("seed {seed}: the promise is broken: {broken}");
            false
        }
    }
}

/// Runs many worlds and says whether the promise held in all of them, and everything was met.
fn run_many(first: u64, seeds: u64) -> bool {
    let started = Instant::now();
    let (counts, failure) = run_all(first, seeds);
    let seconds = started.elapsed().as_secs_f64();
    if let Some((seed, broken)) = failure {
        println!("seed {seed}: the promise is broken: {broken}");
        println!("replay it with: cargo run --release -p lottery-simulation -- --seed {seed}");
        return false;
    }
    println!(
        "{seeds} worlds in {seconds:.1} s, {:.0} a second; met:",
        seeds as f64 / seconds
    );
    for name in EXPECTED {
        println!(
            "{:>12} {name}",
            counts.get(name).copied().unwrap_or_default()
        );
    }
    let missed: Vec<_> = EXPECTED
        .iter()
        .filter(|name| !counts.contains_key(*name))
        .collect();
    if seeds >= SEEDS_TO_MEET_EVERYTHING && !missed.is_empty() {
        println!("never met: {missed:?}");
        return false;
    }
    println!("the promise held in all of them");
    true
}

/// Runs the worlds on all processors; stops at the first that breaks the promise.
fn run_all(first: u64, seeds: u64) -> (Counts, Option<(u64, Broken)>) {
    let next = AtomicU64::new(first);
    let end = first.saturating_add(seeds);
    let results = Mutex::new((Counts::new(), None::<(u64, Broken)>));
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let mut counts = Counts::new();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    match World::run(seed, false) {
                        Ok(met) => merge(&mut counts, &met),
                        Err(broken) => {
                            next.store(end, Ordering::Relaxed);
                            let mut results =
                                results.lock().unwrap_or_else(PoisonError::into_inner);
                            results.1.get_or_insert((seed, broken));
                            break;
                        }
                    }
                }
                let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                merge(&mut results.0, &counts);
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}
