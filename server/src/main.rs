//! The server's program: its command line.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use lottery_core::store::Folder;
use lottery_program::VERSION;
use server::config::Config;
use server::healthcheck;
use server::reports::{self, Format};
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
            None => start::run(&config, &settings)?,
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

/// Prints what was asked for. The reader may have gone: `winners | head`.
fn print(text: impl Display) -> Result<()> {
    let written = write!(std::io::stdout(), "{text}").and_then(|()| std::io::stdout().flush());
    written.context("standard output")
}

fn audit(config: &Config) -> Result<()> {
    let folder = Folder::new(&config.storage_dir);
    let audit = reports::audit(&folder, config.winning_number);
    print(audit.with_context(|| in_store(config))?)
}

fn print_winners(config: &Config, flags: &ArgMatches) -> Result<()> {
    let folder = Folder::new(&config.storage_dir);
    let agency = flags.get_one::<u32>("agency").copied();
    let format = flags.get_one::<Format>("format").copied();
    let winners = reports::winners(&folder, agency, format.unwrap_or_default());
    print(winners.with_context(|| in_store(config))?)
}
