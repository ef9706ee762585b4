//! Tools around the lottery that no agency and no server needs to run: they make its data, and
//! measure how fast it is. The real programs are run as released, from outside.
//!
//! - [`datasets`]: the seeded generator of the agencies' CSV files.
//! - [`wire`]: what agencies send and receive, as bytes; [`load`]: many of them in one thread;
//!   [`certificates`]: what they show over TLS.
//! - [`baseline`]: the least that any system must do to get those bytes from agencies to a file.
//! - [`viewers`] follow the board meanwhile.
//! - [`rows`]: the workloads; [`mod@measure`] runs them, and [`extras`] what is measured beside them;
//!   [`process`] is about the programs that are run.
//! - [`report`]: the targets, the table and the [`charts`] of all [`figures`].

mod certificates;
mod charts;
mod datasets;
// One hand writes the dialects for the simulator and for us. Were the simulator a dependency, the
// server that is measured would be built with what tests need.
mod baseline;
#[path = "../../simulation/src/dialects.rs"]
#[expect(dead_code, reason = "the simulator needs more of it")]
mod dialects;
mod extras;
mod figures;
mod load;
mod measure;
mod process;
mod report;
mod rows;
mod viewers;
mod wire;

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::measure::Bench;
use crate::report::{Findings, Measured};

/// Measures the lottery, and makes its data.
#[derive(Parser)]
#[command(version)]
enum Command {
    /// Runs real servers under real and synthetic agencies, and the baseline in turn
    Measure(Measure),
    /// Makes the CSV files of bets that the agencies read: agency-1.csv, agency-2.csv, …
    Datasets(datasets::Options),
    #[command(hide = true)]
    BaselineServer { output: PathBuf },
    #[command(hide = true)]
    BaselineAgency { address: SocketAddr, file: PathBuf },
}

#[derive(clap::Args)]
#[command(after_help = rows::WORDS)]
struct Measure {
    /// Only what the targets and the curves need: some two minutes
    #[arg(long)]
    quick: bool,
    /// Only the rows whose names contain one of these, or any row by its whole name
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// How often each row is run, the baseline and ours in turn
    #[arg(long, value_name = "N", default_value = "5", value_parser = 1..1000)]
    pairs: i64,
    /// Where RESULTS.md and curves/ are written; without it figures are only printed
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

fn main() -> Result<()> {
    // A run that needs more than the system allows fails with a message of its own.
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let _ = setrlimit(Resource::Nofile, raised);
    match Command::parse() {
        Command::Measure(options) => measure(&options),
        Command::Datasets(options) => {
            for plan in options.plan()? {
                let path = plan.write_file(&options.output)?;
                let (path, bets, winners) = (path.display(), plan.bets, plan.winners);
                println!("{path}: {bets} bets, {winners} winners");
            }
            Ok(())
        }
        Command::BaselineServer { output } => {
            let listener = baseline::listen()?;
            println!("{}", listener.local_addr()?);
            Ok(baseline::serve(listener, File::create(output)?)?)
        }
        Command::BaselineAgency { address, file } => Ok(baseline::send_file(address, &file)?),
    }
}

fn measure(options: &Measure) -> Result<()> {
    let bench = Bench {
        programs: std::env::current_exe()?.with_file_name(""),
        folder: tempfile::tempdir()?,
        pairs: options.pairs as usize,
    };
    let mut findings = Findings(Vec::new());
    for name in rows::names(options.quick, &options.only)? {
        let runs = match name.as_str() {
            "start" => bench.starts(),
            "store" => bench.store(),
            "handshakes" => bench.handshakes(),
            row => bench.row(row),
        };
        let runs = runs.with_context(|| name.clone())?;
        let measured = Measured { name, runs };
        println!("{}", measured.line());
        findings.0.push(measured);
    }
    println!("\n{}", findings.targets()?);
    if let Some(output) = &options.output {
        findings.write(output, bench.folder.path(), bench.pairs)?;
        println!("Written to {}", output.join("RESULTS.md").display());
    }
    Ok(())
}
