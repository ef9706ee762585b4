//! Makes the CSV files of bets that the agencies read. `make datasets` runs it with its defaults, which give
//! the files committed in `.data/`.

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgMatches, Command, value_parser};
use lottery_bench::datasets::{self, DEFAULT_SEED, DEFAULT_WINNING_NUMBER, Options, Plan};
use lottery_program::VERSION;
use lottery_program::command_line::{self, Complaint, option, value};

fn main() -> ExitCode {
    command_line::run(command(), |flags| {
        let plan = request(flags)?;
        make(&plan, &value::<PathBuf>(flags, "output"))?;
        Ok(ExitCode::SUCCESS)
    })
}

fn make(plan: &Plan, output: &Path) -> anyhow::Result<()> {
    for agency in &plan.agencies {
        let path = datasets::write_file(plan, agency, output)?;
        let (path, bets, winners) = (path.display(), agency.bets, agency.winners);
        writeln!(stdout(), "{path}: {bets} bets, {winners} winners")?;
    }
    Ok(())
}

fn command() -> Command {
    Command::new("datasets")
        .version(VERSION)
        .about("Makes the CSV files of bets that the agencies read: agency-1.csv, agency-2.csv, …")
        .after_help("The same options always make the same files, byte for byte.")
        .arg(option(
            "agencies",
            "N",
            count,
            "Agencies, and so files [default: as many as the lists have entries, or 5]",
        ))
        .arg(option(
            "bets",
            "LIST",
            counts,
            "Bets of each agency: one number for all, or one for each with commas between [default: 26936,25518,16014,9238,991, starting over from the sixth agency on]",
        ))
        .arg(
            option("times", "K", count, "Multiplies the bets of each agency").default_value("1"),
        )
        .arg(option(
            "winners",
            "LIST",
            counts,
            "Winning bets of each agency, as for --bets; from 4 on, one person wins twice [default: 5,2,8,3,0, starting over likewise, and at most the agency's bets]",
        ))
        .arg(
            option(
                "winning-number",
                "NUMBER",
                count,
                "The number that the winners, and nobody else, bet on",
            )
            .default_value(DEFAULT_WINNING_NUMBER.to_string()),
        )
        .arg(
            option(
                "seed",
                "S",
                seed,
                "Another seed makes other people and other bets",
            )
            .default_value(DEFAULT_SEED.to_string()),
        )
        .arg(
            option(
                "output",
                "DIR",
                value_parser!(PathBuf),
                "Folder for the files, made if missing; files of the same name are replaced",
            )
            .default_value(".data"),
        )
}

fn request(flags: &ArgMatches) -> Result<Plan, Complaint> {
    let options = Options {
        agencies: flags.get_one("agencies").copied(),
        bets: flags.get_one("bets").cloned(),
        winners: flags.get_one("winners").cloned(),
        times: value(flags, "times"),
        seed: value(flags, "seed"),
        winning_number: value(flags, "winning-number"),
    };
    options.plan().map_err(Complaint::of_configuration)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(arguments: &str) -> Result<ArgMatches, clap::Error> {
        let words = std::iter::once("datasets").chain(arguments.split_whitespace());
        command().try_get_matches_from(words)
    }

    #[test]
    fn without_flags_the_defaults_go_to_the_data_folder() {
        let flags = flags("").unwrap();
        assert_eq!(request(&flags).unwrap(), Options::default().plan().unwrap());
        assert_eq!(value::<PathBuf>(&flags, "output"), PathBuf::from(".data"));
    }

    #[test]
    fn every_flag_reaches_the_plan() {
        let flags = flags(
            "--agencies 2 --bets 10,20 --times 3 --winners 4 --winning-number 9 --seed 8 --output a/b",
        )
        .unwrap();
        let asked = Options {
            agencies: Some(2),
            bets: Some(vec![10, 20]),
            winners: Some(vec![4]),
            times: 3,
            seed: 8,
            winning_number: 9,
        };
        assert_eq!(request(&flags).unwrap(), asked.plan().unwrap());
        assert_eq!(value::<PathBuf>(&flags, "output"), PathBuf::from("a/b"));
    }

    #[test]
    fn a_bad_argument_is_told_with_what_was_expected() {
        for (arguments, complaint) in [
            (
                "--agencies five",
                "'five' for '--agencies <N>': expected a whole number from 0 to 4294967295",
            ),
            (
                "--bets 1,,2",
                "'1,,2' for '--bets <LIST>': expected a whole number from 0 to 4294967295, or several with commas between",
            ),
        ] {
            let said = flags(arguments).unwrap_err().to_string();
            assert!(said.contains(complaint), "{said}");
        }
        let flags = flags("--agencies 0").unwrap();
        let said = format!("{:?}", request(&flags).unwrap_err());
        assert!(said.contains("--agencies 0: expected 1 to 10000"), "{said}");
    }
}
