//! Log lines: `YYYY-MM-DD HH:MM:SS LEVEL [target] action: NAME | result: RESULT | key: value | …`.

use std::cell::Cell;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::panic::{self, AssertUnwindSafe};

use log::{LevelFilter, Log, Metadata, Record, SetLoggerError};
use simple_logger::SimpleLogger;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

const TIMESTAMP: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

/// Sends log lines of `level` and above to standard output, with the time in UTC.
///
/// # Errors
///
/// When a logger was set before.
pub fn start_logging(level: LevelFilter) -> Result<(), SetLoggerError> {
    start(level, |write| write())
}

/// As [`start_logging`], for a program that draws on its terminal: each line is written within a
/// call of `aside`, which clears the drawing before and restores it after.
///
/// # Errors
///
/// When a logger was set before.
pub fn start_logging_beside(
    level: LevelFilter,
    aside: impl Fn(&dyn Fn()) + Send + Sync + 'static,
) -> Result<(), SetLoggerError> {
    start(level, aside)
}

fn start(
    level: LevelFilter,
    aside: impl Fn(&dyn Fn()) + Send + Sync + 'static,
) -> Result<(), SetLoggerError> {
    let lines = SimpleLogger::new()
        .with_level(level)
        .with_utc_timestamps()
        .with_timestamp_format(TIMESTAMP);
    let logger = Box::new(Logger { lines, aside });
    log::set_boxed_logger(logger)?;
    log::set_max_level(level);
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |what| {
        if !IS_LOGGING.get() {
            hook(what);
        }
    }));
    Ok(())
}

thread_local! {
    /// Whether this thread is writing a log line, so that a panic means only that it could not.
    static IS_LOGGING: Cell<bool> = const { Cell::new(false) };
}

/// A logger that writes within a call of something else, and outlives its reader.
struct Logger<A> {
    lines: SimpleLogger,
    aside: A,
}

impl<A: Fn(&dyn Fn()) + Send + Sync> Log for Logger<A> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.lines.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            // Standard output may be a pipe whose reader is gone. Printing panics then, and a log
            // that nobody reads is no reason to end: the program goes on without it.
            let write = AssertUnwindSafe(|| (self.aside)(&|| self.lines.log(record)));
            IS_LOGGING.set(true);
            let written = panic::catch_unwind(write);
            IS_LOGGING.set(false);
            if written.is_err() {
                log::set_max_level(LevelFilter::Off);
                let _ = writeln!(
                    io::stderr(),
                    "standard output cannot be written to; going on without a log"
                );
            }
        }
    }

    fn flush(&self) {}
}

/// Text from outside, made safe for a value of a log line: it cannot end the line, begin another
/// part of it, or fill the disk.
///
/// ```
/// use lottery_program::log_line::Value;
/// assert_eq!(Value("one | two\n").to_string(), "one ¦ two\\n");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Value<'a>(pub &'a str);

/// Characters of a value that are written; of a longer one an ellipsis tells.
const VALUE_CHARS_MAX: usize = 1024;

impl fmt::Display for Value<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (written, character) in self.0.chars().enumerate() {
            if written == VALUE_CHARS_MAX {
                return formatter.write_char('…');
            }
            match character {
                '|' => formatter.write_char('¦')?,
                control if control.is_control() => {
                    write!(formatter, "{}", control.escape_default())?;
                }
                other => formatter.write_char(other)?,
            }
        }
        Ok(())
    }
}
