//! `make run`: the whole lottery on this machine in one process, with real sockets. The central's event loop
//! has the main thread, each agency a thread of its own. They log nothing: [`day`] shows their progress.
//!
//! Everything ends by SIGTERM, also when the run is over ([`stop`]); so Ctrl-C is no special case.

mod agency;
mod central;
#[path = "../../bench/src/certificates.rs"]
mod certificates;
mod day;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use client::signals::Signals;
use lottery_program::values::{duration, whole};
use lottery_program::{Complaint, VERSION};
use signal_hook::consts::{SIGHUP, SIGQUIT, SIGTERM};
use signal_hook::{iterator, low_level};

use crate::certificates::Authority;
use crate::day::Day;

const WHERE_TO_GO_ON: &str = r#"
To watch it:    make run ARGS="--pace 30s", open the board
To keep it:     make run ARGS="--keep DIR", and then
                server winners --storage-dir DIR
In containers:  make docker-compose-up
To operate it:  docs/OPERATING.md
"#;

/// Runs the whole lottery on this machine: a central, its agencies, the draw, a table.
#[derive(Parser)]
#[command(version = VERSION, args_override_self = true, after_help = "Example: make run ARGS=\"--pace 30s --tls\"")]
struct Options {
    /// Agencies that take part, 1 to 100
    #[arg(long, value_name = "N", default_value = "5", value_parser = whole(1..=100_u32))]
    agencies: u32,
    /// Folder of agency-1.csv, agency-2.csv, …
    #[arg(long, value_name = "DIR", default_value = ".data")]
    data: PathBuf,
    /// Spreads the bets over this time, such as 10s; 0: as fast as possible
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = duration)]
    pace: Duration,
    /// Stores in this folder and keeps it [default: a temporary folder]
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Mutual TLS, with certificates made for this run
    #[arg(long)]
    tls: bool,
}

impl Options {
    fn data_file(&self, agency: u32) -> PathBuf {
        self.data.join(format!("agency-{agency}.csv"))
    }
}

fn main() -> ExitCode {
    lottery_program::run("lottery-demo", || {
        let options = Options::try_parse()?;
        let day = Day::new(&options).map_err(Complaint::of_configuration)?;
        let day = Mutex::new(day);
        hold(&options, &day)?;
        let day = lock(&day);
        let text = match (day.is_complete(), day.troubles.is_empty()) {
            (true, _) => day.results() + WHERE_TO_GO_ON,
            (false, true) => "Stopped by a signal before the draw.\n".to_owned(),
            (false, false) => String::new(),
        };
        let written = io::stdout().write_all(text.as_bytes());
        written.context("writing to standard output")?;
        match day.troubles.is_empty() {
            true => Ok(ExitCode::SUCCESS),
            false => Err(Complaint::of_failure(day.troubles.join("; "))),
        }
    })
}

/// Holds the lottery. Leaves nothing but the folder to keep.
fn hold(options: &Options, day: &Mutex<Day>) -> Result<()> {
    // From here on a signal ends the run and not the program, so that the folder is removed.
    let signals = Signals::listen().context("listening for signals")?;
    // So do the end of the terminal and Ctrl-\\.
    let mut others = iterator::Signals::new([SIGHUP, SIGQUIT]).context("catching signals")?;
    thread::spawn(move || others.forever().for_each(|_| stop()));
    let folder = tempfile::Builder::new().prefix("lottery-").tempdir();
    let folder = folder.context("making a temporary folder")?;
    let path = folder.path();
    let authority = || Authority::new(path, options.agencies);
    let authority = options.tls.then(authority).transpose();
    let authority = authority.context("making certificates")?;
    let Some(central) = central::open(options, path, authority.as_ref())? else {
        return Ok(());
    };
    let addresses = central.addresses()?;
    let (address, board) = (addresses[0], addresses[1]);
    let tls = if options.tls { ", mutual TLS" } else { "" };
    lock(day).open(&format!(
        "central: {address}{tls}\nboard:   http://{board}/"
    ));
    let served = thread::scope(|scope| {
        for number in 1..=options.agencies {
            let (signals, authority) = (&signals, authority.as_ref());
            scope.spawn(move || {
                let result = agency::run(number, options, authority, address, signals, day);
                lock(day).ended(number, result, signals.have_ended_it());
            });
        }
        let served = central.run();
        stop();
        served
    });
    lock(day).close();
    served.context("the central")?;
    folder.close().context("removing the temporary folder")?;
    Ok(())
}

/// Ends the central and all agencies that still run.
fn stop() {
    low_level::raise(SIGTERM).expect("every process may signal itself");
}

fn lock(day: &Mutex<Day>) -> MutexGuard<'_, Day> {
    day.lock().unwrap_or_else(PoisonError::into_inner)
}
