//! The client's program: command line, configuration, and the mode asked for.

use std::io::ErrorKind;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Command;
use client::agency::{Agency, AgencyError, News};
use client::bet_source::{BetSource, CsvFile, RowError};
use client::config::{Config, Mode};
use client::connection::ConnectionError;
use client::progress::Progress;
use client::reconnect::{RunError, take_part};
use client::signals::Signals;
use client::{echo, log_lines, progress, tls};
use indicatif::MultiProgress;
use log::{Level, LevelFilter};
use lottery_program::{Complaint, EXIT_FAILURE, VERSION};

fn main() -> ExitCode {
    lottery_program::run("client", || {
        let (config, settings) = Config::load(command(), std::env::args_os())?;
        tls::session(&config.network).map_err(Complaint::of_configuration)?;
        let signals = Signals::listen().context("listening for signals")?;
        let terminal = match config.mode {
            Mode::Lottery => progress::terminal(),
            Mode::SingleBet | Mode::Echo => None,
        };
        log_to(terminal.clone(), config.log_level)?;
        log_lines::configured(&config.as_logged(&settings));
        settings.warn_of_misspelt();
        let result = match (config.mode, &config.bet) {
            (Mode::Echo, _) => {
                let (amount, period) = (config.loop_amount, config.loop_period);
                let result = echo::run(config.id, amount, period, &config.network, &signals);
                result.map(|()| ExitCode::SUCCESS).map_err(RunError::from)
            }
            (Mode::SingleBet, Some(bet)) => {
                let source = bet.as_ref().clone();
                bet_all(&config, source, &signals, |news, _| match news {
                    News::Registered(_) => log_lines::bet_sent(&bet.bet()),
                    other => tell_of_welcome(other),
                })
            }
            (Mode::Lottery | Mode::SingleBet, _) => bet_file(&config, &signals, terminal.as_ref())?,
        };
        match result {
            Err(_) if signals.have_ended_it() => {
                log_lines::shut_down();
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => {
                log_failure(&config, &error);
                Err(Complaint::of_failure(error))
            }
            Ok(code) => Ok(code),
        }
    })
}

fn command() -> Command {
    Command::new("client")
        .version(VERSION)
        .about("A betting agency of the national lottery: sends its bets, and learns who has won.")
        .after_help(
            "Flags win over the environment, which wins over the file.\n\
             Example: client --id 1 --server-address localhost:12345 --data-path bets.csv",
        )
}

/// Logs beside the bars, where there are some.
fn log_to(terminal: Option<MultiProgress>, level: LevelFilter) -> Result<()> {
    use lottery_program::log::{start, start_beside};
    match terminal {
        Some(terminal) => start_beside(level, move |write| terminal.suspend(write))?,
        None => start(level)?,
    }
    Ok(())
}

/// Takes part with the bets of the agency's file, and shows how far it is.
fn bet_file(
    config: &Config,
    signals: &Signals,
    terminal: Option<&MultiProgress>,
) -> Result<Result<ExitCode, RunError>, Complaint> {
    let file = open(config)?.heeding(signals.clone());
    let bytes = config
        .data_path()
        .metadata()
        .map_or(0, |metadata| metadata.len());
    let mut progress = Progress::new(config.id, &config.network, bytes, terminal);
    // A bar tells of each batch already.
    let level = terminal.map_or(Level::Info, |_| Level::Debug);
    Ok(bet_all(config, file, signals, |news, agency| {
        match news {
            News::Registered(bets) => log_lines::batch_sent(*bets, level),
            other => tell_of_welcome(other),
        }
        progress.note(news, agency.registered(), agency.registered_bytes());
    }))
}

fn open(config: &Config) -> Result<CsvFile<impl FnMut(&RowError)>, Complaint> {
    let path = config.data_path();
    CsvFile::open(config.id, &path, log_lines::row_rejected).map_err(|error| {
        let (path, id) = (path.display(), config.id);
        let advice = match error.kind() {
            ErrorKind::NotFound => format!(", as `make datasets AGENCIES={id}` makes them"),
            _ => String::new(),
        };
        Complaint::of_configuration(format!(
            "data.path: {path:?} cannot be read: {error}; expected a readable CSV file of bets{advice}"
        ))
    })
}

fn tell_of_welcome(news: &News) {
    if let News::Welcomed(bets @ 1..) = news {
        log_lines::resumed(*bets);
    }
}

/// Takes part in the lottery with the bets of `source`, and logs how it went.
fn bet_all<S: BetSource>(
    config: &Config,
    source: S,
    signals: &Signals,
    tell: impl FnMut(&News, &Agency<S>),
) -> Result<ExitCode, RunError> {
    let mut agency = Agency::new(config.id, source, config.pace());
    let result = take_part(&mut agency, &config.network, signals, tell);
    let rejected = agency.source().rejected();
    drop(agency);
    if signals.have_ended_it() {
        log_lines::closed("data", config.id);
    } else if rejected > 0 {
        log_lines::rows_left_out(rejected);
    }
    log_lines::winners(&result?);
    Ok(ExitCode::from(if rejected > 0 { EXIT_FAILURE } else { 0 }))
}

fn log_failure(config: &Config, error: &RunError) {
    use AgencyError::Refused;
    match error {
        _ if config.mode == Mode::Echo => {
            log_lines::given_up("receive_message", config.id, error);
        }
        RunError::Connection(ConnectionError::Connect(..)) => {
            log_lines::given_up("connect", config.id, error);
        }
        RunError::Agency(Refused {
            code,
            bets: Some(bets),
        }) => {
            log_lines::batch_refused(*bets, code);
        }
        _ => log_lines::winners_unknown(error),
    }
}
