//! What the programs share at their edge with the person who runs them: the way from the command line
//! to the exit code, settings from file, environment and flags, and log lines.
//!
//! Nothing here knows what a bet is.
//!
//! * [`command_line`]: flags in, one line of complaint and an exit code out.
//! * [`settings`]: keys declared in a table; the table gives the flags and the help.
//! * [`values`]: the kinds of value that keys have: numbers, durations, sizes, levels.
//! * [`log_line`]: the logger, and values that are safe inside a log line.

/// The programs' version: the package's, and the commit that it was built from.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("LOTTERY_COMMIT"), ")");

pub mod command_line;
pub mod log_line;
pub mod settings;
pub mod values;
