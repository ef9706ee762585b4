//! One run: the central, its agencies, the draw, and the end of them all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::agency::Agency;
use crate::event::{Event, Events, Who};
use crate::log_line::LogLine;
use crate::options::Plan;
use crate::process::Process;
use crate::progress::{self, Display};

/// How long the central may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// How long nobody may say anything while the lottery runs. An agency gives up on its own after a
/// minute without the central, so this is for what nobody foresaw.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(90);

/// How long a process may take to end when asked to; the programs promise a second.
const END_TIMEOUT: Duration = Duration::from_secs(3);

/// How long to wait for an event before looking at the clock.
const TICK: Duration = Duration::from_millis(100);

/// How many failures of one process are shown as they happen; a file may have a thousand bad rows.
const FAILURES_SHOWN: u32 = 5;
const FAILURES_SHOWN_AND_ONE: u32 = FAILURES_SHOWN + 1;

/// How a run went.
#[derive(Debug)]
pub struct Outcome {
    /// The agencies, by number.
    pub agencies: Vec<Agency>,
    /// What went wrong.
    pub troubles: Vec<String>,
    /// The signal that ended the run early.
    pub interrupted: Option<i32>,
}

/// Runs the lottery. When this returns, no process of it is left.
///
/// # Errors
///
/// When it could not begin, or not clean up.
pub fn hold(plan: &Plan) -> Result<Outcome> {
    let events = Events::watch().context("watching for signals")?;
    let scratch = tempfile::Builder::new()
        .prefix("lottery-")
        .tempdir()
        .context("making a temporary folder")?;
    let storage = match &plan.storage {
        Some(folder) => folder.clone(),
        None => scratch.path().join("storage"),
    };
    fs::create_dir_all(&storage)
        .with_context(|| format!("making the folder {}", storage.display()))?;

    let outcome = Run::new(plan, scratch.path(), storage, events).hold();
    scratch.close().context("removing the temporary folder")?;
    Ok(outcome)
}

/// Why a run ends before its time.
enum Stop {
    /// The user wants it.
    Interrupted,
    /// It cannot go on.
    Trouble(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Trouble(format!("writing to standard output: {error}"))
    }
}

struct Run<'a> {
    plan: &'a Plan,
    /// An empty folder to run in, so that no configuration file of the user's is found.
    work_folder: &'a Path,
    storage: PathBuf,
    events: Events,
    display: Box<dyn Display>,
    /// The processes so far, by [`Who::index`].
    processes: Vec<Process>,
    agencies: Vec<Agency>,
    /// The agencies that have not sent everything, by the central's count.
    missing: u32,
    port: Option<u16>,
    interrupted: Option<i32>,
    last_heard: Instant,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, work_folder: &'a Path, storage: PathBuf, events: Events) -> Run<'a> {
        let now = Instant::now();
        let agencies: Vec<Agency> = (1..)
            .zip(&plan.files)
            .map(|(number, file)| Agency::new(number, file.bets, now))
            .collect();
        Run {
            plan,
            work_folder,
            storage,
            events,
            display: progress::choose(&agencies),
            processes: Vec::new(),
            missing: agencies.len() as u32,
            agencies,
            port: None,
            interrupted: None,
            last_heard: now,
        }
    }

    fn hold(mut self) -> Outcome {
        let mut troubles = Vec::new();
        match self.proceed() {
            Ok(()) => {
                troubles.extend(self.end_processes());
                troubles.extend(
                    self.processes
                        .iter()
                        .filter(|process| !process.succeeded())
                        .map(|process| process.failure("")),
                );
            }
            Err(stop) => {
                if let Stop::Trouble(trouble) = stop {
                    troubles.push(trouble);
                }
                troubles.extend(self.end_processes());
            }
        }
        self.display.finish();
        Outcome {
            agencies: self.agencies,
            troubles,
            interrupted: self.interrupted,
        }
    }

    /// Everything up to the end of the last agency.
    fn proceed(&mut self) -> Result<(), Stop> {
        let port = self.start_central()?;
        for number in 1..=self.plan.files.len() as u32 {
            self.start_agency(number, port)?;
        }
        while !self.processes[1..].iter().all(Process::is_over) {
            self.step()?;
            self.check_agencies()?;
        }
        Ok(())
    }

    /// Starts the central and waits for its port.
    fn start_central(&mut self) -> Result<u16, Stop> {
        let mut command = Command::new(&self.plan.server_program);
        command
            .args(["--server-port", "0", "--server-bind", "127.0.0.1"])
            .args(["--num-agencies", &self.plan.files.len().to_string()])
            .args(["--logging-level", "INFO"])
            .arg("--storage-dir")
            .arg(&self.storage);
        self.start(Who::Central, command)?;
        let started = Instant::now();
        loop {
            if let Some(port) = self.port {
                let storage = self.storage.display();
                self.display.say(&format!(
                    "central: listens on 127.0.0.1:{port}, stores in {storage}"
                ))?;
                return Ok(port);
            }
            if started.elapsed() > START_TIMEOUT {
                let what = format!(" does not listen after {} s", START_TIMEOUT.as_secs());
                return Err(Stop::Trouble(self.processes[0].failure(&what)));
            }
            self.step()?;
        }
    }

    fn start_agency(&mut self, number: u32, port: u16) -> Result<(), Stop> {
        let index = number as usize - 1;
        let mut command = Command::new(&self.plan.client_program);
        command
            .args(["--id", &number.to_string()])
            .args(["--server-address", &format!("127.0.0.1:{port}")])
            .args(["--log-level", "INFO"])
            .arg("--data-path")
            .arg(&self.plan.files[index].path);
        self.agencies[index].started = Instant::now();
        self.agencies[index].last_sent = self.agencies[index].started;
        self.start(Who::Agency(number), command)
    }

    fn start(&mut self, who: Who, mut command: Command) -> Result<(), Stop> {
        command.current_dir(self.work_folder);
        let process = Process::start(who, &mut command, self.events.sender()).map_err(|error| {
            let program = command.get_program().display();
            Stop::Trouble(format!("{who}: starting {program}: {error}"))
        })?;
        self.processes.push(process);
        Ok(())
    }

    /// Whether every agency can still get its winners. One that ended without them keeps the draw
    /// from being held, and all the others waiting.
    fn check_agencies(&self) -> Result<(), Stop> {
        for (process, agency) in self.processes[1..].iter().zip(&self.agencies) {
            if process.is_over() && agency.winners.is_none() {
                let trouble = process.failure(" before it got its winners");
                return Err(Stop::Trouble(trouble));
            }
        }
        let silence = self.last_heard.elapsed();
        if silence > SILENCE_TIMEOUT {
            let seconds = silence.as_secs();
            let what = format!(" and the agencies have said nothing for {seconds} s");
            return Err(Stop::Trouble(self.processes[0].failure(&what)));
        }
        Ok(())
    }

    /// Handles the next event, if one comes soon. Whatever the run waits for, it does not go on
    /// without the central, or against the user.
    fn step(&mut self) -> Result<(), Stop> {
        self.handle_event()?;
        if self.interrupted.is_some() {
            return Err(Stop::Interrupted);
        }
        match self.processes.first() {
            Some(central) if central.is_over() => Err(Stop::Trouble(
                central.failure(" before the lottery was over"),
            )),
            _ => Ok(()),
        }
    }

    fn handle_event(&mut self) -> io::Result<()> {
        let event = self.events.next(TICK);
        if self.interrupted.is_none() && self.events.end_signal().is_some() {
            self.interrupted = self.events.end_signal();
            self.display.interrupt();
        }
        match event {
            Some(Event::Line { who, text, at }) => return self.hear(who, text, at),
            Some(Event::OutputEnded(who)) => {
                if let Some(process) = self.processes.get_mut(who.index()) {
                    process.output_ended();
                }
            }
            // Without an event there is time to look too.
            Some(Event::Signal) | None => self.processes.iter_mut().for_each(Process::look),
        }
        Ok(())
    }

    fn hear(&mut self, who: Who, text: String, at: Instant) -> io::Result<()> {
        self.last_heard = at;
        if let Some(line) = LogLine::parse(&text) {
            if line.result == "fail" {
                self.show_failure(who, line)?;
            }
            match who {
                Who::Central => self.hear_central(line)?,
                Who::Agency(number) => {
                    let agency = &mut self.agencies[number as usize - 1];
                    if agency.hear(line, at) {
                        self.display.agency(agency, self.missing)?;
                    }
                }
            }
        }
        if let Some(process) = self.processes.get_mut(who.index()) {
            process.remember(text);
        }
        Ok(())
    }

    fn hear_central(&mut self, line: LogLine<'_>) -> io::Result<()> {
        if line.is_success_of("listen") {
            self.port = line.number("port");
        } else if line.is_success_of("agencia_lista") {
            self.missing = line.number("faltan").unwrap_or(self.missing);
            let closed: Option<u32> = line.number("agencia");
            for agency in &mut self.agencies {
                agency.is_closed |= Some(agency.number) == closed;
                self.display.agency(agency, self.missing)?;
            }
        } else if line.is_success_of("sorteo") {
            self.display.drawn()?;
        }
        Ok(())
    }

    fn show_failure(&mut self, who: Who, line: LogLine<'_>) -> io::Result<()> {
        let Some(process) = self.processes.get_mut(who.index()) else {
            return Ok(());
        };
        process.failures += 1;
        match process.failures {
            ..=FAILURES_SHOWN => self.display.say(&format!("{who}: {}", line.message)),
            FAILURES_SHOWN_AND_ONE => self.display.say(&format!("{who}: … and further failures")),
            _ => Ok(()),
        }
    }

    /// Ends what still runs, the agencies before their central; says which had to be killed.
    fn end_processes(&mut self) -> Vec<String> {
        let mut killed = self.end_those(|who| who != Who::Central);
        killed.extend(self.end_those(|who| who == Who::Central));
        killed
    }

    fn end_those(&mut self, are_meant: impl Fn(Who) -> bool) -> Vec<String> {
        let is_left = |process: &Process| are_meant(process.who) && !process.is_over();
        let left = self.processes.iter().filter(|process| is_left(process));
        left.for_each(Process::terminate);
        let asked = Instant::now();
        while self.processes.iter().any(is_left) && asked.elapsed() < END_TIMEOUT {
            // What cannot be shown any more must not keep the processes alive.
            let _ = self.handle_event();
        }
        let left = self.processes.iter_mut().filter(|process| is_left(process));
        left.map(|process| {
            let seconds = END_TIMEOUT.as_secs();
            let what = format!(" did not end within {seconds} s of SIGTERM and was killed");
            let failure = process.failure(&what);
            process.kill();
            failure
        })
        .collect()
    }
}
