//! An agency, in this process.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use client::agency::{Agency, Pace};
use client::bet_source::{CsvFile, RowError};
use client::config::Network;
use client::reconnect::take_part;
use client::signals::Signals;
use lottery_program::settings::defaults;

use crate::certificates::Authority;
use crate::day::Day;
use crate::{Options, lock};

/// As the client has them by default.
const BATCH_BETS_MAX: u64 = 125;
const WINDOW: usize = 128;

/// A paced agency sends a bet in a batch for so many bytes of its file, so that it is seen to move.
const BYTES_PER_BET: u64 = 8000;

/// Takes part in the lottery at `address` and gives back the winners. `day` shows each step.
pub fn run(
    number: u32,
    options: &Options,
    authority: Option<&Authority>,
    address: SocketAddr,
    signals: &Signals,
    day: &Mutex<Day>,
) -> Result<Vec<u32>> {
    let path = options.data_file(number);
    let file_bytes = path.metadata()?.len().max(1);
    // They finish one after the other, the last at the end of the time.
    let share = 0.5 + 0.5 * f64::from(number) / f64::from(options.agencies);
    let duration = options.pace.mul_f64(share);
    let (bets, window) = match duration {
        Duration::ZERO => (BATCH_BETS_MAX, WINDOW),
        _ => ((file_bytes / BYTES_PER_BET).clamp(1, BATCH_BETS_MAX), 1),
    };
    let pace = Pace {
        batch_bets_max: bets as u32,
        window,
    };
    let files = authority.map(|authority| authority.files(number).map(|file| Some(file.into())));
    let [tls_ca, tls_cert, tls_key] = files.unwrap_or_default();
    let network = Network {
        server_address: address.to_string(),
        tls_ca,
        tls_cert,
        tls_key,
        ..defaults()
    };
    let report = |error: &RowError| lock(day).row_rejected(error);
    let file = CsvFile::open(number, &path, report).with_context(|| path.display().to_string())?;
    let began = Instant::now();
    let mut agency = Agency::new(number, file.heeding(signals.clone()), pace);
    let winners = take_part(&mut agency, &network, signals, |news, agency| {
        let bytes = agency.registered_bytes();
        lock(day).note(number, news, agency.registered(), bytes);
        let due = duration.mul_f64(bytes as f64 / file_bytes as f64);
        // A signal that ends this ends the agency where it waits next.
        let _ = signals.sleep(due.saturating_sub(began.elapsed()));
    });
    Ok(winners?)
}
