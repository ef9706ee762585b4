//! What the server and the client share at their edge with the person who runs them: settings from
//! file, environment and flags, and log lines.
//!
//! Nothing here knows what a bet is.
//!
//! * [`settings`]: keys declared in a table; the table gives the flags, the help and the complaints.
//! * [`values`]: the kinds of value that keys have: numbers, durations, sizes, levels.
//! * [`log_line`]: the logger, and values that are safe inside a log line.

/// The programs' version: the package's, and the commit that it was built from.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("LOTTERY_COMMIT"), ")");

pub mod log_line;
pub mod settings;
pub mod values;

/// Exit code of a program whose job failed.
pub const EXIT_FAILURE: u8 = 1;

/// Exit code of a program that was configured wrongly and did not begin.
pub const EXIT_CONFIGURATION: u8 = 2;
