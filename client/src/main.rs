//! The client's program: command line, configuration, and the mode asked for.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Command;
use client::agency::{Agency, AgencyError, News, Pace};
use client::bet_source::{BetSource, CsvFile, RowError};
use client::config::{Config, DECLARATION, Mode};
use client::connection::ConnectionError;
use client::interruption::{Interrupted, Interruption};
use client::lottery::{LotteryError, take_part};
use client::progress::{Progress, count_lines};
use client::{echo, journal, progress};
use lottery_program::log_line::{start_logging, start_logging_beside};
use lottery_program::settings::{CommandLineEnd, parse_command_line};
use lottery_program::{EXIT_CONFIGURATION, EXIT_FAILURE, VERSION};

fn main() -> ExitCode {
    let flags = match parse_command_line(command(), std::env::args_os()) {
        Ok(flags) => flags,
        Err(CommandLineEnd::Text(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(CommandLineEnd::Complaint(line)) => return complain(EXIT_CONFIGURATION, &line),
    };
    let today = time::OffsetDateTime::now_utc().date();
    let config = match Config::load(&flags, |name| std::env::var_os(name), today) {
        Ok(config) => config,
        Err(error) => return complain(EXIT_CONFIGURATION, &error.to_string()),
    };
    match run(&config, today) {
        Ok(code) => code,
        Err(error) => complain(EXIT_FAILURE, &format!("{error:#}")),
    }
}

fn complain(code: u8, line: &str) -> ExitCode {
    eprintln!("client: {line}");
    ExitCode::from(code)
}

fn command() -> Command {
    let command = Command::new("client")
        .version(VERSION)
        .about("A betting agency of the national lottery: sends its bets, and learns who has won.")
        .after_help("Example: client --id 1 --server-address localhost:12345 --data-path bets.csv");
    DECLARATION.add_flags(command)
}

fn run(config: &Config, today: time::Date) -> Result<ExitCode> {
    let interruption = Interruption::listen().context("listening for signals")?;
    let terminal = match &config.mode {
        Mode::Lottery { .. } => progress::terminal(),
        Mode::SingleBet { .. } | Mode::Echo { .. } => None,
    };
    match terminal.clone() {
        Some(terminal) => {
            start_logging_beside(config.log_level, move |write| terminal.suspend(write))?;
        }
        None => start_logging(config.log_level)?,
    }
    journal::configured(&config.as_written);
    match &config.mode {
        Mode::Echo { amount, period } => {
            let result = echo::run(config.id, *amount, *period, &config.network, &interruption);
            Ok(finish_echo(config, result))
        }
        Mode::SingleBet { bet, pace } => {
            let tell = |news: &News| match news {
                News::Registered { .. } => {
                    let bet = bet.bet();
                    journal::bet_sent(bet.document, bet.number);
                }
                other => tell_of_welcome(other),
            };
            let bet = bet.as_ref().clone();
            Ok(run_lottery(config, bet, *pace, &interruption, tell))
        }
        Mode::Lottery { path, pace } => {
            let report = |error: &RowError| journal::row_rejected(error);
            let opened = CsvFile::open(config.id, path, today, report)
                .and_then(|file| Ok((file.heeding(interruption.clone()), count_lines(path)?)));
            let (file, total) = match opened {
                Ok(opened) => opened,
                Err(error) => {
                    let line = Config::unreadable_data(path, &error);
                    return Ok(complain(EXIT_CONFIGURATION, &line));
                }
            };
            let mut progress = Progress::new(config.id, total, terminal.as_ref());
            let tell = |news: &News| {
                progress.note(news, &config.network);
                match news {
                    News::Registered { bets } => journal::batch_sent(*bets),
                    other => tell_of_welcome(other),
                }
            };
            Ok(run_lottery(config, file, *pace, &interruption, tell))
        }
    }
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
) -> ExitCode {
    let mut agency = Agency::new(config.id, source, pace);
    let result = take_part(&mut agency, &config.network, interruption, tell);
    let rejected = agency.source().rejected();
    if rejected > 0 {
        journal::rows_left_out(rejected);
    }
    match result {
        Ok(winners) => {
            journal::winners(&winners);
            if rejected > 0 {
                EXIT_FAILURE.into()
            } else {
                ExitCode::SUCCESS
            }
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
                ExitCode::SUCCESS
            }
            None => give_up(config, &error),
        },
    }
}

fn give_up(config: &Config, error: &LotteryError) -> ExitCode {
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
    complain(EXIT_FAILURE, &error.to_string())
}

fn finish_echo(config: &Config, result: Result<(), ConnectionError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(ConnectionError::Interrupted(Interrupted { signal })) => {
            journal::signal_received(signal);
            journal::shut_down();
            ExitCode::SUCCESS
        }
        Err(ConnectionError::ClosedBySignal(Interrupted { signal })) => {
            journal::signal_received(signal);
            journal::connection_closed(config.id);
            journal::shut_down();
            ExitCode::SUCCESS
        }
        Err(error) => {
            journal::echo_failed(config.id, &error);
            complain(EXIT_FAILURE, &error.to_string())
        }
    }
}
