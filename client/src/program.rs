//! The client's program: command line, configuration, and the mode asked for.

use std::io::ErrorKind;
use std::process::ExitCode;

use anyhow::Context;
use clap::Command;
use lottery_program::log::start_beside;
use lottery_program::{Complaint, EXIT_FAILURE, VERSION};

use crate::agency::{Agency, AgencyError, News};
use crate::bet_source::{BetSource, CsvFile, RowError, SingleBet};
use crate::config::{Config, Mode};
use crate::connection::ConnectionError;
use crate::progress::{self, Progress};
use crate::reconnect::{RunError, take_part};
use crate::signals::Signals;
use crate::{echo, log_lines, tls};

/// Runs the client as its command line says.
pub fn run() -> ExitCode {
    lottery_program::run("client", || {
        let (config, settings) = Config::load(command(), std::env::args_os())?;
        if let Err(error) = tls::session(&config.network) {
            return Err(Complaint::of_configuration(format!("{error:#}")));
        }
        let bet = config.single_bet(&settings)?;
        let signals = Signals::listen().context("listening for signals")?;
        let terminal = progress::terminal().filter(|_| config.mode == Mode::Lottery);
        let bars = terminal.clone();
        start_beside(config.log_level, move |write| match &bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        })?;
        log_lines::configured(&config.as_logged(&settings));
        settings.warn_of_misspelt();
        let result = match (config.mode, bet) {
            (Mode::Echo, _) => echo::run(&config, &signals)
                .map(|()| ExitCode::SUCCESS)
                .map_err(RunError::from),
            (_, Some(bet)) => bet_all(&config, SingleBet::from(bet), &signals, |news, agency| {
                if let News::Registered(_) = news {
                    log_lines::bet_sent(&agency.source().bet);
                }
            }),
            (_, None) => {
                let file = open(&config)?.heeding(signals.clone());
                let bytes = config.data_path().metadata().map_or(0, |file| file.len());
                let mut progress = Progress::new(config.id, &config.network, bytes, terminal);
                bet_all(&config, file, &signals, |news, agency| {
                    progress.note(news, agency.registered(), agency.registered_bytes());
                })
            }
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

/// Takes part in the lottery with the bets of `source`, and logs how it went.
fn bet_all<S: BetSource>(
    config: &Config,
    source: S,
    signals: &Signals,
    mut tell: impl FnMut(&News, &Agency<S>),
) -> Result<ExitCode, RunError> {
    let mut agency = Agency::new(config.id, source, config.pace());
    let result = take_part(&mut agency, &config.network, signals, |news, agency| {
        if let News::Welcomed(bets @ 1..) = news {
            log_lines::resumed(*bets);
        }
        tell(news, agency);
    });
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
        _ if config.mode == Mode::Echo => log_lines::given_up("receive_message", config.id, error),
        RunError::Connection(ConnectionError::Connect(..)) => {
            log_lines::given_up("connect", config.id, error);
        }
        RunError::Agency(Refused {
            code,
            bets: Some(bets),
        }) => log_lines::batch_refused(*bets, code),
        _ => log_lines::winners_unknown(error),
    }
}
