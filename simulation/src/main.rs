//! Runs worlds, many of them or one again.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::{Arg, ArgAction, ArgMatches, Command};
use lottery_simulation::promise::Broken;
use lottery_simulation::statistics::{Counts, EXPECTED, merge};
use lottery_simulation::world::World;

/// Worlds after which a run must have met everything that a world may meet.
const SEEDS_TO_MEET_EVERYTHING: u64 = 2_000;

fn command() -> Command {
    let number = |name: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("N")
            .default_value(default)
            .help(help)
    };
    Command::new("lottery-simulation")
        .about("Runs the lottery in worlds where everything fails, and checks its promise.")
        .arg(number("seeds", "1000", "How many worlds to run"))
        .arg(number("first-seed", "0", "The seed of the first"))
        .arg(
            Arg::new("seed")
                .long("seed")
                .value_name("SEED")
                .help("Run this one world and tell what happens in it"),
        )
        .arg(
            Arg::new("quiet")
                .long("quiet")
                .action(ArgAction::SetTrue)
                .help("With --seed: tell only how it ends"),
        )
}

fn main() -> ExitCode {
    let arguments = command().get_matches();
    let result = match arguments.get_one::<String>("seed") {
        Some(seed) => replay(seed, arguments.get_flag("quiet")),
        None => run_many(&arguments),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("lottery-simulation: {error:#}");
            ExitCode::from(lottery_program::EXIT_CONFIGURATION)
        }
    }
}

fn replay(seed: &str, quiet: bool) -> Result<bool> {
    let seed = seed.parse().context("--seed: expected a whole number")?;
    match World::new(seed, !quiet).run() {
        Ok(counts) => {
            println!("seed {seed}: the promise held");
            for (name, count) in counts {
                println!("  {count:>6} {name}");
            }
            Ok(true)
        }
        Err(broken) => {
            println!("seed {seed}: the promise is broken: {broken}");
            Ok(false)
        }
    }
}

fn run_many(arguments: &ArgMatches) -> Result<bool> {
    let number = |name: &str| -> Result<u64> {
        let text = arguments.get_one::<String>(name).context("has a default")?;
        text.parse()
            .with_context(|| format!("--{name}: expected a whole number, found {text:?}"))
    };
    let (first, seeds) = (number("first-seed")?, number("seeds")?);
    let started = Instant::now();
    let (counts, failure) = run_all(first, seeds);
    let seconds = started.elapsed().as_secs_f64();
    if let Some((seed, broken)) = failure {
        println!("seed {seed}: the promise is broken: {broken}");
        println!("replay it with: cargo run --release -p lottery-simulation -- --seed {seed}");
        return Ok(false);
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
        return Ok(false);
    }
    println!("the promise held in all of them");
    Ok(true)
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
