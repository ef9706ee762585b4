//! The server's program as a process.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::{Ended, Process};
use crate::wire::HandBet;
use crate::{Answer, HandAgency, address, binaries, log};

const STORAGE: &str = "storage";

/// How a server is to be started. It works in a temporary folder of its own, where its `config.ini`
/// is, and where its files are in a folder within. Servers started from clones share these.
#[derive(Clone, Debug)]
pub struct ServerSetup {
    folder: Arc<TempDir>,
    /// The file's settings; a port of the system's choice among them.
    settings: BTreeMap<String, String>,
    /// What the file says instead of the settings.
    file: Option<Vec<u8>>,
    environment: Vec<(String, String)>,
    arguments: Vec<OsString>,
    own_address: Option<SocketAddr>,
    /// The shell's options for a limit of open descriptors.
    descriptors: Option<String>,
}

impl ServerSetup {
    /// A lottery for `agencies` on a port of the system's choice, which logs everything.
    pub fn lottery(agencies: u32) -> ServerSetup {
        let setup = ServerSetup {
            folder: Arc::new(tempfile::tempdir().unwrap()),
            settings: BTreeMap::new(),
            file: None,
            environment: Vec::new(),
            arguments: Vec::new(),
            own_address: None,
            descriptors: None,
        };
        setup
            .setting("SERVER_PORT", "0")
            .setting("SERVER_BIND", "127.0.0.1")
            .setting("STORAGE_DIR", STORAGE)
            .setting("LOGGING_LEVEL", "DEBUG")
            .setting("NUM_AGENCIES", &agencies.to_string())
    }

    /// An echo server on a port of the system's choice.
    pub fn echo() -> ServerSetup {
        ServerSetup::lottery(0).setting("SERVER_MODE", "echo")
    }

    /// Sets a key in the file.
    pub fn setting(mut self, key: &str, value: &str) -> ServerSetup {
        self.settings.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Sets a variable of the environment, which has no others.
    pub fn env(mut self, variable: &str, value: &str) -> ServerSetup {
        self.environment
            .push((variable.to_owned(), value.to_owned()));
        self
    }

    /// Adds an argument to the command line.
    pub fn arg(mut self, argument: impl Into<OsString>) -> ServerSetup {
        self.arguments.push(argument.into());
        self
    }

    /// Makes these bytes the file, instead of any settings.
    pub fn file(mut self, bytes: impl Into<Vec<u8>>) -> ServerSetup {
        self.file = Some(bytes.into());
        self
    }

    /// Gives the server an address of its own, where it is found again when it is started again,
    /// and which is known before.
    pub fn with_own_address(mut self) -> ServerSetup {
        let address = address::own();
        self.own_address = Some(address);
        self.setting("SERVER_BIND", &address.ip().to_string())
            .setting("SERVER_PORT", &address.port().to_string())
    }

    /// The address of its own.
    pub fn own_address(&self) -> SocketAddr {
        self.own_address.expect("it was given one")
    }

    /// Lets the server have no more than `most` descriptors open.
    pub fn descriptors_max(mut self, most: u32) -> ServerSetup {
        self.descriptors = Some(format!("-n {most}"));
        self
    }

    /// Starts the server with this limit of open descriptors, which it may raise.
    pub fn descriptors_at_start(mut self, few: u32) -> ServerSetup {
        self.descriptors = Some(format!("-S -n {few}"));
        self
    }

    /// The folder in which the server works.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder in which the server's files are.
    pub fn storage(&self) -> PathBuf {
        self.folder().join(STORAGE)
    }

    /// The bytes of `bets.csv`, as text.
    pub fn bets_file(&self) -> String {
        std::fs::read_to_string(self.storage().join("bets.csv")).unwrap()
    }

    /// The bytes of `closings.csv`, as text.
    pub fn closings_file(&self) -> String {
        std::fs::read_to_string(self.storage().join("closings.csv")).unwrap()
    }

    /// Starts the server and waits until it listens.
    pub fn start(&self) -> ServerProcess {
        let process = self.start_process();
        let line = process.wait_for_lines("action: listen | result: success", 1);
        let address = format!("{}:{}", log::value(&line, "ip"), log::value(&line, "port"));
        ServerProcess {
            process,
            setup: self.clone(),
            address: address.parse().unwrap(),
        }
    }

    /// Runs a server that is expected to end by itself.
    pub fn run(&self) -> Ended {
        self.start_process().wait_for_end()
    }

    /// Sends SIGTERM to a server as soon as its log has a line with `text`, whether it listens or
    /// not.
    pub fn terminate_at(&self, text: &str) -> Ended {
        let mut process = self.start_process();
        process.wait_for_lines(text, 1);
        process.end_by(Signal::TERM)
    }

    /// Starts a server and ends it with SIGKILL after `moment`, whether it listens or not.
    pub fn kill_after(&self, moment: impl FnOnce()) -> Ended {
        let mut process = self.start_process();
        moment();
        process.end_by(Signal::KILL).in_good_form()
    }

    fn start_process(&self) -> Process {
        Process::start(&mut self.command())
    }

    fn command(&self) -> Command {
        let settings = self.settings.iter();
        let settings: String = settings
            .map(|(key, value)| format!("{key} = {value}\n"))
            .collect();
        let file = match &self.file {
            Some(file) => file.clone(),
            None => format!("[DEFAULT]\n{settings}").into_bytes(),
        };
        std::fs::write(self.folder().join("config.ini"), file).unwrap();
        let mut command = match &self.descriptors {
            None => Command::new(binaries::server()),
            Some(limit) => {
                let script = format!("ulimit {limit} && exec \"$0\" \"$@\"");
                let mut shell = Command::new("/bin/sh");
                shell.arg("-c").arg(script).arg(binaries::server());
                shell
            }
        };
        command
            .current_dir(self.folder())
            .env_clear()
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .args(&self.arguments);
        command
    }
}

/// A server that listens. It is killed when the test lets go of it.
#[derive(Debug)]
pub struct ServerProcess {
    process: Process,
    setup: ServerSetup,
    address: SocketAddr,
}

impl ServerProcess {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How it was started; its files are reached by this, and further servers in its place.
    pub fn setup(&self) -> &ServerSetup {
        &self.setup
    }

    /// The most memory that it has had so far, in bytes.
    pub fn memory_peak_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = peak.unwrap().trim().strip_suffix(" kB").unwrap();
        kilobytes.parse::<u64>().unwrap() * 1024
    }

    /// A new connection to it.
    pub fn connect(&self) -> HandAgency {
        HandAgency::connect(self.address)
    }

    /// A new connection of an agency without bets, which was welcomed.
    pub fn newcomer(&self, agency: u32) -> HandAgency {
        let mut connection = self.connect();
        assert_eq!(connection.hello(agency), Answer::welcome(&[], 0));
        connection
    }

    /// A new connection of an agency that has sent these bets and waits for the draw by now. It says
    /// Hello only if it has no bets by which it is known.
    pub fn parked(&self, agency: u32, bets: &[HandBet]) -> HandAgency {
        let mut connection = if bets.is_empty() {
            self.newcomer(agency)
        } else {
            let mut connection = self.connect();
            connection.store(bets);
            connection
        };
        connection.finish();
        self.wait_for_closing(agency);
        connection
    }

    /// Waits until the log says that this agency has finished.
    pub fn wait_for_closing(&self, agency: u32) {
        self.wait_for_line(&format!(
            "agencia_lista | result: success | agencia: {agency} |"
        ));
    }

    /// Ends it with SIGTERM.
    pub fn terminate(self) -> Ended {
        self.end_by(Signal::TERM)
    }

    /// Ends it with SIGKILL, as a crash would.
    pub fn kill(self) -> Ended {
        self.end_by(Signal::KILL)
    }

    /// Ends it with this signal. Whatever a test is about, nothing is said on standard error, where
    /// a panic would be.
    pub fn end_by(mut self, signal: Signal) -> Ended {
        let ended = self.process.end_by(signal).in_good_form();
        assert_eq!(ended.complaints, [""; 0]);
        ended
    }
}

/// It can be watched as any process.
impl Deref for ServerProcess {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}
