//! A child process: its start, its last words, and its end.

use std::collections::VecDeque;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::event::{Event, Who, read_lines};

/// How many of its last lines are told when a process fails.
const LAST_LINES: usize = 5;

/// How long to wait for the last lines of a process that has ended. They are in the pipe by then;
/// only an heir of the pipe, which none of our programs has, could keep it open.
const LAST_LINES_TIMEOUT: Duration = Duration::from_secs(1);

/// What children get of our environment. Everything else stays out, since each of their settings
/// can be an environment variable, and a leftover of the user's would change the run.
const VARIABLES_PASSED: [&str; 7] = [
    "HOME",
    "LANG",
    "LD_LIBRARY_PATH",
    "LLVM_PROFILE_FILE",
    "PATH",
    "RUST_BACKTRACE",
    "TMPDIR",
];

/// A child process. Dropping it kills what still runs, so that no way out leaves one behind.
#[derive(Debug)]
pub struct Process {
    /// Who it is.
    pub who: Who,
    /// How many failures it has logged.
    pub failures: u32,
    child: Child,
    last_lines: VecDeque<String>,
    output_ended: bool,
    ended: Option<(ExitStatus, Instant)>,
}

impl Process {
    /// Starts `command`, whose output goes to `events`.
    ///
    /// # Errors
    ///
    /// When the system cannot start it.
    pub fn start(
        who: Who,
        command: &mut Command,
        events: &SyncSender<Event>,
    ) -> io::Result<Process> {
        let (output, input) = io::pipe()?;
        let passed = VARIABLES_PASSED
            .into_iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?)));
        let child = command
            .env_clear()
            .envs(passed)
            .stdin(Stdio::null())
            .stdout(input.try_clone()?)
            .stderr(input)
            // A group of its own, so that Ctrl-C comes to us alone and we end all in good order.
            .process_group(0)
            .spawn();
        // The command holds our ends of the pipe, which would keep the output open for ever.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process {
            who,
            failures: 0,
            child: child?,
            last_lines: VecDeque::new(),
            output_ended: false,
            ended: None,
        };
        read_lines(who, output, events.clone())?;
        Ok(process)
    }

    /// Keeps a line, in case it is among the last.
    pub fn remember(&mut self, line: String) {
        if self.last_lines.len() == LAST_LINES {
            self.last_lines.pop_front();
        }
        self.last_lines.push_back(line);
    }

    /// Notes that no line will come any more.
    pub fn output_ended(&mut self) {
        self.output_ended = true;
    }

    /// Looks whether the process has ended.
    pub fn look(&mut self) {
        if self.ended.is_none()
            && let Ok(Some(status)) = self.child.try_wait()
        {
            self.ended = Some((status, Instant::now()));
        }
    }

    /// Whether it has ended and said all it had to say.
    pub fn is_over(&self) -> bool {
        self.ended
            .is_some_and(|(_, at)| self.output_ended || at.elapsed() > LAST_LINES_TIMEOUT)
    }

    /// Whether it has ended with exit code 0.
    pub fn succeeded(&self) -> bool {
        self.ended.is_some_and(|(status, _)| status.success())
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        // Until we have waited for it, even a dead process keeps its number, so that no stranger
        // is hit; and one that is dead already has nothing to be asked.
        if self.ended.is_none() {
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        }
    }

    /// Ends it.
    pub fn kill(&mut self) {
        if self.ended.is_none() && self.child.kill().is_ok() {
            let status = self.child.wait();
            self.ended = status.ok().map(|status| (status, Instant::now()));
        }
    }

    /// A failure in full: who, how it ended, `what` else is to be said, and its own last lines.
    pub fn failure(&self, what: &str) -> String {
        let who = self.who;
        let end = match self.ended.map(|(status, _)| status) {
            None => String::new(),
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!(" ended with exit code {code}"),
                (None, signal) => format!(
                    " was ended by {}",
                    signal
                        .and_then(signal_hook::low_level::signal_name)
                        .unwrap_or("a signal")
                ),
            },
        };
        let mut text = format!("{who}{end}{what}");
        if self.last_lines.is_empty() {
            text.push_str("; it said nothing");
        } else {
            text.push_str("; its last lines:");
        }
        for line in &self.last_lines {
            text.push_str("\n    ");
            text.push_str(line);
        }
        text
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
