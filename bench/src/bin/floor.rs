//! The floor, as programs of their own: a server, and agencies that are a process each.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{ArgMatches, Command, value_parser};
use lottery_bench::floor;
use lottery_bench::machine::raise_descriptor_limit;
use lottery_program::command_line::{self, option, value};

fn main() -> ExitCode {
    command_line::run(command(), |flags| {
        run(flags)?;
        Ok(ExitCode::SUCCESS)
    })
}

fn command() -> Command {
    let path = || value_parser!(PathBuf);
    Command::new("floor")
        .version(env!("CARGO_PKG_VERSION"))
        .about(
            "The least that gets the agencies' bytes into a file: what the lottery is measured by.",
        )
        .subcommand_required(true)
        .subcommand(
            Command::new("server")
                .about("Appends all that comes to a file; prints its address; ends by a signal")
                .arg(option("output", "FILE", path(), "The file to make").required(true)),
        )
        .subcommand(
            Command::new("agency")
                .about("Sends a file in frames of 8 kB, each after the answer to the one before")
                .arg(
                    option(
                        "address",
                        "ADDRESS:PORT",
                        value_parser!(SocketAddr),
                        "The server's",
                    )
                    .required(true),
                )
                .arg(option("file", "FILE", path(), "The file to send").required(true)),
        )
}

fn run(flags: &ArgMatches) -> Result<()> {
    match flags.subcommand() {
        Some(("server", flags)) => {
            raise_descriptor_limit();
            let path: PathBuf = value(flags, "output");
            let output = File::create(&path).with_context(|| path.display().to_string())?;
            let listener = floor::listen().context("listening")?;
            let mut stdout = std::io::stdout();
            writeln!(stdout, "{}", listener.local_addr()?)?;
            floor::serve(listener, output).context("serving")
        }
        Some(("agency", flags)) => {
            let path: PathBuf = value(flags, "file");
            floor::send_file(value(flags, "address"), &path)
                .with_context(|| path.display().to_string())
        }
        _ => unreachable!("clap requires one of the two"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
