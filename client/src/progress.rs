//! How far the upload is, for whoever watches: a bar on a terminal, a line for each tenth elsewhere.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::thread;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use lottery_core::protocol::status;

use crate::agency::News;
use crate::config::Network;
use crate::connection::connect;
use crate::interruption::Interruption;
use crate::journal;

/// Parts of the file for each of which a line is logged, where there is no bar.
const PARTS: u64 = 10;

/// How often a waiting agency asks how many others are missing, where somebody watches.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

const BAR: &str = "agency {prefix} {wide_bar:.green} {pos}/{len} bets  {rate}  {eta} left";
const SPINNER: &str = "agency {prefix} {spinner} {msg}";

/// The terminal, when a person watches: both outputs lead there, and nobody set `NO_COLOR`.
pub fn terminal() -> Option<MultiProgress> {
    let is_watched = io::stdout().is_terminal()
        && io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let bars = is_watched.then(MultiProgress::new);
    // Some terminals cannot move the cursor.
    bars.filter(|bars| !bars.is_hidden())
}

/// The progress of one agency's upload.
pub struct Progress {
    total: u64,
    registered: u64,
    view: View,
}

enum View {
    /// A bar, which turns into a spinner when everything is sent.
    Bar(ProgressBar),
    /// Log lines; the number of parts logged.
    Lines(u64),
}

impl Progress {
    /// Progress towards `total` bets, on `terminal` if there is one.
    pub fn new(agency: u32, total: u64, terminal: Option<&MultiProgress>) -> Progress {
        let view = match terminal {
            None => View::Lines(0),
            Some(terminal) => {
                let bar = terminal.add(ProgressBar::new(total));
                bar.set_style(style(BAR));
                bar.set_prefix(agency.to_string());
                View::Bar(bar)
            }
        };
        Progress {
            total,
            registered: 0,
            view,
        }
    }

    /// Takes a step forward.
    pub fn note(&mut self, news: &News, network: &Network) {
        match news {
            News::Welcomed { bets } => self.begin(*bets),
            News::Registered { bets } => self.registered += u64::from(*bets),
            News::AwaitingDraw => self.await_draw(network),
            News::Winners => self.clear(),
        }
        match &mut self.view {
            View::Bar(bar) => bar.set_position(self.registered),
            View::Lines(logged) => {
                let parts = self.registered * PARTS / self.total.max(1);
                if parts > *logged {
                    *logged = parts;
                    journal::progress(self.registered, self.total, parts * 100 / PARTS);
                }
            }
        }
    }

    /// Goes on behind `bets` that are stored already, which say nothing of the speed.
    fn begin(&mut self, bets: u64) {
        self.registered = bets;
        if let View::Bar(bar) = &self.view {
            bar.set_position(bets);
            bar.reset_elapsed();
            bar.reset_eta();
        }
    }

    /// Takes the bar away.
    fn clear(&mut self) {
        if let View::Bar(bar) = &self.view {
            bar.finish_and_clear();
        }
    }

    /// Turns the bar into a spinner that tells how many agencies are missing.
    fn await_draw(&mut self, network: &Network) {
        if let View::Bar(bar) = &self.view {
            bar.set_style(style(SPINNER));
            bar.set_message("waiting for the draw");
            bar.enable_steady_tick(STATUS_INTERVAL / 10);
            let (bar, network) = (bar.clone(), network.clone());
            thread::spawn(move || watch_missing(&bar, &network));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Asks the central now and then, over a connection of its own, until the bar is taken away. It is
/// for the eyes only: when it cannot ask, the spinner goes on without a number.
fn watch_missing(bar: &ProgressBar, network: &Network) {
    let connect = || {
        connect(
            &network.server_address,
            network.socket_timeout,
            &Interruption::never(),
        )
    };
    let mut stream = connect().ok();
    while !bar.is_finished() {
        let report = match &mut stream {
            Some(stream) => status::ask(stream).ok(),
            None => None,
        };
        match report {
            Some(report) if report.missing > 0 => {
                let agencies = if report.missing == 1 {
                    "agency"
                } else {
                    "agencies"
                };
                let missing = report.missing;
                bar.set_message(format!("waiting for {missing} more {agencies}"));
            }
            Some(_) => bar.set_message("the draw is being held"),
            None => {
                stream = connect().ok();
                if stream.is_none() {
                    bar.set_message("the central does not answer");
                }
            }
        }
        thread::sleep(STATUS_INTERVAL);
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
            // A rate that cannot be written is not missed.
            let _ = write!(out, "{:.0} bets/s", state.per_sec());
        })
}

/// The lines of a file: as many as it has bets, if all of them are valid.
///
/// # Errors
///
/// Whatever the system says.
pub fn count_lines(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 256 * 1024];
    let mut lines = 0;
    let mut last = b'\n';
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(lines + u64::from(last != b'\n')),
            bytes => {
                lines += memchr::memchr_iter(b'\n', &buffer[..bytes]).count() as u64;
                last = buffer[bytes - 1];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_with_and_without_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bets.csv");
        for (text, lines) in [("", 0), ("a", 1), ("a\r\n", 1), ("a\nb", 2), ("a\nb\n", 2)] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(count_lines(&path).unwrap(), lines, "{text:?}");
        }
    }
}
