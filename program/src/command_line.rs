//! From the command line to the exit code: what every program here does alike.
//!
//! A program has one line to say why it does not do what it was asked to, on standard error, and an
//! exit code that tells a mistake of the user's from a failure.

use std::ffi::OsString;
use std::fmt;
use std::io::{Write, stderr, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::settings::SettingsError;

/// Exit code of a program whose job failed.
pub const EXIT_FAILURE: u8 = 1;

/// Exit code of a program that was configured wrongly and did not begin.
pub const EXIT_CONFIGURATION: u8 = 2;

/// Why a program ends without having done its job.
#[derive(Debug)]
pub struct Complaint {
    code: u8,
    line: String,
}

impl Complaint {
    /// A mistake in how the program was called or configured.
    pub fn of_configuration(reason: impl fmt::Display) -> Complaint {
        Complaint {
            code: EXIT_CONFIGURATION,
            line: reason.to_string(),
        }
    }

    /// A failure of the job.
    pub fn of_failure(reason: impl fmt::Display) -> Complaint {
        Complaint {
            code: EXIT_FAILURE,
            line: reason.to_string(),
        }
    }
}

impl From<SettingsError> for Complaint {
    fn from(error: SettingsError) -> Complaint {
        Complaint::of_configuration(error)
    }
}

impl From<anyhow::Error> for Complaint {
    fn from(error: anyhow::Error) -> Complaint {
        Complaint::of_failure(format!("{error:#}"))
    }
}

/// Runs a program: reads the command line, and does with it what `run` does.
pub fn run(
    command: Command,
    run: impl FnOnce(&ArgMatches) -> Result<ExitCode, Complaint>,
) -> ExitCode {
    let name = command.get_name().to_owned();
    let result = match parse(command, std::env::args_os()) {
        Ok(flags) => run(&flags),
        Err(End::Text(text)) => {
            // Nobody is left to be told that nobody reads the help.
            let _ = write!(stdout(), "{text}");
            Ok(ExitCode::SUCCESS)
        }
        Err(End::Complaint(complaint)) => Err(complaint),
    };
    result.unwrap_or_else(|Complaint { code, line }| {
        // Without standard error the exit code has to say it alone.
        let _ = writeln!(stderr(), "{name}: {line}");
        ExitCode::from(code)
    })
}

/// How a command line ends that asks for no work.
#[derive(Debug)]
pub enum End {
    /// With the text of `--help` or `--version`.
    Text(String),
    /// With a mistake.
    Complaint(Complaint),
}

/// Reads a command line.
///
/// # Errors
///
/// When there is nothing more to do than to print something.
pub fn parse(
    command: Command,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<ArgMatches, End> {
    use clap::error::ErrorKind;
    command.try_get_matches_from(arguments).map_err(|error| {
        let text = error.render().to_string();
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => End::Text(text),
            _ => {
                let mut lines = text.lines().map(str::trim);
                let what = lines.next().unwrap_or_default();
                let what = what.trim_start_matches("error: ");
                let tip = lines.find_map(|line| line.strip_prefix("tip: "));
                let advice = tip.unwrap_or("expected what --help lists");
                let line = format!("{what}; {advice}");
                End::Complaint(Complaint::of_configuration(line))
            }
        }
    })
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

/// A flag that names a program where [`find_program`] shall not find it.
pub fn program_option(name: &'static str, which: &str) -> Arg {
    let own = name.trim_end_matches("-program");
    let help = format!("{which} [default: {own}, beside this one]");
    option(name, "FILE", value_parser!(PathBuf), "").help(help)
}

/// The value of an [`option`] that has a default or is required.
pub fn value<T: Clone + Send + Sync + 'static>(flags: &ArgMatches, name: &str) -> T {
    let value = flags.get_one::<T>(name);
    value.expect("the option has a default").clone()
}

/// A program that the user named, or the one of this name beside ours.
///
/// # Errors
///
/// When there is no such file.
pub fn find_program(chosen: Option<&PathBuf>, name: &str) -> anyhow::Result<PathBuf> {
    let program = match chosen {
        Some(program) => std::path::absolute(program)?,
        None => std::env::current_exe()
            .context("finding this program's own folder")?
            .with_file_name(name),
    };
    anyhow::ensure!(
        program.is_file(),
        "{}: there is no such program; `make build` builds it, --{name}-program names another",
        program.display()
    );
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_flag_is_one_line_and_a_mistake_of_the_users() {
        for (flag, advice) in [
            ("--prot", "a similar argument exists: '--port'"),
            ("--colour", "expected what --help lists"),
        ] {
            let command = Command::new("program").arg(switch("port", "Where to listen"));
            let end = parse(command, ["program", flag].map(OsString::from));
            let Err(End::Complaint(Complaint { code, line })) = end else {
                panic!("{end:?}")
            };
            assert_eq!(code, EXIT_CONFIGURATION);
            assert_eq!(
                line,
                format!("unexpected argument '{flag}' found; {advice}")
            );
        }
    }

    #[test]
    fn a_failure_is_told_with_its_context_in_one_line() {
        let error = anyhow::anyhow!("no such file").context("opening the store");
        let Complaint { code, line } = error.into();
        assert_eq!(code, EXIT_FAILURE);
        assert_eq!(line, "opening the store: no such file");
    }
}
