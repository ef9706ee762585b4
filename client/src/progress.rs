//! How far the upload is, for whoever watches: a bar on a terminal, a line for each tenth elsewhere.

use std::io::{self, IsTerminal};
use std::thread;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use log::Level;
use lottery_core::codec::native;
use lottery_core::message::Reply;

use crate::agency::News;
use crate::config::Network;
use crate::connection::Connection;
use crate::log_lines;
use crate::signals::Signals;

/// Parts of the file for each of which a line is logged, where there is no bar.
const PARTS: u64 = 10;

/// How often a waiting agency asks how many others are missing, where somebody watches.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

const BAR: &str =
    "agency {prefix} {wide_bar:.green} {percent}%  {msg} bets  {bytes_per_sec}  {eta} left";
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

/// The progress of one agency's upload, by the bytes of its file.
pub struct Progress {
    agency: u32,
    network: Network,
    file_bytes: u64,
    /// Where there is no bar: the parts that were logged.
    parts: u64,
    bar: Option<ProgressBar>,
    is_watching: bool,
}

impl Progress {
    /// Progress through a file of `file_bytes`, on `terminal` if there is one.
    pub fn new(
        agency: u32,
        network: &Network,
        file_bytes: u64,
        terminal: Option<MultiProgress>,
    ) -> Progress {
        let bar = terminal.map(|terminal| {
            let bar = ProgressBar::new(file_bytes).with_style(style(BAR));
            terminal.add(bar.with_prefix(agency.to_string()))
        });
        Progress {
            agency,
            network: network.clone(),
            file_bytes,
            parts: 0,
            bar,
            is_watching: false,
        }
    }

    /// Takes a step forward, to where `registered` bets are stored, of `bytes` bytes of the file.
    pub fn note(&mut self, news: &News, registered: u64, bytes: u64) {
        if let News::Registered(bets) = news {
            // A bar tells of each batch already.
            let level = self.bar.as_ref().map_or(Level::Info, |_| Level::Debug);
            log_lines::batch_sent(*bets, level);
        }
        let Some(bar) = &self.bar else {
            // The file may have grown since it was measured.
            let parts = (bytes * PARTS / self.file_bytes.max(1)).min(PARTS);
            if parts > self.parts {
                self.parts = parts;
                log_lines::progress(registered, parts * 100 / PARTS);
            }
            return;
        };
        match news {
            News::Winners => bar.finish_and_clear(),
            _ if self.is_watching => {}
            News::AwaitingDraw => {
                bar.set_style(style(SPINNER));
                bar.set_message("waiting for the draw");
                bar.enable_steady_tick(STATUS_INTERVAL / 10);
                let (bar, agency, network) = (bar.clone(), self.agency, self.network.clone());
                thread::spawn(move || watch_missing(&bar, agency, &network));
                self.is_watching = true;
            }
            News::Welcomed(_) | News::Registered(_) => {
                bar.set_position(bytes);
                bar.set_message(registered.to_string());
                if matches!(news, News::Welcomed(_)) {
                    // What was stored before says nothing of the speed.
                    bar.reset_elapsed();
                    bar.reset_eta();
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Asks the central now and then how many agencies are missing, over a connection of its own, until
/// the bar is taken away. Each question has a timeout. One that fails is asked again over a new
/// connection, as the central closes those of strangers.
fn watch_missing(bar: &ProgressBar, agency: u32, network: &Network) {
    let mut kept = None;
    let mut ask = || {
        let open = || Connection::open(agency, network, &Signals::none());
        let mut connection = kept.take().map_or_else(open, Ok).ok()?;
        let mut question = Vec::new();
        native::encode_status(&mut question);
        connection.send(&mut question).ok()?;
        let Reply::Status(report) = connection.receive(connection.deadline(), 0).ok()? else {
            return None;
        };
        kept = Some(connection);
        Some(report.missing)
    };
    while !bar.is_finished() {
        bar.set_message(match ask().or_else(&mut ask) {
            None => "the central does not answer".to_owned(),
            Some(0) => "the draw is being held".to_owned(),
            Some(1) => "waiting for 1 more agency".to_owned(),
            Some(missing) => format!("waiting for {missing} more agencies"),
        });
        thread::sleep(STATUS_INTERVAL);
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::ProgressDrawTarget;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    #[test]
    fn one_connection_asks_who_is_missing_however_often_the_wait_begins_and_is_made_again() {
        let central = TcpListener::bind("127.0.0.1:0").unwrap();
        let network = Network {
            server_address: central.local_addr().unwrap().to_string(),
            ..lottery_program::settings::defaults()
        };
        let terminal = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        let mut progress = Progress::new(3, &network, 10, Some(terminal));
        for _ in 0..3 {
            progress.note(&News::AwaitingDraw, 0, 10);
        }
        for _ in 0..2 {
            let (mut peer, _) = central.accept().unwrap();
            let mut question = [0; 2];
            peer.read_exact(&mut question).unwrap();
            assert_eq!(question, [0, 32]);
            peer.write_all(&[0, 33, 0, 0, 0, 5, 0, 0, 0, 4, 0]).unwrap();
            central.set_nonblocking(true).unwrap();
            assert!(central.accept().is_err(), "another one asks as well");
            central.set_nonblocking(false).unwrap();
        }
    }
}
