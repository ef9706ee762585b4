//! The command line, and everything that can be wrong before anything starts.

use std::ffi::OsString;
use std::fs::File;
use std::path::{self, Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::builder::ValueParser;
use clap::{Arg, ArgMatches, Command, value_parser};
use lottery_program::settings::{CommandLineEnd, parse_command_line};

/// The most agencies that one machine is asked to run as processes.
const AGENCIES_MAX: i64 = 100;

/// An agency's data file.
#[derive(Debug)]
pub struct DataFile {
    /// Where it is, from the root.
    pub path: PathBuf,
    /// The rows in it.
    pub bets: u64,
}

/// What to run, looked up and found good.
#[derive(Debug)]
pub struct Plan {
    /// The central's program.
    pub server_program: PathBuf,
    /// The agencies' program.
    pub client_program: PathBuf,
    /// The file of agency 1, of agency 2, and so on.
    pub files: Vec<DataFile>,
    /// Where the central stores, if the user chose.
    pub storage: Option<PathBuf>,
}

/// Reads the command line.
///
/// # Errors
///
/// When there is nothing more to do than to print something.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<ArgMatches, CommandLineEnd> {
    parse_command_line(command(), arguments)
}

fn command() -> Command {
    let option = |name: &'static str, value_name, parser: ValueParser, help| {
        let arg = Arg::new(name).long(name).help(help);
        arg.value_name(value_name).value_parser(parser)
    };
    let path = || value_parser!(PathBuf);
    Command::new("lottery-demo")
        .version(env!("CARGO_PKG_VERSION"))
        .about("The whole lottery on this machine: a central, its agencies, the draw, a table.")
        .arg(
            option(
                "agencies",
                "N",
                value_parser!(u32).range(1..=AGENCIES_MAX).into(),
                "How many agencies take part",
            )
            .default_value("5"),
        )
        .arg(
            option(
                "data-dir",
                "DIR",
                path(),
                "Folder of agency-1.csv, agency-2.csv, …",
            )
            .default_value(".data"),
        )
        .arg(option(
            "keep-storage",
            "DIR",
            path(),
            "Store in this folder and keep it [default: a temporary one]",
        ))
        .arg(option(
            "server-program",
            "FILE",
            path(),
            "The central's program [default: server, beside this one]",
        ))
        .arg(option(
            "client-program",
            "FILE",
            path(),
            "The agencies' program [default: client, beside this one]",
        ))
        .after_help("Example: lottery-demo --agencies 3 --keep-storage ./lottery")
}

impl Plan {
    /// Finds the programs and reads each data file once, for its number of rows.
    ///
    /// # Errors
    ///
    /// The first thing that is missing, and what to do about it.
    pub fn check(flags: &ArgMatches) -> Result<Plan> {
        let chosen = |name: &str| flags.get_one::<PathBuf>(name);
        let agencies = *flags
            .get_one::<u32>("agencies")
            .expect("the option has a default");
        let data_dir = chosen("data-dir").expect("the option has a default");
        Ok(Plan {
            server_program: find_program(chosen("server-program"), "server")?,
            client_program: find_program(chosen("client-program"), "client")?,
            files: (1..=agencies)
                .map(|agency| data_file(data_dir, agency))
                .collect::<Result<_>>()?,
            storage: chosen("keep-storage")
                .map(|folder| unused_folder(folder))
                .transpose()?,
        })
    }
}

fn find_program(chosen: Option<&PathBuf>, name: &str) -> Result<PathBuf> {
    let program = match chosen {
        Some(program) => path::absolute(program)?,
        None => std::env::current_exe()
            .context("finding this program's own folder")?
            .with_file_name(name),
    };
    if !program.is_file() {
        bail!(
            "{}: there is no such program; `make build` builds it, --{name}-program names another",
            program.display()
        );
    }
    Ok(program)
}

fn data_file(folder: &Path, agency: u32) -> Result<DataFile> {
    let path = path::absolute(folder.join(format!("agency-{agency}.csv")))?;
    let bets = count_rows(&path).map_err(|error| {
        anyhow!(
            "{}: cannot be read: {error}; expected the bets of agency {agency}: `make datasets` \
             makes such files, --data-dir and --agencies choose others",
            path.display()
        )
    })?;
    Ok(DataFile { path, bets })
}

fn count_rows(path: &Path) -> Result<u64> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(File::open(path)?);
    let mut row = csv::ByteRecord::new();
    let mut rows = 0;
    while reader.read_byte_record(&mut row)? {
        rows += 1;
    }
    Ok(rows)
}

/// A folder with bets in it would make this run the end of an older one, and its figures wrong.
fn unused_folder(folder: &Path) -> Result<PathBuf> {
    let folder = path::absolute(folder)?;
    for file in ["bets.csv", "closings.csv"] {
        if folder.join(file).exists() {
            bail!(
                "--keep-storage {}: has a {file} already; expected a folder that no lottery has used",
                folder.display()
            );
        }
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn rows_are_counted_as_csv_has_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agency-1.csv");
        for (text, rows) in [
            ("", 0),
            ("a,b,1,2000-01-01,1\r\n", 1),
            ("a,b,1,2000-01-01,1\r\nc,\"d, e\",2,2000-01-01,2", 2),
            ("a,\"b\r\nc\",1,2000-01-01,1\r\nshort\r\n", 2),
            ("a,\u{e9},1\nb,c\n\nd\n", 3),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(count_rows(&path).unwrap(), rows, "{text:?}");
        }
    }
}
