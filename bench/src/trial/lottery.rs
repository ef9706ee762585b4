//! A run of the lottery: the server, its agencies, and what both of them did.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lottery_core::store::BETS_FILE;

use super::server::{Server, Setup};
use super::usage::{self, Usage};
use super::{Process, Programs, Workspace};
use crate::histogram::Histogram;
use crate::load::{Conversation, Load, Script};

/// What a run cost.
#[derive(Debug)]
pub struct Cost {
    /// From the start of the agencies to the last winners received.
    pub elapsed: Duration,
    /// Bets stored.
    pub bets: u64,
    /// What the server used meanwhile, and its peak.
    pub server: Usage,
    /// What the real clients used together, exact to 10 ms; of the load nothing is told.
    pub clients_cpu: Option<Duration>,
    /// From a batch to its answer; the real clients do not tell.
    pub answer_times: Option<Histogram>,
}

/// Who the agencies are.
#[derive(Clone, Copy, Debug)]
pub enum Agencies<'a> {
    /// The real client, a process for each file.
    Clients {
        /// The files.
        files: &'a [PathBuf],
    },
    /// The load.
    Load {
        /// How many.
        agencies: u32,
        /// What they say.
        scripts: &'a [Script],
        /// Whether they say Hello.
        greets: bool,
    },
}

/// How agencies send.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Bets of a batch, at most.
    pub batch_bets: u32,
    /// Batches that may wait for their answer at once.
    pub window: u32,
}

/// Runs a lottery, checks that every bet is stored, and leaves nothing behind.
///
/// # Errors
///
/// When anything fails, or bets are missing.
pub fn run(
    programs: &Programs,
    workspace: &Workspace,
    durability: &str,
    tracer: &[String],
    agencies: Agencies<'_>,
    pace: Pace,
) -> Result<Cost> {
    let (storage, log) = (workspace.storage(), workspace.log());
    let count = match agencies {
        Agencies::Clients { files } => files.len() as u32,
        Agencies::Load { agencies, .. } => agencies,
    };
    let server = Server::start(&Setup {
        program: &programs.server,
        tracer,
        storage: &storage,
        log: &log,
        agencies: count,
        durability,
    })?;
    let clients_before = usage::of_ended_children()?;
    let (elapsed, bets, answer_times) = match agencies {
        Agencies::Clients { files } => {
            let elapsed = run_clients(programs, workspace, &server, files, pace)?;
            (elapsed, None, None)
        }
        Agencies::Load {
            agencies,
            scripts,
            greets,
        } => {
            let load = Load {
                address: server.address,
                agencies,
                scripts,
                conversation: Conversation::Lottery { greets },
                window: pace.window as usize,
            };
            let outcome = load.run()?;
            let times = Some(outcome.answer_times);
            (outcome.elapsed, Some(outcome.bets), times)
        }
    };
    let usage = server.usage()?;
    let clients_cpu = usage::of_ended_children()?.saturating_sub(clients_before);
    server.stop()?;
    let stored = count_rows(&storage.join(BETS_FILE))?;
    let sent = match (agencies, bets) {
        (Agencies::Clients { files }, _) => count_all_rows(files)?,
        (_, bets) => bets.unwrap_or_default(),
    };
    ensure!(stored == sent, "{stored} of {sent} bets are stored");
    workspace.clean()?;
    Ok(Cost {
        elapsed,
        bets: stored,
        server: usage,
        clients_cpu: matches!(agencies, Agencies::Clients { .. }).then_some(clients_cpu),
        answer_times,
    })
}

/// The real clients, which log nowhere: from the first start to the last end.
fn run_clients(
    programs: &Programs,
    workspace: &Workspace,
    server: &Server,
    files: &[PathBuf],
    pace: Pace,
) -> Result<Duration> {
    let address = server.address.to_string();
    let [batch, window] = [pace.batch_bets, pace.window].map(|number| number.to_string());
    let started = Instant::now();
    let mut clients = Vec::with_capacity(files.len());
    for (agency, file) in (1..).zip(files) {
        let agency: u32 = agency;
        let mut command = Command::new(&programs.client);
        command
            .args(["--id", &agency.to_string(), "--server-address", &address])
            .args(["--batch-max-amount", &batch, "--batch-window", &window])
            .arg("--data-path")
            .arg(file)
            .current_dir(workspace.path())
            .stdout(Stdio::null());
        clients.push(Process::start(&mut command)?);
    }
    for client in clients {
        client.wait_for_success("a client")?;
    }
    Ok(started.elapsed())
}

fn count_all_rows(files: &[PathBuf]) -> Result<u64> {
    files.iter().map(|file| Ok(count_rows(file)?)).sum()
}

/// A bet has no line break, so its row is a line.
fn count_rows(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    let mut rows = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(rows),
            read => rows += memchr::memchr_iter(b'\n', &buffer[..read]).count() as u64,
        }
    }
}
