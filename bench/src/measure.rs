//! The one runner of all rows: the baseline and ours in turn, and the figures of what they cost.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use tempfile::TempDir;

use crate::certificates::Authority;
use crate::datasets::{AgencyPlan, Options};
use crate::figures::{Figures, figures};
use crate::load::{self, Outcome};
use crate::process::{Process, STORAGE, Server, ServerSettings, cpu_seconds_of_ended_children};
use crate::rows::{Driver, Row};
use crate::viewers;
use crate::wire::Script;

/// Shares of the batches, and the figures that say within how many milliseconds they are answered.
const ANSWER_MS: [(f64, &str); 4] = [
    (0.5, "p50, ms"),
    (0.9, "p90, ms"),
    (0.99, "p99, ms"),
    (1.0, "max, ms"),
];

/// System calls that are told by name, after their total.
const CALLS_SHOWN: usize = 8;

pub struct Bench {
    /// The folder of the programs `server` and `client`.
    pub programs: PathBuf,
    pub folder: TempDir,
    /// How often each row is run.
    pub pairs: usize,
}

impl Bench {
    /// Runs a row: the baseline, ours, the baseline, ours … so that what disturbs the machine disturbs both.
    pub fn row(&self, name: &str) -> Result<Vec<Figures>> {
        let row = Row::named(name)?;
        let agencies = self.agencies(&row)?;
        let runs = (0..self.pairs).map(|_| {
            let baseline = match row.driver {
                Driver::Calls => None,
                _ => Some(self.baseline(&agencies).context("the baseline")?),
            };
            self.clean()?;
            let run = self.lottery(&row, &agencies, baseline)?;
            self.clean()?;
            Ok(run)
        });
        runs.collect()
    }

    pub fn stored(&self, file: &str) -> PathBuf {
        self.folder.path().join(STORAGE).join(file)
    }

    /// Removes what the last run stored and waits until the medium has whatever it is still to get,
    /// so that no run pays for the one before.
    pub fn clean(&self) -> Result<()> {
        // What is not there need not be removed.
        let _ = fs::remove_dir_all(self.stored(""));
        rustix::fs::sync();
        // A firewall whose table of connections fills drops packets, and a run would measure how long
        // TCP waits to try again. Most machines have no such table.
        let read = |file: &str| {
            let text = fs::read_to_string(format!("/proc/sys/net/netfilter/{file}")).ok()?;
            text.trim().parse::<u64>().ok()
        };
        while let (Some(count), Some(max)) = (read("nf_conntrack_count"), read("nf_conntrack_max"))
            && count > max / 2
        {
            sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Makes what the agencies of a row read, send and show.
    pub fn agencies(&self, row: &Row) -> Result<Agencies> {
        let mut agencies = Agencies::default();
        let plans = Options::plan_of(&row.data)?;
        let authority = || Authority::new(self.folder.path(), plans.len() as u32);
        agencies.authority = row.is_tls.then(authority).transpose()?;
        for plan in plans {
            let baseline = Script::baseline(&plan);
            if row.driver == Driver::Clients {
                let file = format!("agency-{}.csv", plan.agency);
                agencies.files.push(self.folder.path().join(file));
                fs::write(&agencies.files[agencies.plans.len()], &baseline.bytes)?;
            } else {
                let script = Script::of(row.dialect, &plan, row.batch_bets);
                agencies.ours.push(script);
            }
            agencies.baseline.push(baseline);
            agencies.plans.push(plan);
        }
        Ok(agencies)
    }

    /// Seconds of the baseline.
    fn baseline(&self, agencies: &Agencies) -> Result<f64> {
        let program = std::env::current_exe()?;
        let output = self.folder.path().join("baseline.output");
        let mut command = Command::new(&program);
        command.arg("baseline-server").arg(&output);
        let mut server = Process::start(command.stdout(Stdio::piped()), [])?;
        let stdout = server.0.stdout.take().context("no output")?;
        let mut address = String::new();
        BufReader::new(stdout).read_line(&mut address)?;
        let address = address.trim();
        let address: SocketAddr = address.parse()?;
        let outcome = agencies.run(&agencies.baseline, address, 1, None, |_, file| {
            let mut command = Command::new(&program);
            command
                .args(["baseline-agency", &address.to_string()])
                .arg(file);
            Process::start(&mut command, [])
        })?;
        drop(server);
        let scripts = agencies.baseline.iter();
        let sent: usize = scripts.map(|script| script.bytes.len()).sum();
        let stored = output.metadata()?.len() as usize;
        ensure!(stored == sent, "stored {stored} of {sent} bytes");
        fs::remove_file(output)?;
        Ok(outcome.elapsed.as_secs_f64())
    }

    /// Runs a lottery, checks that every bet is stored, and leaves the storage. The baseline took so many
    /// seconds.
    pub fn lottery(
        &self,
        row: &Row,
        agencies: &Agencies,
        baseline: Option<f64>,
    ) -> Result<Figures> {
        let mut command = Command::new(self.programs.join("server"));
        let summary = self.folder.path().join("strace.summary");
        if row.driver == Driver::Calls {
            command = Command::new("strace");
            // With -D the tracer is the grandchild, so that the process we signal is the server.
            command.args(["-D", "-f", "-c", "-o"]).arg(&summary);
            command.arg(self.programs.join("server"));
        }
        let settings = ServerSettings {
            agencies: agencies.plans.len(),
            durability: row.durability,
            dialect: row.dialect,
            tls: agencies.authority.as_ref(),
            has_board: row.has_viewers,
        };
        let server = Server::start(command, self.folder.path(), &settings)?;
        let clients_before = cpu_seconds_of_ended_children()?;
        let (address, tls) = (server.address, agencies.authority.as_ref());
        let start = |id: u32, file: &Path| {
            let mut command = Command::new(self.programs.join("client"));
            let settings = [
                ("CLI_ID", id.to_string()),
                ("CLI_SERVER_ADDRESS", address.to_string()),
                ("CLI_BATCH_MAXAMOUNT", row.batch_bets.to_string()),
                ("CLI_BATCH_WINDOW", row.window.to_string()),
                ("CLI_DATA_PATH", file.to_string_lossy().into_owned()),
            ];
            let files = tls.map(|authority| authority.files(id));
            let names = ["CLI_TLS_CA", "CLI_TLS_CERT", "CLI_TLS_KEY"];
            let files = files.map(|files| names.into_iter().zip(files));
            command.current_dir(self.folder.path());
            let settings = settings.into_iter().chain(files.into_iter().flatten());
            Process::start(command.stdout(Stdio::null()), settings)
        };
        let run = || agencies.run(&agencies.ours, address, row.window, tls, start);
        let outcome = match server.board {
            Some(board) => viewers::watch(board, run)?,
            None => run()?,
        };
        let clients_cpu_seconds = cpu_seconds_of_ended_children()? - clients_before;
        let usage = server.usage()?;
        server.stop()?;
        // A bet has no line break, so its row is a line.
        let stored = fs::read(self.stored("bets.csv"))?;
        let stored = stored.iter().filter(|byte| **byte == b'\n').count() as u64;
        let sent = agencies.plans.iter().map(|plan| u64::from(plan.bets));
        let sent = sent.sum::<u64>();
        ensure!(stored == sent, "{stored} of {sent} bets are stored");
        if row.driver == Driver::Calls {
            let batches: usize = agencies.ours.iter().map(|script| script.ends.len()).sum();
            return calls_per_batch(&summary, batches as f64);
        }
        let (bets, seconds) = (sent as f64, outcome.elapsed.as_secs_f64());
        let kernel_share = (usage.kernel_seconds / usage.cpu_seconds).min(1.0);
        let mut run = figures([("bets/s", bets / seconds)]);
        run.extend(figures(
            baseline.map(|baseline| ("× baseline", seconds / baseline)),
        ));
        run.extend(figures([
            ("server CPU, ns/bet", usage.cpu_seconds * 1e9 / bets),
            ("in the kernel, %", kernel_share * 100.0),
            ("server memory, MiB", usage.peak_mib),
        ]));
        if row.driver == Driver::Clients {
            let ns = clients_cpu_seconds * 1e9 / bets;
            run.extend(figures([("clients' CPU, ns/bet", ns)]));
        } else if !outcome.answer_ns.is_empty() {
            let ms = |share| outcome.answer_ns.value_at_quantile(share) as f64 / 1e6;
            run.extend(figures(ANSWER_MS.map(|(share, name)| (name, ms(share)))));
        }
        Ok(run)
    }
}

/// The agencies of a row, ready to be started: files for processes, or scripts for the load.
#[derive(Default)]
pub struct Agencies {
    pub plans: Vec<AgencyPlan>,
    files: Vec<PathBuf>,
    ours: Vec<Script>,
    baseline: Vec<Script>,
    authority: Option<Authority>,
}

impl Agencies {
    /// Runs the load, or a process for each file, which does not tell its answer times: from the
    /// start of the first to the end of the last.
    fn run(
        &self,
        scripts: &[Script],
        address: SocketAddr,
        window: u32,
        tls: Option<&Authority>,
        start: impl Fn(u32, &Path) -> Result<Process>,
    ) -> Result<Outcome> {
        if self.files.is_empty() {
            return load::run(address, scripts, window, tls);
        }
        let started = Instant::now();
        let processes = (1..).zip(&self.files).map(|(id, file)| start(id, file));
        for mut process in processes.collect::<Result<Vec<_>>>()? {
            let status = process.0.wait()?;
            ensure!(status.success(), "an agency failed: {status}");
        }
        Ok(Outcome {
            elapsed: started.elapsed(),
            answer_ns: Histogram::new(3)?,
        })
    }
}

/// Waits until strace has written its summary, which it does after the server has ended, and reads
/// lines such as ` 95.00    0.1    7    12345    11 epoll_wait`: share, seconds, microseconds a call,
/// calls, errors if any, name.
fn calls_per_batch(summary: &Path, batches: f64) -> Result<Figures> {
    let text = loop {
        let text = fs::read_to_string(summary)?;
        if text.ends_with("total\n") {
            break text;
        }
        sleep(Duration::from_millis(10));
    };
    let calls = text.lines().filter_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let count: f64 = words.get(3)?.parse().ok()?;
        Some((*words.last()?, count / batches))
    });
    let mut calls = figures(calls);
    calls.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    calls.truncate(1 + CALLS_SHOWN);
    fs::remove_file(summary)?;
    Ok(calls)
}
