//! A run of the floor.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Process, Programs, Workspace};
use crate::load::{Conversation, Load, Script};

/// The server of the floor, as a process.
struct FloorServer {
    process: Process,
    address: SocketAddr,
}

impl FloorServer {
    fn start(programs: &Programs, workspace: &Workspace) -> Result<FloorServer> {
        let mut command = Command::new(&programs.floor);
        command
            .args(["server", "--output"])
            .arg(workspace.floor_output())
            .stdout(Stdio::piped());
        let mut process = Process::start(&mut command)?;
        let stdout = process.0.stdout.take().context("the floor's output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().parse().context("the floor's address")?;
        Ok(FloorServer { process, address })
    }

    /// Ends it, and checks that it has stored all.
    fn stop(self, workspace: &Workspace, bytes: u64) -> Result<()> {
        drop(self.process);
        let stored = workspace.floor_output().metadata()?.len();
        ensure!(
            stored == bytes,
            "the floor stored {stored} of {bytes} bytes"
        );
        workspace.clean()
    }
}

/// The floor with a process for each file: the time from the first start to the last end.
///
/// # Errors
///
/// When a process fails, or the file is not what was sent.
pub fn with_processes(
    programs: &Programs,
    workspace: &Workspace,
    files: &[PathBuf],
    bytes: u64,
) -> Result<Duration> {
    let server = FloorServer::start(programs, workspace)?;
    let address = server.address.to_string();
    let started = Instant::now();
    let mut agencies = Vec::with_capacity(files.len());
    for file in files {
        let mut command = Command::new(&programs.floor);
        command.args(["agency", "--address", &address, "--file"]);
        agencies.push(Process::start(command.arg(file))?);
    }
    for agency in agencies {
        agency.wait_for_success("an agency of the floor")?;
    }
    let elapsed = started.elapsed();
    server.stop(workspace, bytes)?;
    Ok(elapsed)
}

/// The floor with the load's agencies: the time from the first connection to the last answer.
///
/// # Errors
///
/// When a process fails, or the file is not what was sent.
pub fn with_load(
    programs: &Programs,
    workspace: &Workspace,
    scripts: &[Script],
    agencies: u32,
) -> Result<Duration> {
    let server = FloorServer::start(programs, workspace)?;
    let load = Load {
        address: server.address,
        agencies,
        scripts,
        conversation: Conversation::Floor,
        window: 1,
    };
    let outcome = load.run().context("the floor")?;
    let bytes: usize = scripts.iter().map(|script| script.bytes().len()).sum();
    let bytes = if scripts.len() == 1 {
        bytes as u64 * u64::from(agencies)
    } else {
        bytes as u64
    };
    server.stop(workspace, bytes)?;
    Ok(outcome.elapsed)
}
