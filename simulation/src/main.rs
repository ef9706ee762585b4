//! Runs worlds, many of them or one again.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use clap::{Command, value_parser};
use lottery_program::VERSION;
use lottery_program::command_line::{self, EXIT_FAILURE, option, switch, value};
use lottery_simulation::promise::Broken;
use lottery_simulation::statistics::{Counts, EXPECTED, merge};
use lottery_simulation::world::World;

/// Worlds after which a run must have met everything that a world may meet.
const SEEDS_TO_MEET_EVERYTHING: u64 = 2_000;

fn command() -> Command {
    let number = |name, value_name, help| option(name, value_name, value_parser!(u64), help);
    Command::new("lottery-simulation")
        .version(VERSION)
        .about("Runs the lottery in worlds where everything fails, and checks its promise.")
        .arg(number("seeds", "N", "How many worlds to run").default_value("1000"))
        .arg(number("first-seed", "SEED", "The seed of the first").default_value("0"))
        .arg(number(
            "seed",
            "SEED",
            "Run this one world and tell what happens in it",
        ))
        .arg(switch("quiet", "With --seed: tell only how it ends"))
        .after_help("Example: lottery-simulation --seeds 20000")
}

fn main() -> ExitCode {
    command_line::run(command(), |flags| {
        let result = match flags.get_one::<u64>("seed") {
            Some(seed) => replay(*seed, flags.get_flag("quiet")),
            None => run_many(value(flags, "first-seed"), value(flags, "seeds")),
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
    match World::new(seed, !quiet).run() {
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
                    match World::new(seed, false).run() {
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
