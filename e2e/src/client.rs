//! The client's program as a process.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::{Ended, Process};
use crate::{Dataset, binaries};

/// How a client is to be started. It works in a temporary folder of its own, with no `config.yaml`
/// unless a test writes one.
#[derive(Clone, Debug)]
pub struct ClientSetup {
    folder: Arc<TempDir>,
    environment: Vec<(String, String)>,
    arguments: Vec<OsString>,
}

impl ClientSetup {
    /// A client with no settings at all.
    pub fn bare() -> ClientSetup {
        ClientSetup {
            folder: Arc::new(tempfile::tempdir().unwrap()),
            environment: Vec::new(),
            arguments: Vec::new(),
        }
    }

    /// Agency `id`, of the central at `server`.
    pub fn agency(id: u32, server: SocketAddr) -> ClientSetup {
        ClientSetup::bare()
            .flag("id", &id.to_string())
            .flag("server-address", &server.to_string())
    }

    /// The agency whose file this is.
    pub fn with(dataset: &Dataset, server: SocketAddr) -> ClientSetup {
        ClientSetup::agency(dataset.agency(), server).data(dataset.file())
    }

    /// Makes these rows the agency's file, instead of any others.
    pub fn data(mut self, rows: impl AsRef<[u8]>) -> ClientSetup {
        std::fs::write(self.data_path(), rows).unwrap();
        self.environment.retain(|(key, _)| key != "CLI_DATA_PATH");
        let path = self.data_path().to_str().unwrap().to_owned();
        self.env("CLI_DATA_PATH", &path)
    }

    /// Writes `config.yaml`.
    pub fn file(self, text: impl AsRef<[u8]>) -> ClientSetup {
        std::fs::write(self.folder().join("config.yaml"), text).unwrap();
        self
    }

    /// Sets a variable of the environment, which has no others.
    pub fn env(mut self, variable: &str, value: &str) -> ClientSetup {
        self.environment
            .push((variable.to_owned(), value.to_owned()));
        self
    }

    /// Sets a key by its flag: `batch.maxAmount` is `batch-max-amount`.
    pub fn flag(self, flag: &str, value: &str) -> ClientSetup {
        self.arg(format!("--{flag}={value}"))
    }

    /// Adds an argument to the command line.
    pub fn arg(mut self, argument: impl Into<OsString>) -> ClientSetup {
        self.arguments.push(argument.into());
        self
    }

    /// The agency's file, where [`ClientSetup::data`] puts it.
    pub fn data_path(&self) -> PathBuf {
        self.folder().join("bets.csv")
    }

    /// The folder in which the client works.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the client.
    pub fn start(&self) -> ClientProcess {
        let mut command = Command::new(binaries::client());
        command
            .current_dir(self.folder())
            .env_clear()
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .args(&self.arguments);
        ClientProcess {
            process: Process::start(&mut command),
            setup: self.clone(),
        }
    }

    /// Runs a client to its end that may say anything, such as its help.
    pub fn run(&self) -> Ended {
        self.start().process.wait_for_end()
    }
}

/// A running client. It is killed when the test lets go of it.
#[derive(Debug)]
pub struct ClientProcess {
    process: Process,
    /// Keeps the folder for as long as the client runs.
    setup: ClientSetup,
}

impl ClientProcess {
    /// How it was started.
    pub fn setup(&self) -> &ClientSetup {
        &self.setup
    }

    /// Waits until it ends by itself.
    pub fn wait_for_end(mut self) -> Ended {
        self.process.wait_for_end().in_good_form()
    }

    /// Ends it with SIGTERM.
    pub fn terminate(self) -> Ended {
        self.end_by(Signal::TERM)
    }

    /// Ends it with SIGKILL, as a crash would.
    pub fn kill(self) -> Ended {
        self.end_by(Signal::KILL)
    }

    /// Ends it with this signal.
    pub fn end_by(mut self, signal: Signal) -> Ended {
        self.process.end_by(signal).in_good_form()
    }
}

/// It can be watched as any process.
impl Deref for ClientProcess {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}
