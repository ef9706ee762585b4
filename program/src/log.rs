//! The log: lines `YYYY-MM-DD HH:MM:SS LEVEL [target] action: NAME | result: RESULT | key: value | …`
//! on standard output, times in UTC.
//!
//! Logging never waits, unless asked to for a moment, and never gives up. A line goes into a queue in memory, and a
//! thread writes it from there: that thread may block on a reader that stalls, and nothing else does.

mod queue;

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use log::{Level, LevelFilter, Log, Metadata, Record};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use queue::{Queue, Rank};

const TIMESTAMP: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

/// Actions that happen a few times a day, and that the log tells whatever else it must leave out.
/// `close_` begins several.
const MILESTONES: [&str; 6] = [
    "agencia_lista ",
    "sorteo ",
    "resumen ",
    "signal_received ",
    "close_",
    "shutdown ",
];

/// How long a line that a crash must not take with it may keep its program waiting.
const MOMENT: Duration = Duration::from_millis(100);

static LOGGER: OnceLock<Logger> = OnceLock::new();

/// Starts the log: lines of `level` and above go to standard output.
///
/// # Errors
///
/// When the log was started before, or no thread can be.
pub fn start(level: LevelFilter) -> Result<()> {
    start_beside(level, |write| write())
}

/// As [`start`], for a program that draws on its terminal: lines are written within a call of
/// `aside`, which clears the drawing before and restores it after.
///
/// # Errors
///
/// As [`start`].
pub fn start_beside(
    level: LevelFilter,
    aside: impl Fn(&mut dyn FnMut()) + Send + 'static,
) -> Result<()> {
    let logger = LOGGER.get_or_init(Logger::default);
    log::set_logger(logger).context("starting the log")?;
    log::set_max_level(level);
    // A file of its own, because std's Stdout buffers and waits for a line's end.
    let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let write = move || {
        logger.queue.write_lines(|lines| {
            aside(&mut || lines.write_to(|bytes| output.write(bytes)));
        })
    };
    thread::Builder::new().name("log".to_owned()).spawn(write)?;
    Ok(())
}

/// Waits until every line is written, but no longer than `within`; says whether they are.
pub fn flush(within: Duration) -> bool {
    LOGGER.get().is_none_or(|logger| logger.queue.flush(within))
}

/// Lines left out so far, because there was no room for them.
pub fn lines_lost() -> u64 {
    LOGGER.get().map_or(0, |logger| logger.queue.lines_lost())
}

#[derive(Default)]
struct Logger {
    queue: Queue,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let (level, arguments) = (record.level(), record.args());
            let (line, event) = format_line(level, record.target(), arguments);
            self.queue.push(&line, rank(level, &line[event..]));
        }
    }

    /// Waits a moment for the lines so far to be written.
    fn flush(&self) {
        self.queue.flush(MOMENT);
    }
}

/// A line, and where the event begins in it.
fn format_line(level: Level, target: &str, event: &fmt::Arguments<'_>) -> (String, usize) {
    let now = OffsetDateTime::now_utc().format(TIMESTAMP);
    let mut line = now.unwrap_or_default();
    line.reserve(160);
    // Writing to a string fails only when a value's own Display does, and the rest is told then.
    let _ = write!(line, " {level:<5} [{target}] ");
    let start = line.len();
    let _ = writeln!(line, "{event}");
    (line, start)
}

fn rank(level: Level, event: &str) -> Rank {
    let action = event.strip_prefix("action: ").unwrap_or_default();
    if MILESTONES.iter().any(|name| action.starts_with(name)) {
        Rank::Milestone
    } else if level <= Level::Warn {
        Rank::Trouble
    } else {
        Rank::Ordinary
    }
}

/// Text from outside, made safe for a value of a log line: it cannot end the line, begin another
/// part of it, or fill the disk.
///
/// ```
/// use lottery_program::log::Value;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_flush_waits_for_a_line_that_nobody_takes_no_longer_than_a_moment() {
        let logger = Logger::default();
        logger.queue.push("line\n", Rank::Milestone);
        let started = Instant::now();
        Log::flush(&logger);
        assert!(started.elapsed() >= MOMENT);
    }

    #[test]
    fn a_line_is_that_of_the_design_and_milestones_outrank_levels() {
        for (level, event, expected, ranked) in [
            (
                Level::Info,
                "action: listen | result: success",
                "INFO  [",
                Rank::Ordinary,
            ),
            (
                Level::Info,
                "action: sorteo | result: success",
                "INFO  [",
                Rank::Milestone,
            ),
            (
                Level::Debug,
                "action: close_listener | result: success",
                "DEBUG [",
                Rank::Milestone,
            ),
            (
                Level::Warn,
                "action: takeover | result: success",
                "WARN  [",
                Rank::Trouble,
            ),
            (
                Level::Error,
                "action: sorteos | result: fail",
                "ERROR [",
                Rank::Trouble,
            ),
        ] {
            let (line, start) = format_line(level, "here", &format_args!("{event}"));
            let (time, rest) = line.split_at("2026-11-21 01:02:03 ".len());
            assert_eq!(rest, format!("{expected}here] {event}\n"));
            assert!(
                OffsetDateTime::now_utc()
                    .to_string()
                    .starts_with(&time[..8]),
                "{time}"
            );
            assert_eq!(rank(level, &line[start..]), ranked);
        }
    }
}
