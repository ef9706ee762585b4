//! The real server, as a process.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::Process;
use super::usage::Usage;

/// How often the log is looked at while the server starts, which bounds the error of its start.
const LOOK_INTERVAL: Duration = Duration::from_micros(100);

const START_MAX: Duration = Duration::from_secs(120);

const END_MAX: Duration = Duration::from_secs(30);

/// Connections that may wait to be accepted; the system's own bound is usually this one too.
const BACKLOG: &str = "4096";

/// How a server is started.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// Its program.
    pub program: &'a Path,
    /// A tracer and its options, to be put before the program.
    pub tracer: &'a [String],
    /// Where it stores.
    pub storage: &'a Path,
    /// Where its log goes.
    pub log: &'a Path,
    /// How many agencies take part.
    pub agencies: u32,
    /// When it syncs.
    pub durability: &'a str,
}

/// A server that runs. It logs as it does by default, into a file.
#[derive(Debug)]
pub struct Server {
    process: Process,
    log: PathBuf,
    /// Where it listens.
    pub address: SocketAddr,
    /// From its start to listening.
    pub start_time: Duration,
    usage_at_start: Usage,
}

impl Server {
    /// Starts a server and waits until it listens.
    ///
    /// # Errors
    ///
    /// When it does not come to that.
    pub fn start(setup: &Setup<'_>) -> Result<Server> {
        let words = setup.tracer.iter().map(String::as_ref);
        let mut words = words.chain([setup.program.as_os_str()]);
        let mut command = Command::new(words.next().context("a server needs a program")?);
        command.args(words);
        for (flag, value) in [
            ("--server-port", "0"),
            ("--server-bind", "127.0.0.1"),
            ("--server-listen-backlog", BACKLOG),
            ("--num-agencies", &setup.agencies.to_string()),
            ("--durability", setup.durability),
        ] {
            command.args([flag, value]);
        }
        let log = File::create(setup.log)?;
        command
            .arg("--storage-dir")
            .arg(setup.storage)
            // A configuration of the user's would change the run; here is none.
            .current_dir(setup.log.parent().unwrap_or(Path::new("/")))
            .stdout(Stdio::from(log.try_clone()?))
            .stderr(Stdio::from(log));
        let started = Instant::now();
        let mut process = Process::start(&mut command)?;
        let address = loop {
            if let Some(address) = listening_address(&fs::read_to_string(setup.log)?) {
                break address;
            }
            let has_ended = process.0.try_wait()?.is_some();
            if has_ended || started.elapsed() > START_MAX {
                bail!("the server did not start:{}", last_lines(setup.log));
            }
            sleep(LOOK_INTERVAL);
        };
        let start_time = started.elapsed();
        Ok(Server {
            usage_at_start: Usage::of(process.0.id())?,
            process,
            log: setup.log.to_owned(),
            address,
            start_time,
        })
    }

    /// What it has used since it began to listen.
    ///
    /// # Errors
    ///
    /// When it is gone.
    pub fn usage(&self) -> Result<Usage> {
        let usage = Usage::of(self.process.0.id())
            .with_context(|| format!("the server is gone:{}", last_lines(&self.log)))?;
        Ok(usage.since(&self.usage_at_start))
    }

    /// Ends it in good order, and checks that all was in good order.
    ///
    /// # Errors
    ///
    /// When it fails, or has logged a failure.
    pub fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.process.0), Signal::TERM)?;
        let asked = Instant::now();
        let status = loop {
            if let Some(status) = self.process.0.try_wait()? {
                break status;
            }
            ensure!(asked.elapsed() < END_MAX, "the server does not end");
            sleep(Duration::from_millis(1));
        };
        let log = fs::read_to_string(&self.log)?;
        if let Some(failure) = log.lines().find(|line| line.contains("result: fail")) {
            bail!("the server logged a failure: {failure}");
        }
        ensure!(
            status.success(),
            "the server failed:{}",
            last_lines(&self.log)
        );
        Ok(())
    }

    /// Ends it as a crash does.
    pub fn kill(self) {
        drop(self.process);
    }
}

/// Where the server says that it listens, once it does.
fn listening_address(log: &str) -> Option<SocketAddr> {
    // A line that is being written has no end yet.
    let (whole_lines, _) = log.rsplit_once('\n')?;
    let mut lines = whole_lines.lines();
    let line = lines.find(|line| line.contains("action: listen |"))?;
    let value = |key: &str| {
        let mut parts = line.split(" | ");
        parts.find_map(|part| part.strip_prefix(key)?.strip_prefix(": "))
    };
    Some(SocketAddr::new(
        value("ip")?.parse().ok()?,
        value("port")?.parse().ok()?,
    ))
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().rev().take(3).collect();
    let lines = lines.iter().rev().map(|line| format!(" {line};"));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_taken_from_a_whole_line_only() {
        let line = "2026-11-21 01:00:00 INFO  [server] action: listen | result: success | ip: 127.0.0.1 | port: 40001";
        let expected = "127.0.0.1:40001".parse().ok();
        assert_eq!(listening_address(&format!("other\n{line}\n")), expected);
        assert_eq!(listening_address(line), None);
        assert_eq!(listening_address(""), None);
    }
}
