//! The client's program.

use std::process::ExitCode;

fn main() -> ExitCode {
    client::program::run()
}
