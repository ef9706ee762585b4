//! The client's program: command line, configuration, and the mode asked for.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Command;
use client::agency::{Agency, AgencyError, News, Pace};
use client::bet_source::{BetSource, CsvFile, RowError, SingleBet};
use client::config::{Config, DECLARATION, Mode};
use client::connection::ConnectionError;
use client::interruption::{Interrupted, Interruption};
use client::lottery::{LotteryError, take_part};
use client::progress::{Progress, count_lines};
use client::{echo, journal, progress};
use indicatif::MultiProgress;
use log::{Level, LevelFilter};
use lottery_core::date::Date;
use lottery_program::VERSION;
use lottery_program::command_line::{self, Complaint, EXIT_FAILURE};
use lottery_program::log_line::{start_logging, start_logging_beside};

fn main() -> ExitCode {
    command_line::run(command(), |flags| {
        let today = time::OffsetDateTime::now_utc().date();
        let config = Config::load(flags, |name| std::env::var_os(name), today)?;
        let interruption = Interruption::listen().context("listening for signals")?;
        let terminal = match &config.mode {
            Mode::Lottery { .. } => progress::terminal(),
            Mode::SingleBet { .. } | Mode::Echo { .. } => None,
        };
        log_to(terminal.clone(), config.log_level)?;
        journal::configured(&config.as_written);
        match &config.mode {
            Mode::Echo { amount, period } => {
                let result = echo::run(config.id, *amount, *period, &config.network, &interruption);
                finish_echo(&config, result)
            }
            Mode::SingleBet { bet, pace } => bet_once(&config, bet, *pace, &interruption),
            Mode::Lottery { path, pace } => {
                let source = BetFile { path, today };
                bet_from_file(&config, &source, *pace, &interruption, terminal.as_ref())
            }
        }
    })
}

fn command() -> Command {
    let command = Command::new("client")
        .version(VERSION)
        .about("A betting agency of the national lottery: sends its bets, and learns who has won.")
        .after_help(
            "Flags win over the environment [NAME=default], which wins over the file.\n\
             Example: client --id 1 --server-address localhost:12345 --data-path bets.csv",
        );
    DECLARATION.add_flags(command)
}

/// Logs beside the bars, where there are some.
fn log_to(terminal: Option<MultiProgress>, level: LevelFilter) -> Result<()> {
    match terminal {
        Some(terminal) => start_logging_beside(level, move |write| terminal.suspend(write))?,
        None => start_logging(level)?,
    }
    Ok(())
}

fn bet_once(
    config: &Config,
    bet: &SingleBet,
    pace: Pace,
    interruption: &Interruption,
) -> Result<ExitCode, Complaint> {
    let tell = |news: &News| match news {
        News::Registered { .. } => {
            let bet = bet.bet();
            journal::bet_sent(bet.document, bet.number);
        }
        other => tell_of_welcome(other),
    };
    run_lottery(config, bet.clone(), pace, interruption, tell)
}

/// Where the bets of a whole agency are, and the day on which they must be valid.
struct BetFile<'a> {
    path: &'a Path,
    today: Date,
}

fn bet_from_file(
    config: &Config,
    &BetFile { path, today }: &BetFile<'_>,
    pace: Pace,
    interruption: &Interruption,
    terminal: Option<&MultiProgress>,
) -> Result<ExitCode, Complaint> {
    let unreadable = |error| {
        let path = path.display();
        Complaint::of_configuration(format!(
            "data.path: {path:?} cannot be read: {error}; expected a readable CSV file of bets"
        ))
    };
    let report = |error: &RowError| journal::row_rejected(error);
    let file = CsvFile::open(config.id, path, today, report).map_err(unreadable)?;
    let total = count_lines(path).map_err(unreadable)?;
    let mut progress = Progress::new(config.id, total, terminal);
    // A bar tells of each batch already.
    let level = match terminal {
        Some(_) => Level::Debug,
        None => Level::Info,
    };
    let tell = |news: &News| {
        match news {
            News::Registered { bets } => journal::batch_sent(*bets, level),
            other => tell_of_welcome(other),
        }
        progress.note(news, &config.network);
    };
    let source = file.heeding(interruption.clone());
    run_lottery(config, source, pace, interruption, tell)
}

fn tell_of_welcome(news: &News) {
    if let News::Welcomed { bets: bets @ 1.. } = news {
        journal::resumed(*bets);
    }
}

fn run_lottery(
    config: &Config,
    source: impl BetSource,
    pace: Pace,
    interruption: &Interruption,
    tell: impl FnMut(&News),
) -> Result<ExitCode, Complaint> {
    let mut agency = Agency::new(config.id, source, pace);
    let result = take_part(&mut agency, &config.network, interruption, tell);
    let rejected = agency.source().rejected();
    if rejected > 0 {
        journal::rows_left_out(rejected);
    }
    match result {
        Ok(winners) => {
            journal::winners(&winners);
            Ok(if rejected > 0 {
                EXIT_FAILURE.into()
            } else {
                ExitCode::SUCCESS
            })
        }
        Err(error) => match error.interrupted() {
            Some(interrupted) => {
                journal::signal_received(interrupted.signal);
                if error.had_connection() {
                    journal::connection_closed(config.id);
                }
                drop(agency);
                journal::source_closed(config.id);
                journal::shut_down();
                Ok(ExitCode::SUCCESS)
            }
            None => Err(give_up(config, &error)),
        },
    }
}

fn give_up(config: &Config, error: &LotteryError) -> Complaint {
    match error {
        LotteryError::Agency(AgencyError::Refused {
            code,
            bets: Some(bets),
        }) => {
            journal::batch_refused(*bets, code);
        }
        LotteryError::Connection(ConnectionError::Connect { .. }) => {
            journal::connecting_failed(config.id, error);
        }
        _ => journal::winners_unknown(error),
    }
    Complaint::of_failure(error)
}

fn finish_echo(
    config: &Config,
    result: Result<(), ConnectionError>,
) -> Result<ExitCode, Complaint> {
    let (Interrupted { signal }, had_connection) = match result {
        Ok(()) => return Ok(ExitCode::SUCCESS),
        Err(ConnectionError::Interrupted(interrupted)) => (interrupted, false),
        Err(ConnectionError::ClosedBySignal(interrupted)) => (interrupted, true),
        Err(error) => {
            journal::echo_failed(config.id, &error);
            return Err(Complaint::of_failure(error));
        }
    };
    journal::signal_received(signal);
    if had_connection {
        journal::connection_closed(config.id);
    }
    journal::shut_down();
    Ok(ExitCode::SUCCESS)
}
