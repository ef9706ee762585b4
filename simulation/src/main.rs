//! Runs worlds, many of them or one again.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use clap::Parser;
use lottery_core::testing::{Counts, merge};
use lottery_program::{EXIT_FAILURE, VERSION};
use lottery_simulation::{Broken, World};

/// Worlds after which a run must have met everything.
const SEEDS_TO_MEET_EVERYTHING: u64 = 2_000;

/// Everything that a world may meet. A run that is to be believed has met all of it.
const EXPECTED: &[&str] = &[
    "agency crashes",
    "appends to a full disk",
    "batches acknowledged",
    "batches refused for want of storage",
    "bytes lost in a cut",
    "central crashes by power cut",
    "central crashes within an operation on the disk",
    "central crashes",
    "central stops because it cannot go on",
    "central stops gracefully",
    "connections all taken",
    "crowds of silent strangers",
    "cut connections",
    "draw timeouts",
    "draws",
    "draws logged again after a crash",
    "failed opens",
    "failed reads",
    "failed syncs",
    "failed truncations",
    "failed writes",
    "files cut under the central",
    "files missed by the central",
    "files removed under the central",
    "floods",
    "half-open connections",
    "hoards",
    "idle connections closed",
    "liars believed to the end",
    "liars seen through",
    "memory exceeded",
    "messages split on the way",
    "restarts after the draw",
    "resumes",
    "returns to ask for winners",
    "sectors lost within an append",
    "starts with another number refused",
    "strangers",
    "takeovers",
    "timeouts of agencies",
    "torn records",
    "torn writes",
    "twins noticed",
    "twins",
    "unsynced bytes lost",
    "winners asked for again",
    "winners told in flags",
    "winners told in frames",
    "winners told in lines",
    "winners told in native with Hello",
    "winners told in native",
    "winners told in sized",
    "winners told over TLS",
    "zeros left by a power cut",
];

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
    let met = run_all(first, seeds, trace);
    let seconds = started.elapsed().as_secs_f64();
    let counts = match met {
        Ok(counts) => counts,
        Err((seed, broken)) => {
            println!("seed {seed}: the promise is broken: {broken}");
            println!("replay it with: cargo run --release -p lottery-simulation -- --seed {seed}");
            return false;
        }
    };
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

/// Runs the worlds on all processors and gives what was met in them; stops at the first that breaks the promise.
fn run_all(first: u64, seeds: u64, trace: bool) -> Result<Counts, (u64, Broken)> {
    let next = AtomicU64::new(first);
    let end = first.saturating_add(seeds);
    let run_some = || {
        let mut counts = Counts::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return Ok(counts);
            }
            let met = World::run(seed, trace).map_err(|broken| {
                next.store(end, Ordering::Relaxed);
                (seed, broken)
            });
            merge(&mut counts, &met?);
        }
    };
    let processors = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..processors).map(|_| scope.spawn(run_some)).collect();
        let mut all = Counts::new();
        for worker in workers {
            merge(
                &mut all,
                &worker.join().expect("a world catches its panics")?,
            );
        }
        Ok(all)
    })
}
