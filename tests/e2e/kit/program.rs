//! How programs are started.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;

use super::{Dataset, Ended, Process};

pub const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A program and its settings. It works in a temporary folder of its own, which clones share, and
/// sees no environment but what is set here.
#[derive(Clone, Debug)]
pub struct Program {
    executable: PathBuf,
    file_name: &'static str,
    folder: Arc<TempDir>,
    environment: BTreeMap<String, String>,
    arguments: Vec<OsString>,
    launcher: &'static str,
}

impl Program {
    pub fn server() -> Program {
        Program::new(built().join("server"), "config.ini")
    }

    pub fn client() -> Program {
        Program::new(built().join("client"), "config.yaml")
    }

    pub fn agency_without_data(id: u32, address: SocketAddr) -> Program {
        Program::client()
            .set("CLI_ID", id)
            .set("CLI_SERVER_ADDRESS", address)
    }

    pub fn agency(dataset: &Dataset, address: SocketAddr) -> Program {
        let program = Program::agency_without_data(dataset.agency, address);
        let path = program.write("bets.csv", &dataset.file);
        program.set("CLI_DATA_PATH", path.display())
    }

    pub fn example_agency(dataset: &Dataset, address: SocketAddr) -> Program {
        let program = Program::new("python3".into(), "");
        let path = program.write("bets.csv", &dataset.file);
        program
            .set("PATH", std::env::var("PATH").unwrap())
            .arg(format!("{ROOT}/examples/agency.py"))
            .arg(dataset.agency.to_string())
            .arg(address.to_string())
            .arg(path)
    }

    fn new(executable: PathBuf, file_name: &'static str) -> Program {
        Program {
            executable,
            file_name,
            folder: Arc::new(tempfile::tempdir().unwrap()),
            environment: BTreeMap::new(),
            arguments: Vec::new(),
            launcher: "exec",
        }
    }

    pub fn set(mut self, variable: &str, value: impl ToString) -> Program {
        let (variable, value) = (variable.to_owned(), value.to_string());
        self.environment.insert(variable, value);
        self
    }

    pub fn arg(mut self, argument: impl Into<OsString>) -> Program {
        self.arguments.push(argument.into());
        self
    }

    pub fn file(self, text: impl AsRef<[u8]>) -> Program {
        self.write(self.file_name, text);
        self
    }

    /// Starts the program as the shell does with this in front of it, such as `ulimit -n 9; exec`.
    pub fn under(mut self, launcher: &'static str) -> Program {
        self.launcher = launcher;
        self
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn start(&self) -> Process {
        self.start_logging_to(Stdio::piped())
    }

    /// Starts the program with its log somewhere else, so that nothing of it can be waited for.
    pub fn start_logging_to(&self, output: impl Into<Stdio>) -> Process {
        Process::start(self, output.into())
    }

    pub fn run(&self) -> Ended {
        self.start().wait_for_end()
    }

    /// Whether the program writes log lines and nothing else to standard output.
    pub fn logs(&self) -> bool {
        let others = ["--help", "--version", "audit", "winners"];
        let tells = |argument: &OsString| others.iter().any(|other| argument == other);
        !self.file_name.is_empty() && !self.arguments.iter().any(tells)
    }

    pub fn command(&self) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", &format!("{} \"$0\" \"$@\"", self.launcher)])
            .arg(&self.executable)
            .args(&self.arguments)
            .current_dir(self.folder())
            .env_clear()
            .envs(&self.environment);
        shell
    }
}

/// Whether this machine has a Python that runs `examples/agency.py`. Says so when it has none.
pub fn has_python() -> bool {
    let script = "import sys; sys.exit(sys.version_info < (3, 9))";
    has("python3", &["-c", script], "python3 of 3.9 or later")
}

/// Whether this machine has a program, which does well with these arguments. Says so when it has none.
pub fn has(program: &str, arguments: &[&str], name: &str) -> bool {
    let output = Command::new(program).args(arguments).output();
    let has = output.is_ok_and(|output| output.status.success());
    if !has {
        tell_not_run(&format!("{name} is missing"));
    }
    has
}

/// Says on the terminal that this test is not run, past the capture of tests, which shows only what failed.
pub fn tell_not_run(reason: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let line = format!("!!!! NOT RUN: {test}: {reason}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// The folder with both programs, built in the profile of this test when it first needs one: cargo
/// does not build the programs of other packages for `cargo test -p`.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        let folder = test.ancestors().nth(2).unwrap();
        let profile = match folder.file_name().unwrap().to_str().unwrap() {
            "debug" => "dev",
            other => other,
        };
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        cargo
            .current_dir(ROOT)
            .args(["build", "--quiet", "--package=server", "--package=client"])
            .args(["--bins", "--profile", profile, "--target-dir"])
            .arg(folder.parent().unwrap());
        let built = cargo.output().unwrap();
        let complaints = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "{cargo:?} failed:\n{complaints}");
        folder.to_owned()
    })
}
