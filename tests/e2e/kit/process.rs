//! Programs that run, and how they ended.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{Dataset, Log, PATIENCE, Program, wait_until};

/// The signals that ask a program to end, with their names in the log.
pub const SIGNALS: [(&str, Signal); 2] = [("SIGTERM", Signal::TERM), ("SIGINT", Signal::INT)];

/// How long a graceful shutdown may take. One second is promised; a busy machine may need more.
const SHUTDOWN_MAX: Duration = Duration::from_secs(10);

/// How a program ended, and everything it said.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    pub log: Log,
    pub complaints: String,
    /// The time from its start, or from the signal that asked it to end.
    pub took: Duration,
}

impl Ended {
    /// Expects exit code 0, and that nothing failed and nothing was complained of.
    pub fn expect_success(&self) {
        assert_eq!(self.code, Some(0), "{self:#?}");
        assert_eq!(self.complaints, "");
        assert_eq!(self.log.count("result: fail"), 0, "{self:#?}");
    }

    /// Expects this exit code and one line on standard error. `…` in what it must contain stands
    /// for anything.
    pub fn expect_complaint(&self, code: i32, expected: &str) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert_eq!(self.complaints.lines().count(), 1, "{self:#?}");
        let complaints = &self.complaints[..];
        let mut parts = expected.split('…');
        let found = parts.try_fold(complaints, |rest, part| Some(rest.split_once(part)?.1));
        assert!(found.is_some(), "{expected:?} in {complaints:?}");
    }

    /// Expects a graceful shutdown by this signal: a line for the signal, one for each thing closed,
    /// and the last one. Gives the lines in between.
    pub fn expect_graceful(&self, signal: &str) -> Vec<&str> {
        self.expect_success();
        assert!(self.took < SHUTDOWN_MAX, "{:?}", self.took);
        let events = self.log.events();
        let [first, closed @ .., last] = &events[self.log.position("signal_received")..] else {
            panic!("no line behind the signal: {events:#?}");
        };
        let received = format!("action: signal_received | result: success | signal: {signal}");
        assert_eq!(*first, received);
        assert_eq!(*last, "action: shutdown | result: success");
        for event in closed {
            let is_closing = event.starts_with("action: close_") && event.contains(": success");
            assert!(is_closing, "{events:#?}");
        }
        closed.to_vec()
    }

    /// Expects that an agency with this file ended well and with its own winners.
    pub fn expect_winners(&self, dataset: &Dataset) {
        self.expect_success();
        assert_eq!(self.winners(), dataset.winners());
    }

    /// The winners that an agency logged, in two lines and once.
    pub fn winners(&self) -> Vec<u32> {
        let asked = "action: consulta_ganadores | result: success";
        let told = "action: ganadores | result: success";
        assert_eq!(self.log.position(told), self.log.position(asked) + 1);
        let told = self.log.values(told, "dnis");
        assert_eq!(told.len(), 1, "{self:#?}");
        let documents = told[0].split(',').filter(|part| !part.is_empty());
        let documents: Vec<u32> = documents.map(|part| part.parse().unwrap()).collect();
        let count = documents.len().to_string();
        assert_eq!(self.log.values(asked, "cant_ganadores"), [count]);
        documents
    }
}

/// Waits until the agencies with these files end, each of them at the first try and with its own winners.
pub fn expect_winners(agencies: Vec<Process>, datasets: &[Dataset]) -> Vec<Ended> {
    assert_eq!(agencies.len(), datasets.len());
    let ended: Vec<Ended> = agencies.into_iter().map(Process::wait_for_end).collect();
    for (ended, dataset) in ended.iter().zip(datasets) {
        ended.expect_winners(dataset);
        assert_eq!(ended.log.count("in_progress"), 0, "{ended:#?}");
    }
    ended
}

/// A running program. It is killed when the test drops it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Keeps its folder.
    program: Program,
    started: Instant,
    output: Mutex<Output>,
}

/// The log so far, and where its next lines come from.
#[derive(Debug)]
struct Output(Log, Receiver<String>);

impl Process {
    /// Starts a program with its log in `output`: in a pipe, where the test sees it, or elsewhere.
    pub fn start(program: &Program, output: Stdio) -> Process {
        let started = Instant::now();
        let mut command = program.command();
        command.stdin(Stdio::null()).stdout(output);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).split(b'\n') {
                    let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
                    // The test may have dropped the process.
                    let _ = sender.send(line);
                }
            });
        }
        Process {
            child,
            program: program.clone(),
            started,
            output: Mutex::new(Output(Log::default(), lines)),
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The log so far. A line may be missing that the program wrote a moment ago.
    pub fn log(&self) -> Log {
        let mut output = self.output();
        while output.next(Duration::ZERO) {}
        output.0.clone()
    }

    pub fn wait_for_line(&self, text: &str) {
        self.wait_for_lines(text, 1);
    }

    pub fn wait_for_lines(&self, text: &str, count: usize) {
        let mut output = self.output();
        let mut found = output.0.count(text);
        while found < count {
            if !output.next(PATIENCE) {
                let log = &output.0;
                panic!("expected {count} lines with {text:?} and not {found}: {log:#?}");
            }
            found += usize::from(output.0.last().unwrap().contains(text));
        }
    }

    pub fn wait_for_end(mut self) -> Ended {
        let mut output = self.output();
        while output.next(PATIENCE) {}
        let log = output.0.clone();
        drop(output);
        wait_until(|| self.child.try_wait().unwrap().is_some());
        let mut complaints = String::new();
        let stderr = self.child.stderr.as_mut().unwrap();
        stderr.read_to_string(&mut complaints).unwrap();
        Ended {
            code: self.child.wait().unwrap().code(),
            log,
            complaints,
            took: self.started.elapsed(),
        }
    }

    pub fn terminate(self) -> Ended {
        self.end_by(Signal::TERM)
    }

    pub fn end_by(mut self, signal: Signal) -> Ended {
        self.started = Instant::now();
        self.signal(signal);
        self.wait_for_end()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn output(&self) -> MutexGuard<'_, Output> {
        self.output
            .lock()
            .unwrap_or_else(|error| error.into_inner())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let log = self.log();
        if std::thread::panicking() {
            eprintln!("{:?} said: {log:#?}", self.program);
        } else if self.program.logs() {
            log.events();
        }
    }
}

impl Output {
    /// Waits for the next line. There is none when patience or the program has ended.
    fn next(&mut self, patience: Duration) -> bool {
        let line = self.1.recv_timeout(patience);
        line.map(|line| self.0.0.push(line)).is_ok()
    }
}
