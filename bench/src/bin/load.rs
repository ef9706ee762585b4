//! Puts a running server under load: for profiling it, or for a server on another machine.

use std::io::{Write, stdout};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{ArgMatches, Command, value_parser};
use lottery_bench::load::{Conversation, Load};
use lottery_bench::machine::raise_descriptor_limit;
use lottery_bench::report::figures::{duration, grouped};
use lottery_bench::trial::Workspace;
use lottery_bench::trial::data::{BUNDLED_AGENCIES, Bets, Library};
use lottery_program::command_line::{self, option, switch, value};

fn main() -> ExitCode {
    command_line::run(command(), |flags| {
        run(flags)?;
        Ok(ExitCode::SUCCESS)
    })
}

fn command() -> Command {
    let number = || value_parser!(u32).range(1..);
    Command::new("load")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Many agencies in one thread, against a server that runs and has no bets yet.")
        .arg(
            option(
                "address",
                "HOST:PORT",
                value_parser!(String),
                "The server's",
            )
            .default_value("127.0.0.1:12345"),
        )
        .arg(
            option(
                "times",
                "K",
                number(),
                "The bundled data of 5 agencies, K times as much",
            )
            .default_value("1"),
        )
        .arg(
            option(
                "agencies",
                "N",
                number(),
                "Rather N agencies of 100 bets each",
            )
            .conflicts_with("times"),
        )
        .arg(option("batch", "BETS", number(), "Bets in a batch, at most").default_value("125"))
        .arg(
            option("window", "BATCHES", number(), "Batches unanswered at once")
                .default_value("128"),
        )
        .arg(switch("no-hello", "Agencies that do not say Hello"))
        .after_help(
            "Example: server --num-agencies 5 --storage-dir /tmp/lottery & load --times 10\n\
             The server's NUM_AGENCIES must be 5, or N.",
        )
}

fn run(flags: &ArgMatches) -> Result<()> {
    raise_descriptor_limit();
    let name: String = value(flags, "address");
    let address: SocketAddr = name
        .to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next())
        .with_context(|| format!("--address {name}: expected HOST:PORT"))?;
    let (bets, agencies) = match flags.get_one::<u32>("agencies") {
        Some(agencies) => (Bets::Each, *agencies),
        None => {
            let times = value(flags, "times");
            (Bets::Bundled { times }, BUNDLED_AGENCIES)
        }
    };
    let workspace = Workspace::new(&std::env::temp_dir())?;
    let mut library = Library::new(PathBuf::from(workspace.path()));
    let scripts = library.lottery_scripts(bets, value(flags, "batch"))?;
    let outcome = Load {
        address,
        agencies,
        scripts: &scripts,
        conversation: Conversation::Lottery {
            greets: !flags.get_flag("no-hello"),
        },
        window: value::<u32>(flags, "window") as usize,
    }
    .run()?;
    let times = &outcome.answer_times;
    ensure!(times.count() > 0, "nothing was answered");
    let quantile = |share| times.quantile(share).map_or(String::new(), duration);
    writeln!(
        stdout(),
        "{} bets in {}: {} bets/s; {} batches, answered in p50 {}, p99 {}, max {}",
        grouped(outcome.bets as f64),
        duration(outcome.elapsed),
        grouped(outcome.bets as f64 / outcome.elapsed.as_secs_f64()),
        grouped(times.count() as f64),
        quantile(0.5),
        quantile(0.99),
        duration(times.max()),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
