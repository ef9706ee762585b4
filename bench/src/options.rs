//! What the programs of this crate do alike: a command line in, one line of complaint and an exit
//! code out.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use lottery_program::settings::{CommandLineEnd, parse_command_line};
use lottery_program::{EXIT_CONFIGURATION, EXIT_FAILURE};

/// Reads the command line and runs the program with it. A bad command line ends it with exit code
/// 2, a failure with 1, each with one line.
pub fn run_program(command: Command, run: impl FnOnce(&ArgMatches) -> Result<()>) -> ExitCode {
    let name = command.get_name().to_owned();
    let complain = |code: u8, line: &str| {
        eprintln!("{name}: {line}");
        ExitCode::from(code)
    };
    match parse_command_line(command, std::env::args_os()) {
        Ok(flags) => match run(&flags) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => complain(EXIT_FAILURE, &format!("{error:#}")),
        },
        Err(CommandLineEnd::Text(text)) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(CommandLineEnd::Complaint(line)) => complain(EXIT_CONFIGURATION, &line),
    }
}

/// A flag with a value.
pub fn option(
    name: &'static str,
    value_name: &'static str,
    parser: impl Into<ValueParser>,
    help: &'static str,
) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value_name)
        .value_parser(parser.into())
        .help(help)
}

/// A flag without one.
pub fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .action(ArgAction::SetTrue)
        .help(help)
}

/// The value of an option that has a default or is required.
pub fn value<T: Clone + Send + Sync + 'static>(flags: &ArgMatches, name: &str) -> T {
    let value = flags.get_one::<T>(name);
    value.expect("the option has a default").clone()
}

/// A program that the user named, or the one of this name beside ours.
///
/// # Errors
///
/// When there is no such file.
pub fn find_program(chosen: Option<&PathBuf>, name: &str) -> Result<PathBuf> {
    let program = match chosen {
        Some(program) => std::path::absolute(program)?,
        None => std::env::current_exe()
            .context("finding this program's own folder")?
            .with_file_name(name),
    };
    if !program.is_file() {
        bail!(
            "{}: there is no such program; `make build` builds it",
            program.display()
        );
    }
    Ok(program)
}
