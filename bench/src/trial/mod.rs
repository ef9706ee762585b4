//! One run: a fresh server on an empty folder, agencies, and what it cost.
//!
//! What a run leaves behind must not slow the next one down, so the storage is removed and the
//! system's buffers are synced after each, outside of every clock: see [`Workspace::clean`].

pub mod data;
pub mod floor;
pub mod lottery;
pub mod server;
pub mod store;
pub mod syscalls;
pub mod usage;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// More connections than any run makes.
const CONNECTIONS_MAX: u64 = 32 * 1024;

/// By when a firewall has forgotten closed connections.
const FIREWALL_FORGETS: Duration = Duration::from_secs(150);

/// The programs that are run.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The central.
    pub server: PathBuf,
    /// An agency.
    pub client: PathBuf,
    /// The floor.
    pub floor: PathBuf,
}

/// The folder in which everything happens; it is removed at the end.
#[derive(Debug)]
pub struct Workspace {
    folder: TempDir,
}

impl Workspace {
    /// A new folder in `parent`.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn new(parent: &Path) -> Result<Workspace> {
        let folder = tempfile::Builder::new()
            .prefix("lottery-bench-")
            .tempdir_in(parent)
            .with_context(|| parent.display().to_string())?;
        Ok(Workspace { folder })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where the server of a run stores.
    pub fn storage(&self) -> PathBuf {
        self.path().join("storage")
    }

    /// What the server of a run logged.
    pub fn log(&self) -> PathBuf {
        self.path().join("server.log")
    }

    /// What the floor of a run stored.
    pub fn floor_output(&self) -> PathBuf {
        self.path().join("floor.output")
    }

    /// Removes what the last run left and waits until the medium has whatever it is still to get.
    ///
    /// # Errors
    ///
    /// When something cannot be removed.
    pub fn clean(&self) -> Result<()> {
        let storage = self.storage();
        if storage.exists() {
            fs::remove_dir_all(&storage)?;
        }
        for file in [self.log(), self.floor_output()] {
            if file.exists() {
                fs::remove_file(file)?;
            }
        }
        rustix::fs::sync();
        wait_for_firewall();
        Ok(())
    }
}

/// Waits while the firewall remembers so many closed connections that the next run could fill its
/// table; it would then drop packets, and a run would measure how long TCP waits to try again. Most
/// machines have no such table.
fn wait_for_firewall() {
    let read = |file: &str| {
        let text = fs::read_to_string(format!("/proc/sys/net/netfilter/{file}")).ok()?;
        text.trim().parse::<u64>().ok()
    };
    let started = Instant::now();
    while let (Some(count), Some(max)) = (read("nf_conntrack_count"), read("nf_conntrack_max"))
        && count + CONNECTIONS_MAX > max
        && started.elapsed() < FIREWALL_FORGETS
    {
        sleep(Duration::from_millis(100));
    }
}

/// A child process that does not outlive us.
#[derive(Debug)]
struct Process(Child);

impl Process {
    /// Starts `command` with none of our environment, in which a leftover setting could hide.
    fn start(command: &mut Command) -> Result<Process> {
        let name = command.get_program().to_owned();
        let child = command.env_clear().stdin(Stdio::null()).spawn();
        Ok(Process(child.with_context(|| name.display().to_string())?))
    }

    fn wait_for_success(mut self, what: &str) -> Result<()> {
        let status = self.0.wait()?;
        ensure!(status.success(), "{what} failed: {status}");
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended has nothing to be killed, and nothing here can fail otherwise.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A blocking connection, for who needs few messages.
#[derive(Debug)]
struct Line(TcpStream);

impl Line {
    fn connect(address: SocketAddr) -> Result<Line> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Line(stream))
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.0.write_all(bytes)?)
    }

    /// The next `N` bytes: who knows what it asked knows how long the answer is.
    fn receive<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).context("an answer")?;
        Ok(bytes)
    }
}
