//! The real programs as processes, and what they use.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::certificates::{Authority, CENTRAL};
use crate::dialects::Dialect;

/// Where the server stores, in the folder that it runs in.
pub const STORAGE: &str = "storage";

/// How often the log is looked at while the server starts, which bounds the error of its start.
const LOOK_INTERVAL: Duration = Duration::from_micros(100);

/// Connections that may wait to be accepted; the system's own bound is usually this one too.
const BACKLOG: &str = "4096";

/// A child process that does not outlive us.
pub struct Process(pub Child);

impl Process {
    /// Starts `command` with no environment but `settings`: a leftover setting could hide in ours.
    pub fn start(
        command: &mut Command,
        settings: impl IntoIterator<Item = (&'static str, String)>,
    ) -> Result<Process> {
        let name = command.get_program().to_owned();
        let command = command.env_clear().envs(settings).stdin(Stdio::null());
        let child = command.spawn();
        Ok(Process(child.with_context(|| name.display().to_string())?))
    }

    /// What it has used since its start.
    fn usage(&self) -> Result<Usage> {
        let process = procfs::process::Process::new(self.0.id() as i32)?;
        let tasks = process.tasks()?.flatten();
        let cpu_ns = tasks.map(|task| Ok(task.schedstat()?.sum_exec_runtime));
        let status = process.status()?;
        let mib = |kib: Option<u64>| kib.map(|kib| kib as f64 / 1024.0);
        Ok(Usage {
            cpu_seconds: cpu_ns.sum::<Result<u64>>()? as f64 / 1e9,
            kernel_seconds: seconds(process.stat()?.stime),
            peak_mib: mib(status.vmhwm).context("no VmHWM in /proc")?,
            memory_mib: mib(status.vmrss).context("no VmRSS in /proc")?,
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended cannot be killed, and nothing here can fail otherwise.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub struct Usage {
    /// Time on a processor, as the scheduler counts it.
    pub cpu_seconds: f64,
    /// The part of it in the kernel, in ticks of 10 ms.
    pub kernel_seconds: f64,
    /// The most memory it had at once (VmHWM).
    pub peak_mib: f64,
    /// The memory that it has now (VmRSS).
    pub memory_mib: f64,
}

/// Seconds that the processes used which we started and saw end, in ticks of 10 ms.
pub fn cpu_seconds_of_ended_children() -> Result<f64> {
    let stat = procfs::process::Process::myself()?.stat()?;
    Ok(seconds((stat.cutime + stat.cstime) as u64))
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / procfs::ticks_per_second() as f64
}

/// What a server is to be; the rest is as by default.
pub struct ServerSettings<'a> {
    pub agencies: usize,
    pub durability: &'a str,
    pub dialect: Dialect,
    /// The authority of all certificates; `None`: no TLS.
    pub tls: Option<&'a Authority>,
    pub has_board: bool,
}

/// The real server, running. It logs as it does by default, into a file.
pub struct Server {
    process: Process,
    log: PathBuf,
    pub address: SocketAddr,
    /// Where the board is, if it was asked for.
    pub board: Option<SocketAddr>,
    /// From its start to listening.
    pub start_time: Duration,
    usage_at_start: Usage,
}

impl Server {
    /// Starts `command`, which is the server or a tracer of it, in `folder`, and waits until it
    /// listens.
    pub fn start(
        mut command: Command,
        folder: &Path,
        settings: &ServerSettings<'_>,
    ) -> Result<Server> {
        let log = folder.join("server.log");
        let output = File::create(&log)?;
        command.stdout(output.try_clone()?).stderr(output);
        let tls = settings.tls.map(|tls| {
            let names = ["TLS_CLIENT_CA", "TLS_CERT", "TLS_KEY"];
            names.into_iter().zip(tls.files(CENTRAL))
        });
        let (dialect, has_board) = (settings.dialect.name(), settings.has_board);
        let http = has_board.then(|| ("HTTP_PORT", "0".to_owned()));
        let settings = [
            ("SERVER_PORT", "0"),
            ("SERVER_BIND", "127.0.0.1"),
            ("SERVER_LISTEN_BACKLOG", BACKLOG),
            ("SERVER_DIALECT", dialect),
            ("STORAGE_DIR", STORAGE),
            ("NUM_AGENCIES", &settings.agencies.to_string()),
            ("DURABILITY", settings.durability),
        ]
        .map(|(name, value)| (name, value.to_owned()));
        let settings = settings.into_iter().chain(tls.into_iter().flatten());
        let settings = settings.chain(http);
        let started = Instant::now();
        // A configuration file of the user's would change the run; in the folder is none.
        let mut process = Process::start(command.current_dir(folder), settings)?;
        let (address, board) = loop {
            let logged = fs::read_to_string(&log)?;
            let address = listening_address(&logged, dialect);
            let board = listening_address(&logged, "http");
            if let Some(address) = address.filter(|_| board.is_some() == has_board) {
                break (address, board);
            }
            let is_running = process.0.try_wait()?.is_none();
            ensure!(is_running, "the server did not start:\n{logged}");
            sleep(LOOK_INTERVAL);
        };
        Ok(Server {
            start_time: started.elapsed(),
            usage_at_start: process.usage()?,
            process,
            log,
            address,
            board,
        })
    }

    /// What it has used since it began to listen; the peak is that since its start.
    pub fn usage(&self) -> Result<Usage> {
        let (now, before) = (self.process.usage()?, &self.usage_at_start);
        Ok(Usage {
            cpu_seconds: now.cpu_seconds - before.cpu_seconds,
            kernel_seconds: now.kernel_seconds - before.kernel_seconds,
            ..now
        })
    }

    /// Asks it to shut down, and checks that it did so and has logged no failure.
    pub fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.process.0), Signal::TERM)?;
        let status = self.process.0.wait()?;
        let log = fs::read_to_string(&self.log)?;
        let failure = log.lines().find(|line| line.contains("result: fail"));
        let is_well = status.success() && failure.is_none();
        ensure!(is_well, "the server: {status}, {failure:?}");
        Ok(())
    }
}

/// Where the server says that it listens for this protocol, once the line is whole.
fn listening_address(log: &str, protocol: &str) -> Option<SocketAddr> {
    let (whole, _) = log.rsplit_once('\n')?;
    whole.lines().find_map(|line| {
        let (_, fields) = line.split_once("action: listen |")?;
        let mut fields = fields.split(" | ");
        let mut value = |key| fields.find_map(|field| field.strip_prefix(key));
        let (ip, port) = (value("ip: ")?, value("port: ")?);
        let address = format!("{ip}:{port}").parse().ok();
        address.filter(|_| value("protocolo: ") == Some(protocol))
    })
}
