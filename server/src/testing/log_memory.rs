//! A log that remembers the lines of each thread; a test, or a simulated world, has one to itself.

use std::cell::RefCell;
use std::sync::Once;

use log::{LevelFilter, Log, Metadata, Record};

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

struct Memory;

impl Log for Memory {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        LINES.with_borrow_mut(|lines| lines.push(record.args().to_string()));
    }

    fn flush(&self) {}
}

/// Remembers what this thread logs from here on, at INFO and above, and forgets what it logged before.
pub fn forget_log() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        log::set_logger(&Memory).expect("nobody else sets a logger");
        log::set_max_level(LevelFilter::Info);
    });
    LINES.with_borrow_mut(Vec::clear);
}

/// Takes the lines that were logged since the last time, or since [`forget_log`].
pub fn take_log() -> Vec<String> {
    LINES.take()
}

/// How many lines were logged that begin with `beginning`, since [`forget_log`].
pub fn times_logged(beginning: &str) -> usize {
    LINES.with_borrow(|lines| {
        let lines = lines.iter();
        lines.filter(|line| line.starts_with(beginning)).count()
    })
}
