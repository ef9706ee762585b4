//! The server's program: command line, configuration, and the event loop with the service asked for.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use lottery_core::store::Folder;
use lottery_program::settings::Settings;
use lottery_program::{VERSION, log};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use server::audit::Audit;
use server::config::{Config, Mode};
use server::event_loop::catch_signals;
use server::healthcheck;
use server::log_lines;
use server::results::{Format, Results};
use server::start::{self, in_store};

const AUDIT: &str = "audit";
const WINNERS: &str = "winners";
const HEALTHCHECK: &str = "healthcheck";

fn main() -> ExitCode {
    lottery_program::run("server", || {
        let (config, settings) = Config::load(command(), std::env::args_os())?;
        match settings.flags.subcommand() {
            Some((AUDIT, _)) => audit(&config)?,
            Some((_, flags)) => print_winners(&config, flags)?,
            None if settings.flags.get_flag(HEALTHCHECK) => check_health(&config)?,
            None => run(&config, &settings)?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn command() -> Command {
    let healthcheck = Arg::new(HEALTHCHECK)
        .long(HEALTHCHECK)
        .action(ArgAction::SetTrue)
        .help("Ask the running server with these settings whether it is well, and end");
    let audit = Command::new(AUDIT)
        .about("Recounts each agency's bets in the files, and compares with what it finished with")
        .after_help(
            "The server may run meanwhile. Exit code 0: they agree. 1: they do not, and standard error says where.\n\
             Example: server audit --storage-dir ./lottery",
        );
    let winners = Command::new(WINNERS)
        .about("Lists the winners, once the draw was held")
        .arg(
            Arg::new("agency")
                .long("agency")
                .value_name("N")
                .value_parser(value_parser!(u32))
                .help("Only those of this agency"),
        )
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .default_value("table")
                .value_parser(value_parser!(Format))
                .help("How to print them"),
        )
        .after_help(
            "The server may run meanwhile.\n\
             Example: server winners --storage-dir ./lottery --format csv",
        );
    Command::new("server")
        .version(VERSION)
        .about("The central of the national lottery: stores the agencies' bets and holds the draw.")
        .disable_help_subcommand(true)
        .after_help(
            "Flags win over the environment, which wins over the file.\n\
             Example: server --server-port 12345 --num-agencies 5 --storage-dir ./lottery",
        )
        .arg(healthcheck)
        .subcommands([audit, winners])
}

fn check_health(config: &Config) -> Result<()> {
    print(format_args!("{}\n", healthcheck::check(config)?))
}

/// Prints what was asked for. Nobody may be left to read it, as of `winners | head`.
fn print(text: impl Display) -> Result<()> {
    let written = write!(std::io::stdout(), "{text}").and_then(|()| std::io::stdout().flush());
    written.context("standard output")
}

fn audit(config: &Config) -> Result<()> {
    let folder = Folder::new(&config.storage_dir);
    let audit = Audit::of(&folder, config.winning_number).with_context(|| in_store(config))?;
    print(audit)
}

fn print_winners(config: &Config, flags: &ArgMatches) -> Result<()> {
    let folder = Folder::new(&config.storage_dir);
    let results = Results::of(&folder).with_context(|| in_store(config))?;
    let agency = flags.get_one::<u32>("agency").copied();
    let format = flags.get_one::<Format>("format").copied();
    print(results.shown(agency, format.unwrap_or_default()))
}

fn run(config: &Config, settings: &Settings) -> Result<()> {
    let signals = catch_signals(config.tls_cert.is_some()).context("catching signals")?;
    let limits = config.limits(raise_descriptor_limit());
    log::start(config.logging_level)?;
    log_lines::configured(&Config::as_logged(settings));
    settings.warn_of_misspelt();
    log_lines::starting(
        settings.text("server_mode").unwrap_or_default(),
        config.num_agencies,
        settings.text("durability").unwrap_or_default(),
        &std::path::absolute(&config.storage_dir)?,
    );
    if limits.connections_max < config.num_agencies as usize {
        log_lines::too_few_connections(limits.connections_max, config.num_agencies);
    }
    match config.server_mode {
        Mode::Echo => start::echo(config, limits, signals)?.run()?,
        Mode::Lottery => {
            if let Some(event_loop) = start::lottery(config, limits, signals)? {
                event_loop.run()?;
            }
        }
    }
    Ok(())
}

/// Lets the server have as many descriptors as the system would give it: the limit that programs
/// start with is meant for those that use select(2), and is less than MAX_CONNECTIONS. Where it
/// cannot be raised it stays. Gives how many there are.
fn raise_descriptor_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let _ = setrlimit(Resource::Nofile, raised);
    let current = getrlimit(Resource::Nofile).current;
    current.map_or(usize::MAX, |most| most as usize)
}
