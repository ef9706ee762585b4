//! The server's system calls for a batch, counted by strace.

use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::lottery::{Agencies, Pace, run};
use super::{Programs, Workspace};

/// How long strace may take to write its summary once the server has ended.
const SUMMARY_MAX: Duration = Duration::from_secs(10);

/// How often a system call was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calls {
    /// Its name.
    pub name: String,
    /// How often.
    pub count: u64,
}

/// Whether strace is there and may trace.
pub fn is_available() -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-o", "/dev/null", "true"]);
    strace.stdout(Stdio::null()).stderr(Stdio::null());
    strace.status().is_ok_and(|status| status.success())
}

/// Counts the system calls of a run, from the server's start to its end, the most frequent first.
/// Tracing slows the server down, so that more is ready in each of its turns than otherwise.
///
/// # Errors
///
/// When the run fails or strace counts nothing.
pub fn count(
    programs: &Programs,
    workspace: &Workspace,
    durability: &str,
    agencies: Agencies<'_>,
    pace: Pace,
) -> Result<Vec<Calls>> {
    let summary = workspace.path().join("strace.summary");
    // With -D the tracer is the grandchild, so that the process we signal and look at is the server.
    let tracer = ["strace", "-D", "-f", "-c", "-o"].map(str::to_owned);
    let mut tracer = Vec::from(tracer);
    tracer.push(summary.display().to_string());
    run(programs, workspace, durability, &tracer, agencies, pace)?;
    let ended = Instant::now();
    loop {
        let text = fs::read_to_string(&summary).unwrap_or_default();
        if text.contains("total") {
            fs::remove_file(&summary)?;
            return Ok(parse(&text));
        }
        ensure!(ended.elapsed() < SUMMARY_MAX, "strace wrote no summary");
        sleep(Duration::from_millis(10));
    }
}

/// Reads lines such as ` 95.00    0.1    7    12345    11 epoll_wait`: share, seconds, microseconds a
/// call, calls, errors if any, name.
fn parse(summary: &str) -> Vec<Calls> {
    let lines = summary.lines().filter_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let (name, count) = (*words.last()?, words.get(3)?.parse().ok()?);
        let name = name.to_owned();
        (name != "total").then_some(Calls { name, count })
    });
    let mut calls: Vec<_> = lines.collect();
    calls.sort_by_key(|calls| std::cmp::Reverse(calls.count));
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_read_with_and_without_errors() {
        let summary = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000300           3       100           write
 40.00    0.000200           1       200        10 read
------ ----------- ----------- --------- --------- ----------------
100.00    0.000500           1       300        10 total
";
        let calls = |name: &str, count| Calls {
            name: name.to_owned(),
            count,
        };
        assert_eq!(parse(summary), [calls("read", 200), calls("write", 100)]);
    }
}
