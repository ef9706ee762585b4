//! Measures the lottery: real servers under real and synthetic agencies, and the floor in turn.
//! `make bench` runs it, and it writes `bench/RESULTS.md` and the curves beside it.

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::{ArgMatches, Command, value_parser};
use lottery_bench::machine::{Machine, load_average, raise_descriptor_limit};
use lottery_bench::measure::Bench;
use lottery_bench::report::{self, Circumstances, Findings, tables, targets};
use lottery_bench::rows::{self, Row};
use lottery_bench::trial::Programs;
use lottery_program::command_line::{self, find_program, option, program_option, switch, value};
use time::OffsetDateTime;
use time::macros::format_description;

/// What is measured beside the rows.
const START: &str = "start";
const STORE: &str = "store";
const CALLS: &str = "calls";

fn main() -> ExitCode {
    command_line::run(command(), |flags| {
        run(flags)?;
        Ok(ExitCode::SUCCESS)
    })
}

fn command() -> Command {
    let path = || value_parser!(PathBuf);
    Command::new("bench")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Measures how fast the lottery is, and writes RESULTS.md and the curves.")
        .arg(switch(
            "quick",
            "Only what the targets need: less than two minutes",
        ))
        .arg(
            option(
                "only",
                "NAMES",
                value_parser!(String),
                "Only the rows whose names contain one of these, with commas between; prints, and writes nothing",
            )
            .value_delimiter(','),
        )
        .arg(switch("list", "Lists the names of the rows, and ends"))
        .arg(
            option(
                "pairs",
                "N",
                value_parser!(u32).range(1..=1000),
                "How often each row is run, the floor and ours in turn",
            )
            .default_value("5"),
        )
        .arg(
            option("output", "DIR", path(), "Where RESULTS.md and curves/ go")
                .default_value("bench"),
        )
        .arg(option(
            "folder",
            "DIR",
            path(),
            "Where data and storage are made and removed [default: the system's temporary folder]",
        ))
        .arg(program_option("server-program", "The central's program"))
        .arg(program_option("client-program", "The agencies' program"))
        .after_help(
            "Examples: bench --quick\n          bench --only clients-x10-no,load-x10-no --pairs 9\n          bench --only start,store,calls",
        )
}

fn run(flags: &ArgMatches) -> Result<()> {
    let chosen = choose(flags);
    if flags.get_flag("list") {
        let names = chosen.rows.iter().map(Row::name);
        let others = [START, STORE, CALLS].map(str::to_owned);
        for name in names.chain(others) {
            writeln!(stdout(), "{name}")?;
        }
        return Ok(());
    }
    ensure!(
        !chosen.is_empty(),
        "--only names no row; --list lists them all"
    );
    let started = Instant::now();
    let load_before = load_average();
    raise_descriptor_limit();
    let named = |flag: &str| flags.get_one::<PathBuf>(flag);
    let programs = Programs {
        server: find_program(named("server-program"), "server")?,
        client: find_program(named("client-program"), "client")?,
        floor: find_program(None, "floor")?,
    };
    let parent = named("folder").cloned().unwrap_or_else(std::env::temp_dir);
    let pairs: u32 = value(flags, "pairs");
    let mut bench = Bench::new(programs, &parent, pairs as usize)?;
    let findings = measure(&mut bench, &chosen)?;
    let circumstances = Circumstances {
        machine: Machine::describe(&parent),
        date: OffsetDateTime::now_utc().format(format_description!(
            "[year]-[month]-[day] [hour]:[minute] UTC"
        ))?,
        command: if flags.get_flag("quick") {
            "make bench QUICK=1".to_owned()
        } else {
            "make bench".to_owned()
        },
        pairs: pairs as usize,
        seconds: started.elapsed().as_secs(),
        load_averages: (load_before, load_average()),
    };
    writeln!(stdout(), "\n{}", targets::table(&targets::judge(&findings)))?;
    if chosen.is_whole {
        let output: PathBuf = value(flags, "output");
        report::write(&output, &findings, &circumstances)?;
        let (seconds, page) = (circumstances.seconds, output.join("RESULTS.md"));
        writeln!(stdout(), "{seconds} s; written to {}", page.display())?;
    }
    Ok(())
}

/// What is to be measured.
struct Chosen {
    rows: Vec<Row>,
    start: bool,
    store: bool,
    calls: bool,
    /// Whether this is a run of which a page can be made.
    is_whole: bool,
}

impl Chosen {
    fn is_empty(&self) -> bool {
        self.rows.is_empty() && !self.start && !self.store && !self.calls
    }
}

fn choose(flags: &ArgMatches) -> Chosen {
    let rows = if flags.get_flag("quick") {
        rows::quick()
    } else {
        rows::all()
    };
    let Some(asked) = flags.get_many::<String>("only") else {
        return Chosen {
            rows,
            start: true,
            store: true,
            calls: true,
            is_whole: true,
        };
    };
    let asked: Vec<_> = asked.collect();
    // Whoever types a whole name wants that row, and not those whose names begin with it.
    let is_asked = |row: &Row| {
        let name = row.name();
        let is_a_name = |part: &str| rows::all().iter().any(|row| row.name() == part);
        let mut parts = asked.iter();
        parts.any(|part| name == **part || (!is_a_name(part) && name.contains(part.as_str())))
    };
    let names = |what: &str| asked.iter().any(|part| *part == what);
    Chosen {
        rows: rows.into_iter().filter(is_asked).collect(),
        start: names(START),
        store: names(STORE),
        calls: names(CALLS),
        is_whole: false,
    }
}

fn measure(bench: &mut Bench, chosen: &Chosen) -> Result<Findings> {
    let mut findings = Findings::default();
    if chosen.start {
        findings.starts_ms = Some(bench.starts_ms()?);
    }
    for row in &chosen.rows {
        let measured = bench.row(*row)?;
        writeln!(stdout(), "{}", tables::line(&measured))?;
        findings.rows.push(measured);
    }
    if chosen.store {
        findings.store = Some(bench.store()?);
    }
    if chosen.calls {
        findings.calls = bench.system_calls()?;
        write!(
            stdout(),
            "{}",
            tables::system_calls(findings.calls.as_deref())
        )?;
    }
    if chosen.start || chosen.store {
        write!(stdout(), "{}", tables::store(&findings))?;
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(arguments: &str) -> Chosen {
        let words = std::iter::once("bench").chain(arguments.split_whitespace());
        choose(&command().try_get_matches_from(words).unwrap())
    }

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn a_whole_name_is_that_row_and_a_part_is_all_that_contain_it() {
        let names = |arguments: &str| {
            chosen(arguments)
                .rows
                .iter()
                .map(Row::name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names("--only load-x1-no"), ["load-x1-no"]);
        assert_eq!(names("--only clients-x50,start").len(), 3);
        assert!(names("--only nonsense").is_empty());
    }

    #[test]
    fn without_a_choice_everything_is_measured_and_written() {
        let all = chosen("");
        assert!(all.is_whole && all.start && all.store && all.calls);
        assert!(chosen("--quick").rows.len() < all.rows.len());
        assert!(!chosen("--only start").is_whole);
    }
}
