//! Finds the commit that the programs are built from, for their `--version`.

use std::path::Path;
use std::process::Command;

/// Git notes every commit and checkout here; it is missing where there is no repository.
const HEAD_LOG: &str = "../.git/logs/HEAD";

fn main() {
    let changes = if Path::new(HEAD_LOG).exists() {
        HEAD_LOG
    } else {
        "build.rs"
    };
    println!("cargo:rerun-if-changed={changes}");
    println!("cargo:rerun-if-env-changed=LOTTERY_COMMIT");
    // An image is built without the repository, and is told.
    let told = std::env::var("LOTTERY_COMMIT").unwrap_or_default();
    let head = || {
        let mut git = Command::new("git");
        let output = git.args(["rev-parse", "--short=10", "HEAD"]).output();
        let head = output.ok().filter(|output| output.status.success());
        head.map(|head| String::from_utf8_lossy(&head.stdout).into_owned())
    };
    let commit = if told.is_empty() { head() } else { Some(told) };
    let commit = commit.as_deref().map_or("unknown commit", str::trim);
    println!("cargo:rustc-env=LOTTERY_COMMIT={commit}");
}
