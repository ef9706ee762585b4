//! Opening a large store after a crash, the draw over it, and how long others wait meanwhile.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use client::bet_source::{BetSource, CsvFile};
use lottery_core::bet::has_won;
use lottery_core::date::Date;
use lottery_core::protocol::request;
use lottery_core::store::{BETS_FILE, CLOSINGS_FILE, Folder, Store};

use super::server::{Server, Setup};
use super::{Line, Programs, Workspace};
use crate::datasets::DEFAULT_WINNING_NUMBER;

/// What a crash in the middle of a write leaves at the end of the bets.
const TORN_ROW: &[u8] = b"5,Ana,Pa";

/// Bytes staged before they are committed, when the store is filled.
const COMMIT_BYTES: usize = 4 << 20;

/// Time between the beginning of the probes and that of the draw.
const PROBES_BEFORE: Duration = Duration::from_millis(50);

/// A store with the bets of some agencies, all of which have finished.
#[derive(Debug)]
pub struct FullStore {
    folder: PathBuf,
    closings: Vec<u8>,
    agencies: u32,
    /// Bytes of its bets.
    pub bytes: u64,
    /// Bets in it.
    pub bets: u64,
    winners: BTreeMap<u32, u64>,
}

/// What opening and drawing took.
#[derive(Clone, Copy, Debug)]
pub struct StoreCost {
    /// From the start of the server, on a store that a crash left, to listening.
    pub opening: Duration,
    /// From the last AllBetsSent to the last agency that has its winners.
    pub draw: Duration,
    /// The longest that an empty batch of another connection took to be answered meanwhile.
    pub longest_wait: Duration,
    /// Batches that other connection had answered meanwhile.
    pub probes: usize,
    /// The most memory that the server had, in bytes.
    pub peak_bytes: u64,
}

impl FullStore {
    /// Fills a store with the bets of these files, by the store's own code.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or the store fails.
    pub fn fill(folder: PathBuf, files: &[PathBuf]) -> Result<FullStore> {
        let (mut store, _) = Store::open(&Folder::new(&folder))?;
        let mut winners = BTreeMap::new();
        let mut bets = 0;
        for (agency, path) in (1..).zip(files) {
            let mut source = CsvFile::open(agency, path, Date::MAX, |_| ())?;
            let mut agency_winners = 0;
            while let Some(wins) = source.next_bet(|bet| {
                store.store_bets(agency, &[*bet]);
                has_won(bet, DEFAULT_WINNING_NUMBER)
            })? {
                agency_winners += u64::from(wins);
                bets += 1;
                if store.staged_bytes() > COMMIT_BYTES {
                    store.commit(false)?;
                }
            }
            store.close_agency(agency);
            store.commit(false)?;
            winners.insert(agency, agency_winners);
        }
        Ok(FullStore {
            bytes: fs::metadata(folder.join(BETS_FILE))?.len(),
            closings: fs::read(folder.join(CLOSINGS_FILE))?,
            folder,
            agencies: files.len() as u32,
            bets,
            winners,
        })
    }

    /// Leaves the store as a crash would, starts a server on it, has the agencies wait for the
    /// draw, and lets one more agency, which has no bets, be the last to finish.
    ///
    /// # Errors
    ///
    /// When the server fails, or tells other winners than there are.
    pub fn open_and_draw(&self, programs: &Programs, workspace: &Workspace) -> Result<StoreCost> {
        fs::write(self.folder.join(CLOSINGS_FILE), &self.closings)?;
        let bets = self.folder.join(BETS_FILE);
        OpenOptions::new()
            .append(true)
            .open(&bets)?
            .write_all(TORN_ROW)?;
        rustix::fs::sync();

        let last = self.agencies + 1;
        let server = start(programs, workspace, &self.folder, last)?;
        ensure!(
            bets.metadata()?.len() == self.bytes,
            "the torn row was not cut off"
        );
        let mut parked = Vec::new();
        for agency in 1..=self.agencies {
            let mut line = greet(server.address, agency)?;
            let mut message = Vec::new();
            request::encode_request_winners(&mut message);
            line.send(&message)?;
            parked.push((agency, line));
        }
        let mut trigger = greet(server.address, last)?;
        let mut finish = Vec::new();
        request::encode_all_bets_sent(&mut finish);
        request::encode_request_winners(&mut finish);

        let is_over = AtomicBool::new(false);
        let (draw, probes) = thread::scope(|scope| -> Result<_> {
            let prober = scope.spawn(|| probe(server.address, &is_over));
            let draw = thread::spawn(move || -> Result<_> {
                thread::sleep(PROBES_BEFORE);
                let started = Instant::now();
                trigger.send(&finish)?;
                let mut counts = BTreeMap::new();
                parked.push((last, trigger));
                for (agency, mut line) in parked {
                    counts.insert(agency, receive_winners(&mut line)?);
                }
                Ok((started, Instant::now(), counts))
            })
            .join()
            .expect("reading winners does not panic");
            is_over.store(true, Ordering::Relaxed);
            let probes = prober.join().expect("probing does not panic")?;
            let (started, ended, mut counts) = draw?;
            counts.remove(&last);
            ensure!(
                counts == self.winners,
                "told {counts:?}, expected {:?}",
                self.winners
            );
            Ok(((started, ended), probes))
        })?;
        let meanwhile: Vec<_> = probes
            .into_iter()
            .filter(|(asked, answered)| *answered >= draw.0 && *asked <= draw.1)
            .map(|(asked, answered)| answered - asked)
            .collect();
        let usage = server.usage()?;
        let opening = server.start_time;
        server.stop()?;
        Ok(StoreCost {
            opening,
            draw: draw.1 - draw.0,
            longest_wait: meanwhile
                .iter()
                .max()
                .copied()
                .context("no probe was answered")?,
            probes: meanwhile.len(),
            peak_bytes: usage.peak_bytes,
        })
    }
}

/// From the start of a server on an empty folder to listening.
///
/// # Errors
///
/// When the server fails.
pub fn start_empty(programs: &Programs, workspace: &Workspace) -> Result<Duration> {
    let server = start(programs, workspace, &workspace.storage(), 5)?;
    let start_time = server.start_time;
    server.kill();
    workspace.clean()?;
    Ok(start_time)
}

fn start(
    programs: &Programs,
    workspace: &Workspace,
    storage: &Path,
    agencies: u32,
) -> Result<Server> {
    Server::start(&Setup {
        program: &programs.server,
        tracer: &[],
        storage,
        log: &workspace.log(),
        agencies,
        durability: "always",
    })
}

/// A connection that has said Hello and was welcomed.
fn greet(address: SocketAddr, agency: u32) -> Result<Line> {
    let mut line = Line::connect(address)?;
    let mut hello = Vec::new();
    request::encode_hello(agency, &mut hello);
    line.send(&hello)?;
    let [_, kind, ..] = line.receive::<15>()?;
    ensure!(
        kind == 9,
        "agency {agency}: expected Welcome, found type {kind}"
    );
    Ok(line)
}

fn receive_winners(line: &mut Line) -> Result<u64> {
    let [_, kind, count @ ..] = line.receive::<10>()?;
    ensure!(kind == 7, "expected InformWinners, found type {kind}");
    let count = u64::from_be_bytes(count);
    for _ in 0..count {
        line.receive::<4>()?;
    }
    Ok(count)
}

/// Sends an empty batch, waits for its answer, and again: when each was sent and answered.
fn probe(address: SocketAddr, is_over: &AtomicBool) -> Result<Vec<(Instant, Instant)>> {
    let mut line = Line::connect(address)?;
    let mut batch = Vec::new();
    request::encode_batch_header(0, &mut batch);
    let mut probes = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let asked = Instant::now();
        line.send(&batch)?;
        let [_, kind] = line.receive()?;
        ensure!(kind == 2, "expected RegisterBetOk, found type {kind}");
        probes.push((asked, Instant::now()));
    }
    Ok(probes)
}
