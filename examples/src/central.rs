//! The central, in this process.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use lottery_core::store::BETS_FILE;
use lottery_program::settings::defaults;
use server::config::Config;
use server::event_loop::catch_signals;
use server::start::{self, LotteryLoop};

use crate::Options;
use crate::certificates::{Authority, CENTRAL};

pub const WINNING_NUMBER: u32 = 7574;

/// A central that listens on free ports of loopback, for agencies and for viewers; nothing when a signal came
/// first. It stores in `folder`, unless another one is to be kept.
pub fn open(
    options: &Options,
    folder: &Path,
    authority: Option<&Authority>,
) -> Result<Option<LotteryLoop>> {
    let signals = catch_signals(options.tls).context("catching signals")?;
    let storage = options.keep.clone();
    let storage = storage.unwrap_or_else(|| folder.join("storage"));
    ensure!(
        !storage.join(BETS_FILE).exists(),
        "--keep {}: it has bets already; choose a folder that no lottery has used",
        storage.display()
    );
    fs::create_dir_all(&storage).with_context(|| storage.display().to_string())?;
    let files = authority.map(|authority| authority.files(CENTRAL).map(|file| Some(file.into())));
    let [tls_client_ca, tls_cert, tls_key] = files.unwrap_or_default();
    let config = Config {
        server_port: 0,
        http_port: Some(0),
        num_agencies: options.agencies,
        winning_number: WINNING_NUMBER,
        storage_dir: storage,
        // A paced agency may be silent for long.
        idle_timeout: None,
        tls_client_ca,
        tls_cert,
        tls_key,
        ..defaults()
    };
    // Agencies, their watchers and files: any system has as many descriptors.
    start::lottery(&config, config.limits(1024), signals)
}
