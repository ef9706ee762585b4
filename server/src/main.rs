//! The server's program: command line, configuration, and the event loop with the service asked for.

use std::fs::File;
use std::io::ErrorKind;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use clap::Command;
use lottery_core::store::{Folder, Store};
use lottery_program::VERSION;
use lottery_program::command_line::{self, Complaint, switch};
use lottery_program::log_line::start_logging;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use server::audit::Audit;
use server::central::Central;
use server::config::{Config, DECLARATION, Mode};
use server::echo::Echo;
use server::event_loop::{EventLoop, Listener, catch_signals};
use server::healthcheck;
use server::journal;
use server::service::Service;
use server::switchboard::Switchboard;
use signal_hook::consts::SIGUSR1;
use signal_hook_mio::v1_0::Signals;

const AUDIT: &str = "audit";
const HEALTHCHECK: &str = "healthcheck";

fn main() -> ExitCode {
    command_line::run(command(), |flags| {
        let is_health_check = flags.get_flag(HEALTHCHECK);
        let audit_flags = flags.subcommand_matches(AUDIT);
        let environment = |name: &str| std::env::var_os(name);
        let config = Config::load(audit_flags.unwrap_or(flags), environment)?;
        match (audit_flags.is_some(), is_health_check) {
            (true, true) => {
                let reason = format!(
                    "--{HEALTHCHECK} asks a server that runs, and {AUDIT} one that does not; expected one of them"
                );
                return Err(Complaint::of_configuration(reason));
            }
            (true, false) => audit(&config)?,
            (false, true) => check_health(&config)?,
            (false, false) => run(&config)?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn command() -> Command {
    let command = Command::new("server")
        .version(VERSION)
        .about("The central of the national lottery: stores the agencies' bets and holds the draw.")
        .disable_help_subcommand(true)
        .after_help(
            "Flags win over the environment [NAME=default], which wins over the file.\n\
             Example: server --server-port 12345 --num-agencies 5 --storage-dir ./lottery",
        )
        .arg(switch(
            HEALTHCHECK,
            "Ask the running server with these settings for its state, and end",
        ));
    let audit = Command::new(AUDIT)
        .about("Recounts each agency's bets in the files, and compares with what it closed with")
        .after_help(
            "The server must not run. Exit code 0: they agree. 1: they do not, and standard error says where.\n\
             Example: server audit --storage-dir ./lottery",
        );
    let is_for_audit = |key: &str| matches!(key, "STORAGE_DIR" | "WINNING_NUMBER");
    DECLARATION
        .add_flags_for_all(command, is_for_audit)
        .subcommand(audit)
}

fn check_health(config: &Config) -> Result<()> {
    println!("{}", healthcheck::check(config.address, config.mode)?);
    Ok(())
}

fn audit(config: &Config) -> Result<()> {
    let folder = Folder::new(&config.storage_dir);
    let audit = Audit::of(&folder, config.rules.winning_number).with_context(|| {
        format!(
            "auditing the store in {} (STORAGE_DIR)",
            config.storage_dir.display()
        )
    })?;
    print!("{audit}");
    Ok(())
}

fn run(config: &Config) -> Result<()> {
    let mut signals = catch_signals().context("catching signals")?;
    raise_descriptor_limit();
    start_logging(config.logging_level)?;
    journal::configured(&config.as_written);
    match config.mode {
        Mode::Echo => serve(config, signals, Echo::new(config.frame_bytes_max)),
        Mode::Lottery => match open_store(config, &mut signals)? {
            None => Ok(()),
            Some(store) => {
                let central = Central::new(config.rules, store);
                let switchboard = Switchboard::new(central, config.frame_bytes_max);
                serve(config, signals, switchboard)
            }
        },
    }
}

/// Opens the store, or ends in good order when a signal comes first.
fn open_store(config: &Config, signals: &mut Signals) -> Result<Option<Store<File>>> {
    let folder = Folder::new(&config.storage_dir);
    let mut ending = None;
    let opened = Store::open_unless(&folder, || {
        ending = signals.pending().find(|signal| *signal != SIGUSR1);
        ending.is_some()
    });
    if let Some(signal) = ending {
        journal::signal_received(signal);
        journal::storage_closed();
        journal::shut_down();
        return Ok(None);
    }
    let (store, recovery) = opened.with_context(|| {
        format!(
            "opening the store in {} (STORAGE_DIR)",
            config.storage_dir.display()
        )
    })?;
    journal::storage_opened(&recovery);
    Ok(Some(store))
}

/// Lets the server have as many descriptors as the system would give it: the limit that programs
/// start with is meant for those that use select(2), and is less than MAX_CONNECTIONS. Where it
/// cannot be raised it stays, and who finds no descriptor waits.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let _ = setrlimit(Resource::Nofile, raised);
}

fn expected_address(failure: ErrorKind) -> &'static str {
    match failure {
        ErrorKind::AddrInUse => "a port that no other program listens on",
        ErrorKind::PermissionDenied => "a port from 1024 on, or the right to use those below",
        ErrorKind::AddrNotAvailable => "an address of this machine, such as 0.0.0.0",
        _ => "an address and a port to listen on",
    }
}

fn serve(config: &Config, signals: Signals, service: impl Service) -> Result<()> {
    let address = config.address;
    let listener = Listener::bind(address, config.listen_backlog).map_err(|error| {
        anyhow!(
            "listening on {address} (SERVER_BIND, SERVER_PORT): {error}; expected {}",
            expected_address(error.kind())
        )
    })?;
    let bound = listener.local_address().context("asking for the port")?;
    let event_loop =
        EventLoop::new(listener, signals, service, config.limits).context("starting")?;
    journal::listening(bound.ip(), bound.port());
    event_loop.run()?;
    Ok(())
}
