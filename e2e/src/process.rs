//! A program that runs beside the test, and what it says.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{PATIENCE, log};

/// How long a program may take to end when it is asked to. The specification says one second; a
/// machine that does much else may need more.
const ENDING_TOOK_MAX: Duration = Duration::from_secs(5);

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
    /// Expects that it ended with this code and one line on standard error, which has these parts.
    pub fn expect_complaint(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        let [complaint] = &self.complaints[..] else {
            panic!("expected one line on standard error: {self:#?}");
        };
        for part in parts {
            assert!(complaint.contains(part), "{part:?} in {complaint:?}");
        }
    }

    /// Expects that it was configured wrongly, and said no more than that, with these parts.
    pub fn expect_mistake(&self, parts: &[&str]) {
        assert_eq!(self.log, [""; 0]);
        self.expect_complaint(2, parts);
    }

    /// Expects that it obeyed this signal as both programs do: with a line for that, one for each
    /// thing that was closed, and one that says goodbye; gives the events between the first and
    /// the last.
    pub fn expect_good_order(&self, signal: &str) -> Vec<&str> {
        assert_eq!(self.code, Some(0), "{self:#?}");
        assert!(self.took < ENDING_TOOK_MAX, "{:?}", self.took);
        assert_eq!(log::count(&self.log, "result: fail"), 0, "{self:#?}");
        let received = log::position(&self.log, "action: signal_received");
        let events: Vec<&str> = self.log[received..]
            .iter()
            .map(|line| log::event(line))
            .collect();
        let [first, closed @ .., last] = &events[..] else {
            panic!("no line after {events:?}");
        };
        assert_eq!(
            *first,
            format!("action: signal_received | result: success | signal: {signal}")
        );
        assert_eq!(*last, "action: shutdown | result: success");
        assert!(
            closed.iter().all(|event| {
                event.starts_with("action: close_") && event.contains(" | result: success")
            }),
            "{events:#?}"
        );
        closed.to_vec()
    }

    /// The winners that an agency was told, once.
    pub fn winners(&self) -> Vec<u32> {
        let asked = "action: consulta_ganadores | result: success";
        let told = "action: ganadores | result: success";
        assert_eq!(log::count(&self.log, asked), 1, "{self:#?}");
        assert_eq!(log::count(&self.log, told), 1, "{self:#?}");
        let position = log::position(&self.log, asked);
        let count = log::value(&self.log[position], "cant_ganadores");
        let documents = log::value(&self.log[position + 1], "dnis");
        let documents: Vec<u32> = documents
            .split(',')
            .filter(|document| !document.is_empty())
            .map(|document| document.parse().unwrap())
            .collect();
        assert_eq!(count, documents.len().to_string());
        documents
    }

    /// Whatever a test is about, each line of a log has the agreed form.
    pub(crate) fn in_good_form(self) -> Ended {
        for line in &self.log {
            log::event(line);
        }
        self
    }
}

/// A signal that asks a program to end, and its name in the log.
pub const ENDING_SIGNALS: [(&str, Signal); 2] =
    [("SIGTERM", Signal::TERM), ("SIGINT", Signal::INT)];

/// A running program. It is killed when the test lets go of it.
#[derive(Debug)]
pub struct Process {
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
    pub(crate) fn start(command: &mut Command) -> Process {
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

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The log so far. A line may be missing that the program wrote a moment ago.
    pub fn log(&self) -> Vec<String> {
        self.said.lock().log.clone()
    }

    /// Whether it has ended, by itself or not.
    pub fn has_ended(&self) -> bool {
        self.said.lock().has_ended()
    }

    /// Waits until the log has a line with `text`, and gives the first.
    pub fn wait_for_line(&self, text: &str) -> String {
        self.wait_for_lines(text, 1)
    }

    /// Waits until `count` lines of the log contain `text`, and gives the last of these.
    pub fn wait_for_lines(&self, text: &str, count: usize) -> String {
        // Each line is looked at once, however often the log has grown.
        let (mut seen, mut matching) = (0, 0);
        let found = self.said.wait_until(|state| {
            let new = &state.log[seen..];
            seen = state.log.len();
            let mut new = new.iter().filter(|line| line.contains(text));
            let last = new.find(|_| {
                matching += 1;
                matching == count
            });
            last.cloned()
        });
        found.unwrap_or_else(|state| {
            panic!("expected {count} lines with {text:?} in the log:\n{state}")
        })
    }

    /// Sends a signal and waits for the end.
    pub(crate) fn end_by(&mut self, signal: Signal) -> Ended {
        self.started = Instant::now();
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.wait_for_end()
    }

    pub(crate) fn wait_for_end(&mut self) -> Ended {
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
