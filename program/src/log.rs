//! The log: lines `YYYY-MM-DD HH:MM:SS LEVEL [target] action: NAME | result: RESULT | key: value | …`
//! on standard output, times in UTC.
//!
//! Logging never blocks and never stops trying. Lines go into a queue in memory, from where a thread writes
//! them: only that thread blocks on a reader that stalls, or whoever asks for a [`flush`].

mod queue;

use std::fmt::{self, Display, Write as _};
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

/// Rare actions of every program, dropped last. `close_` begins several.
const ENDING: [&str; 3] = ["signal_received", "close_", "shutdown"];

/// Those of this program.
static MILESTONES: OnceLock<&[&str]> = OnceLock::new();

/// How long to wait for a line that a crash must not lose.
const MOMENT: Duration = Duration::from_millis(100);

static QUEUE: Queue = Queue::new();

/// Starts the log: lines of `level` and above go to standard output. Lines of actions whose names
/// begin with one of `milestones` happen a few times a day and are dropped last.
///
/// # Errors
///
/// When the log was started before, or no thread can be.
pub fn start(level: LevelFilter, milestones: &'static [&'static str]) -> Result<()> {
    MILESTONES.get_or_init(|| milestones);
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
    log::set_logger(&QUEUE).context("starting the log")?;
    log::set_max_level(level);
    // A file of its own, because std's Stdout buffers and waits for a line's end.
    let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let write = move |lines: &[u8]| {
        let mut written = Ok(0);
        aside(&mut || written = output.write(lines));
        written
    };
    let thread = thread::Builder::new().name("log".to_owned());
    thread.spawn(|| QUEUE.write_lines(write))?;
    Ok(())
}

/// Waits until every line is written, but no longer than `within`; says whether they are.
pub fn flush(within: Duration) -> bool {
    QUEUE.wait_until_written(within)
}

/// Lines dropped so far for lack of room.
pub fn lines_lost() -> u64 {
    QUEUE.lines_lost()
}

impl Log for Queue {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let (level, event) = (record.level(), record.args().to_string());
            let line = format_line(level, record.target(), &event);
            self.push(&line, rank(level, &event));
        }
    }

    /// Waits a moment for the lines so far to be written.
    fn flush(&self) {
        self.wait_until_written(MOMENT);
    }
}

fn format_line(level: Level, target: &str, event: &str) -> String {
    let now = OffsetDateTime::now_utc().format(TIMESTAMP);
    let now = now.unwrap_or_default();
    format!("{now} {level:<5} [{target}] {event}\n")
}

fn rank(level: Level, event: &str) -> Rank {
    let action = event.strip_prefix("action: ").unwrap_or_default();
    let own = MILESTONES.get().copied().unwrap_or_default();
    let mut milestones = ENDING.iter().chain(own);
    if milestones.any(|name| action.starts_with(name)) {
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
pub struct Value<T>(pub T);

/// Characters of a value that are written; a longer one ends with an ellipsis.
const VALUE_CHARS_MAX: usize = 1024;

impl<T: Display> Display for Value<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (written, character) in self.0.to_string().chars().enumerate() {
            match character {
                _ if written == VALUE_CHARS_MAX => return formatter.write_char('…'),
                '|' => formatter.write_char('¦')?,
                control if control.is_control() => {
                    write!(formatter, "{}", control.escape_default())?
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

    #[test]
    fn a_line_is_that_of_the_design_and_milestones_outrank_levels() {
        MILESTONES.set(&["sorteo "]).unwrap();
        for (level, action, ranked) in [
            (Level::Info, "listen", Rank::Ordinary),
            (Level::Info, "sorteo", Rank::Milestone),
            (Level::Debug, "close_listener", Rank::Milestone),
            (Level::Warn, "takeover", Rank::Trouble),
            (Level::Error, "sorteos", Rank::Trouble),
        ] {
            let event = format!("action: {action} | result: success");
            let line = format_line(level, "here", &event);
            let (time, rest) = line.split_at("2026-11-21 01:02:03 ".len());
            assert_eq!(rest, format!("{level:<5} [here] {event}\n"));
            let today = OffsetDateTime::now_utc().date().to_string();
            assert!(time.starts_with(&today[..8]), "{time}");
            assert_eq!(rank(level, &event), ranked);
        }
    }
}
