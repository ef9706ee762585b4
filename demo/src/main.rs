//! The whole lottery on this machine, in one command: a central, an agency for each data file, the
//! draw, and a table of what happened. `make run` calls it.
//!
//! It runs the two real programs as child processes and knows of them only what everybody does:
//! their flags, their log lines and their exit codes.
//!
//! * [`options`]: the command line, and what is looked up before anything starts.
//! * [`lottery`]: one run, from the first process to the end of the last.
//! * [`process`]: a child process and its lines; [`event`]: what the run waits for.
//! * [`log_line`], [`agency`]: what a line says, and what is known of an agency from its lines.
//! * [`progress`], [`table`]: what the user sees.

mod agency;
mod event;
mod log_line;
mod lottery;
mod options;
mod process;
mod progress;
mod table;

use std::io::{self, Write};
use std::process::ExitCode;

use lottery_program::command_line::{self, Complaint, EXIT_FAILURE};

use crate::lottery::Outcome;
use crate::options::Plan;

/// What shells add to the number of the signal that ended a program.
const EXIT_SIGNAL_BASE: u8 = 128;

fn main() -> ExitCode {
    command_line::run(options::command(), |flags| {
        let plan = Plan::check(flags)
            .map_err(|error| Complaint::of_configuration(format!("{error:#}")))?;
        Ok(report(lottery::hold(&plan)?))
    })
}

fn report(outcome: Outcome) -> ExitCode {
    let Outcome {
        agencies,
        mut troubles,
        interrupted,
    } = outcome;
    if let Some(signal) = interrupted {
        let name = signal_hook::low_level::signal_name(signal).unwrap_or("a signal");
        let code = EXIT_SIGNAL_BASE + u8::try_from(signal).unwrap_or_default();
        troubles.insert(0, format!("ended by {name}"));
        return complain(code, &troubles);
    }
    if agencies.iter().all(|agency| agency.winners.is_some()) {
        let table = table::render(&agencies);
        if let Err(error) = write!(io::stdout(), "\n{table}") {
            troubles.push(format!("writing the table: {error}"));
        }
    }
    if troubles.is_empty() {
        ExitCode::SUCCESS
    } else {
        complain(EXIT_FAILURE, &troubles)
    }
}

fn complain(code: u8, troubles: &[String]) -> ExitCode {
    for trouble in troubles {
        // Without standard error there is nobody left to tell but by the exit code.
        let _ = writeln!(io::stderr(), "lottery-demo: {trouble}");
    }
    ExitCode::from(code)
}
