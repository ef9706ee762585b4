//! What is measured beside the rows: starting, opening a large store after a crash and the draw over
//! it, and handshakes.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustls::StreamOwned;

use crate::certificates::Authority;
use crate::dialects::Dialect;
use crate::figures::{Figures, figures};
use crate::load::{session, tls_configs};
use crate::measure::Bench;
use crate::process::{Server, ServerSettings};
use crate::rows::Row;
use crate::wire::{self, ALL_BETS_SENT, EMPTY_BATCH, REQUEST_WINNERS};

/// Starts on an empty folder that are measured: each takes but milliseconds.
const STARTS: usize = 20;

/// Connections over TLS that are made and kept.
const HANDSHAKES: usize = 1_000;

/// What a crash in the middle of a write leaves at the end of the bets.
const TORN_ROW: &[u8] = b"5,Ana,Pa";

impl Bench {
    pub fn starts(&self) -> Result<Vec<Figures>> {
        let starts = (0..STARTS).map(|_| {
            self.clean()?;
            let time = self.start_server(5, None)?.start_time;
            Ok(figures([("start, ms", milliseconds(time))]))
        });
        starts.collect()
    }

    /// Opens a store of 3.9 million bets after a crash and holds the draw over it, again and again.
    pub fn store(&self) -> Result<Vec<Figures>> {
        let row = Row::named("load-x50-no")?;
        self.clean()?;
        let agencies = self.agencies(&row)?;
        self.lottery(&row, &agencies, None)?;
        let winners = agencies.plans.iter().map(|plan| u64::from(plan.winners));
        let winners: Vec<_> = winners.chain([0]).collect();
        let closings = fs::read(self.stored("closings.csv"))?;
        let runs = (0..self.pairs).map(|_| {
            // As it was before the last agency finished.
            fs::write(self.stored("closings.csv"), &closings)?;
            let _ = fs::remove_file(self.stored("draw.csv"));
            self.open_and_draw(&winners)
        });
        let runs = runs.collect();
        self.clean()?;
        runs
    }

    /// Tears the last row as a crash would, starts a server on the store, has the agencies wait for
    /// the draw, and lets one more, which has no bets, be the last to finish.
    fn open_and_draw(&self, winners: &[u64]) -> Result<Figures> {
        let bets = self.stored("bets.csv");
        let bytes = bets.metadata()?.len();
        let mut file = OpenOptions::new().append(true).open(&bets)?;
        file.write_all(TORN_ROW)?;
        rustix::fs::sync();
        let server = self.start_server(winners.len(), None)?;
        let is_cut = bets.metadata()?.len() == bytes;
        ensure!(is_cut, "the torn row was not cut off");
        let mut agencies = Vec::new();
        for agency in 1..=winners.len() as u32 {
            let mut stream = connect(server.address)?;
            stream.write_all(&wire::hello(agency))?;
            receive::<15>(&mut stream, 9)?;
            agencies.push(stream);
        }
        let mut last = agencies.last().context("no agency")?.try_clone()?;
        for stream in &mut agencies[..winners.len() - 1] {
            stream.write_all(&REQUEST_WINNERS)?;
        }
        let mut prober = connect(server.address)?;
        probe(&mut prober)?;
        let is_over = AtomicBool::new(false);
        let (begin, told, end, probes) = thread::scope(|scope| {
            let probes = scope.spawn(|| {
                let goes_on = || !is_over.load(Ordering::Relaxed);
                let probes = std::iter::from_fn(|| goes_on().then(|| probe(&mut prober)));
                probes.collect::<Result<Vec<_>>>()
            });
            let begin = Instant::now();
            let finished = last.write_all(&[ALL_BETS_SENT, REQUEST_WINNERS].concat());
            let told = agencies.iter_mut().map(receive_winners);
            let told = finished.map(|()| told.collect::<Result<Vec<_>>>());
            let end = Instant::now();
            is_over.store(true, Ordering::Relaxed);
            (begin, told, end, probes.join())
        });
        let told = told??;
        ensure!(told == winners, "told {told:?}, expected {winners:?}");
        let probes = probes.expect("probing does not panic")?.into_iter();
        let meanwhile = probes.filter(|(asked, answered)| *answered >= begin && *asked <= end);
        let waits = meanwhile.map(|(asked, answered)| milliseconds(answered - asked));
        let waits: Vec<_> = waits.collect();
        let longest = waits.iter().copied().fold(0.0, f64::max);
        let server_usage = server.usage()?;
        let mb_per_second = bytes as f64 / 1e6 / server.start_time.as_secs_f64();
        server.stop()?;
        Ok(figures([
            ("opening, MB/s", mb_per_second),
            ("draw, ms", milliseconds(end - begin)),
            ("longest wait, ms", longest),
            ("answers meanwhile", waits.len() as f64),
            ("server memory, MiB", server_usage.peak_mib),
        ]))
    }

    /// Has many agencies connect over TLS, one after the other, and stay.
    pub fn handshakes(&self) -> Result<Vec<Figures>> {
        let authority = Authority::new(self.folder.path(), HANDSHAKES as u32)?;
        let configs = tls_configs(&authority, HANDSHAKES)?;
        let runs = (0..self.pairs).map(|_| {
            self.clean()?;
            let server = self.start_server(HANDSHAKES, Some(&authority))?;
            let before = server.usage()?.memory_mib;
            let mut streams = Vec::new();
            for config in &configs {
                let mut stream = StreamOwned::new(session(config)?, connect(server.address)?);
                probe(&mut stream)?;
                streams.push(stream);
            }
            let usage = server.usage()?;
            let grown_kib = (usage.memory_mib - before) * 1024.0;
            let connections = HANDSHAKES as f64;
            let kib_each = grown_kib / connections;
            server.stop()?;
            Ok(figures([
                ("handshakes/s of one core", connections / usage.cpu_seconds),
                ("memory of an idle connection, KiB", kib_each),
            ]))
        });
        runs.collect()
    }

    fn start_server(&self, agencies: usize, tls: Option<&Authority>) -> Result<Server> {
        let command = Command::new(self.programs.join("server"));
        let settings = ServerSettings {
            agencies,
            durability: "always",
            dialect: Dialect::Native,
            tls,
            has_board: false,
        };
        Server::start(command, self.folder.path(), &settings)
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The answer's first `N` bytes, which begin with its type.
fn receive<const N: usize>(stream: &mut impl Read, kind: u8) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).context("an answer")?;
    let found = bytes[1];
    ensure!(found == kind, "answer of type {found}, expected {kind}");
    Ok(bytes)
}

fn receive_winners(stream: &mut TcpStream) -> Result<u64> {
    let [_, _, count @ ..] = receive::<10>(stream, 7)?;
    let count = u64::from_be_bytes(count);
    stream.read_exact(&mut vec![0; 4 * count as usize])?;
    Ok(count)
}

/// Sends an empty batch and waits for its answer: when it was sent and answered.
fn probe(stream: &mut (impl Read + Write)) -> Result<(Instant, Instant)> {
    let asked = Instant::now();
    stream.write_all(&EMPTY_BATCH)?;
    receive::<2>(stream, 2)?;
    Ok((asked, Instant::now()))
}
