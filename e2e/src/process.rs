//! A program that runs beside the test, and what it says.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{PATIENCE, log};

/// How a program ended, with everything it said.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// The lines of its log.
    pub log: Vec<String>,
    /// The lines of its standard error.
    pub complaints: Vec<String>,
    /// How long it took to end from when it was asked to, or from its start.
    pub took: Duration,
}

impl Ended {
    /// Whatever a test is about, each line of a log has the agreed form.
    pub(crate) fn in_good_form(self) -> Ended {
        for line in &self.log {
            log::event(line);
        }
        self
    }
}

/// A running program. It is killed when the test lets go of it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    started: Instant,
    said: Arc<Said>,
    readers: Vec<JoinHandle<()>>,
}

/// What a program has said so far.
#[derive(Debug, Default)]
struct Said {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    log: Vec<String>,
    complaints: Vec<String>,
    streams_ended: usize,
}

impl State {
    fn has_ended(&self) -> bool {
        self.streams_ended == 2
    }
}

impl Process {
    pub fn start(command: &mut Command) -> Process {
        let started = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Said::default());
        let log = child.stdout.take().unwrap();
        let complaints = child.stderr.take().unwrap();
        let readers = vec![
            Said::listen(&said, log, |state| &mut state.log),
            Said::listen(&said, complaints, |state| &mut state.complaints),
        ];
        Process {
            child,
            started,
            said,
            readers,
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> Vec<String> {
        self.said.lock().log.clone()
    }

    /// Waits until `count` lines of the log contain `text`, and gives the last of these.
    pub fn wait_for_lines(&self, text: &str, count: usize) -> String {
        let found = self.said.wait_until(|state| {
            let mut matching = state.log.iter().filter(|line| line.contains(text));
            matching.nth(count - 1).cloned()
        });
        found.unwrap_or_else(|state| {
            panic!("expected {count} lines with {text:?} in the log:\n{state}")
        })
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Sends a signal and waits for the end.
    pub fn end_by(&mut self, signal: Signal) -> Ended {
        self.started = Instant::now();
        self.signal(signal);
        self.wait_for_end()
    }

    pub fn wait_for_end(&mut self) -> Ended {
        let ended = self
            .said
            .wait_until(|state| state.has_ended().then_some(()));
        if let Err(state) = ended {
            panic!("expected the program to end; it said:\n{state}");
        }
        let status = self.child.wait().unwrap();
        let took = self.started.elapsed();
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        let state = self.said.lock();
        Ended {
            code: status.code(),
            log: state.log.clone(),
            complaints: state.complaints.clone(),
            took,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the program said:\n{}", self.said.lock());
        }
    }
}

impl Said {
    fn listen(
        said: &Arc<Said>,
        stream: impl Read + Send + 'static,
        lines: fn(&mut State) -> &mut Vec<String>,
    ) -> JoinHandle<()> {
        let said = Arc::clone(said);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n') {
                let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
                lines(&mut said.lock()).push(line);
                said.changed.notify_all();
            }
            said.lock().streams_ended += 1;
            said.changed.notify_all();
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|error| error.into_inner())
    }

    /// Waits until `found` gives something; gives up with what was said when patience or the
    /// program has ended.
    fn wait_until<T>(&self, mut found: impl FnMut(&State) -> Option<T>) -> Result<T, String> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.lock();
        loop {
            if let Some(found) = found(&state) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.has_ended() {
                return Err(state.to_string());
            }
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for line in self.log.iter().chain(&self.complaints) {
            writeln!(formatter, "  {line}")?;
        }
        Ok(())
    }
}
