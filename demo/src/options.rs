//! The command line, and everything that can be wrong before anything starts.

use std::fs::File;
use std::path::{self, Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use clap::{ArgMatches, Command, value_parser};
use lottery_program::VERSION;
use lottery_program::command_line::{find_program, option, program_option, value};

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

/// The command line.
pub fn command() -> Command {
    let path = || value_parser!(PathBuf);
    Command::new("lottery-demo")
        .version(VERSION)
        .about("The whole lottery on this machine: a central, its agencies, the draw, a table.")
        .arg(
            option(
                "agencies",
                "N",
                value_parser!(u32).range(1..=AGENCIES_MAX),
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
        .arg(program_option("server-program", "The central's program"))
        .arg(program_option("client-program", "The agencies' program"))
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
        let agencies: u32 = value(flags, "agencies");
        let data_dir: PathBuf = value(flags, "data-dir");
        Ok(Plan {
            server_program: find_program(chosen("server-program"), "server")?,
            client_program: find_program(chosen("client-program"), "client")?,
            files: (1..=agencies)
                .map(|agency| data_file(&data_dir, agency))
                .collect::<Result<_>>()?,
            storage: chosen("keep-storage")
                .map(|folder| unused_folder(folder))
                .transpose()?,
        })
    }
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
