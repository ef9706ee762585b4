//! Writes completions and man pages instead of running. Only `make dist` builds with this feature.

use std::io;
use std::path::Path;

use clap::Command;
use clap_complete::Shell;

use crate::Complaint;

/// The variable that names the folder to write to.
pub const FOLDER: &str = "LOTTERY_DOCUMENTS";

/// Writes the documents of `command` into `folder`; returns what to print.
pub fn write(command: Command, folder: &Path) -> Complaint {
    match write_all(command, folder) {
        Ok(()) => Complaint {
            code: 0,
            text: format!("documents: {}\n", folder.display()),
        },
        Err(error) => Complaint::of_failure(format!("{}: {error}", folder.display())),
    }
}

fn write_all(mut command: Command, folder: &Path) -> io::Result<()> {
    let name = command.get_name().to_owned();
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        clap_complete::generate_to(shell, &mut command, &name, folder)?;
    }
    clap_mangen::generate_to(command, folder)
}
