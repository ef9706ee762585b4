//! What all programs share: settings, exit codes, the log. Nothing here knows what a bet is.
//!
//! A program has one line to say why it does not do what it was asked to, on standard error, and an
//! exit code that tells a mistake of the user's from a failure: [`run`] and [`Complaint`].
//!
//! * [`files`]: opening what a user names.
//! * [`settings`]: file, environment and flags, and the complaint about a value.
//! * [`values`]: what values may be: numbers, durations, sizes, levels.
//! * [`log`]: the log, which never blocks, and values that are safe inside a log line.

#[cfg(feature = "documents")]
mod documents;
pub mod files;
pub mod log;
pub mod settings;
pub mod values;

use std::error::Error;
use std::fmt::Display;
use std::io::{Write, stderr, stdout};
use std::process::ExitCode;
use std::time::Duration;

/// The programs' version: the package's, and the commit that it was built from.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("LOTTERY_COMMIT"), ")");

/// Exit code of a program whose job failed.
pub const EXIT_FAILURE: u8 = 1;

/// Exit code of a program that was configured wrongly and did not begin.
pub const EXIT_CONFIGURATION: u8 = 2;

/// How long a program waits at its end until its log is written.
const FLUSH_AT_END: Duration = Duration::from_millis(300);

/// Why a program ends without having done its job.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Complaint {
    /// 0 for `--help` and `--version`.
    code: u8,
    text: String,
}

impl Complaint {
    /// A mistake in how the program was called or configured.
    pub fn of_configuration(reason: impl Display) -> Complaint {
        Complaint::new(EXIT_CONFIGURATION, reason)
    }

    /// A failure of the job.
    pub fn of_failure(reason: impl Display) -> Complaint {
        Complaint::new(EXIT_FAILURE, reason)
    }

    fn new(code: u8, reason: impl Display) -> Complaint {
        // Texts from outside may have line breaks, and this is one line.
        let text = log::Value(reason).to_string();
        Complaint { code, text }
    }
}

impl From<anyhow::Error> for Complaint {
    fn from(error: anyhow::Error) -> Complaint {
        let mut text = error.to_string();
        for cause in error.chain().skip(1).map(ToString::to_string) {
            // Some errors contain their cause.
            if !text.ends_with(&cause) {
                text = format!("{text}: {cause}");
            }
        }
        Complaint::of_failure(text)
    }
}

impl From<clap::Error> for Complaint {
    fn from(error: clap::Error) -> Complaint {
        let text = error.render().to_string();
        if !error.use_stderr() {
            return Complaint { code: 0, text };
        }
        let mut lines = text.lines().map(str::trim);
        let what = lines.next().unwrap_or_default();
        let tip = lines.find_map(|line| line.strip_prefix("tip: "));
        let what = what.trim_start_matches("error: ");
        Complaint::of_configuration(match tip {
            Some(tip) => format!("{what}; {tip}"),
            // It says what was expected.
            None if error.source().is_some() => what.to_owned(),
            None => format!("{what}; expected what --help lists"),
        })
    }
}

/// Also when the job panics, which is when the log matters most.
struct FlushAtEnd;

impl Drop for FlushAtEnd {
    fn drop(&mut self) {
        log::flush(FLUSH_AT_END);
    }
}

/// Runs a program's job, prints its complaint and returns its exit code.
pub fn run(name: &str, job: impl FnOnce() -> Result<ExitCode, Complaint>) -> ExitCode {
    let flush = FlushAtEnd;
    let result = job();
    drop(flush);
    result.unwrap_or_else(|Complaint { code, text }| {
        // Without these two the exit code has to say it alone.
        let _ = match code {
            0 => write!(stdout(), "{text}"),
            _ => writeln!(stderr(), "{name}: {text}"),
        };
        code.into()
    })
}
