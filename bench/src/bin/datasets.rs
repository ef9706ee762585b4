//! Makes the CSV files of bets that the agencies read. `make datasets` runs it with its defaults, which give
//! the files committed in `.data/`.

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use clap::{Arg, ArgMatches, Command, value_parser};
use lottery_bench::datasets::{self, DEFAULT_SEED, DEFAULT_WINNING_NUMBER, Options, Plan};

const DEFAULT_OUTPUT: &str = ".data";

/// The command line is at fault, and not the machine.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct BadArguments(String);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("datasets: {error:#}");
            ExitCode::from(if error.is::<BadArguments>() { 2 } else { 1 })
        }
    }
}

fn run() -> anyhow::Result<()> {
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(asked) if !asked.use_stderr() => {
            return asked.print().context("cannot write to the standard output");
        }
        Err(error) => return Err(in_one_line(&error).into()),
    };
    let (plan, output) = request(&matches)?;
    let mut stdout = io::stdout();
    for agency in &plan.agencies {
        let path = datasets::write_file(&plan, agency, &output)?;
        writeln!(
            stdout,
            "{}: {} bets, {} winners",
            path.display(),
            agency.bets,
            agency.winners
        )
        .context("cannot write to the standard output")?;
    }
    Ok(())
}

fn command() -> Command {
    Command::new("datasets")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Makes the CSV files of bets that the agencies read: agency-1.csv, agency-2.csv, …")
        .after_help("The same options always make the same files, byte for byte.")
        .arg(
            Arg::new("agencies")
                .long("agencies")
                .value_name("N")
                .value_parser(count)
                .help("Agencies, and so files [default: as many as the lists have entries, or 5]"),
        )
        .arg(
            Arg::new("bets")
                .long("bets")
                .value_name("LIST")
                .value_parser(counts)
                .help("Bets of each agency: one number for all, or one for each with commas between [default: 26936,25518,16014,9238,991, starting over from the sixth agency on]"),
        )
        .arg(
            Arg::new("times")
                .long("times")
                .value_name("K")
                .value_parser(count)
                .default_value("1")
                .help("Multiplies the bets of each agency"),
        )
        .arg(
            Arg::new("winners")
                .long("winners")
                .value_name("LIST")
                .value_parser(counts)
                .help("Winning bets of each agency, as for --bets; from 4 on, one person wins twice [default: 5,2,8,3,0, starting over likewise, and at most the agency's bets]"),
        )
        .arg(
            Arg::new("winning-number")
                .long("winning-number")
                .value_name("NUMBER")
                .value_parser(count)
                .default_value(DEFAULT_WINNING_NUMBER.to_string())
                .help("The number that the winners, and nobody else, bet on"),
        )
        .arg(
            Arg::new("seed")
                .long("seed")
                .value_name("S")
                .value_parser(seed)
                .default_value(DEFAULT_SEED.to_string())
                .help("Another seed makes other people and other bets"),
        )
        .arg(
            Arg::new("output")
                .long("output")
                .value_name("DIR")
                .value_parser(value_parser!(PathBuf))
                .default_value(DEFAULT_OUTPUT)
                .help("Folder for the files, made if missing; files of the same name are replaced"),
        )
}

fn request(matches: &ArgMatches) -> Result<(Plan, PathBuf), BadArguments> {
    let defaults = Options::default();
    let options = Options {
        agencies: matches.get_one("agencies").copied(),
        bets: matches.get_one("bets").cloned(),
        winners: matches.get_one("winners").cloned(),
        times: matches.get_one("times").copied().unwrap_or(defaults.times),
        seed: matches.get_one("seed").copied().unwrap_or(defaults.seed),
        winning_number: matches
            .get_one("winning-number")
            .copied()
            .unwrap_or(defaults.winning_number),
    };
    let output = matches
        .get_one("output")
        .cloned()
        .unwrap_or_else(|| PathBuf::from(DEFAULT_OUTPUT));
    let plan = options
        .plan()
        .map_err(|error| BadArguments(error.to_string()))?;
    Ok((plan, output))
}

fn count(text: &str) -> Result<u32, String> {
    text.parse()
        .map_err(|_| format!("expected a whole number from 0 to {}", u32::MAX))
}

fn counts(text: &str) -> Result<Vec<u32>, String> {
    text.split(',')
        .map(|entry| count(entry.trim()))
        .collect::<Result<_, _>>()
        .map_err(|expected| format!("{expected}, or several with commas between"))
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("expected a whole number from 0 to {}", u64::MAX))
}

/// Clap's complaint without its usage and tips, which take many lines.
fn in_one_line(error: &clap::Error) -> BadArguments {
    let text = error.to_string();
    let complaint = text.lines().next().unwrap_or_default();
    BadArguments(format!(
        "{}; see --help",
        complaint.trim_start_matches("error: ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(arguments: &str) -> Result<(Plan, PathBuf), BadArguments> {
        let words = std::iter::once("datasets").chain(arguments.split_whitespace());
        let matches = command()
            .try_get_matches_from(words)
            .map_err(|error| in_one_line(&error))?;
        request(&matches)
    }

    #[test]
    fn without_flags_the_defaults_go_to_the_data_folder() {
        let (plan, output) = planned("").unwrap();
        assert_eq!(plan, Options::default().plan().unwrap());
        assert_eq!(output, PathBuf::from(".data"));
    }

    #[test]
    fn every_flag_reaches_the_plan() {
        let flags = "--agencies 2 --bets 10,20 --times 3 --winners 4 --winning-number 9 --seed 8 --output a/b";
        let asked = Options {
            agencies: Some(2),
            bets: Some(vec![10, 20]),
            winners: Some(vec![4]),
            times: 3,
            seed: 8,
            winning_number: 9,
        };
        let (plan, output) = planned(flags).unwrap();
        assert_eq!(plan, asked.plan().unwrap());
        assert_eq!(output, PathBuf::from("a/b"));
    }

    #[test]
    fn a_bad_argument_is_one_line_that_says_what_was_expected() {
        for (arguments, complaint) in [
            (
                "--agencies five",
                "invalid value 'five' for '--agencies <N>': expected a whole number from 0 to 4294967295; see --help",
            ),
            (
                "--bets 1,,2",
                "invalid value '1,,2' for '--bets <LIST>': expected a whole number from 0 to 4294967295, or several with commas between; see --help",
            ),
            ("--seed -1", "unexpected argument '-1' found; see --help"),
            ("--agencies 0", "--agencies 0: expected 1 to 10000"),
            ("extra", "unexpected argument 'extra' found; see --help"),
            (
                "--output",
                "a value is required for '--output <DIR>' but none was supplied; see --help",
            ),
        ] {
            assert_eq!(planned(arguments).unwrap_err().to_string(), complaint);
        }
    }
}
