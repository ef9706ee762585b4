//! Finds the commit that the programs are built from, for their `--version`.

use std::path::Path;
use std::process::Command;

/// Git notes every commit and checkout here; it is missing where there is no repository.
const HEAD_LOG: &str = "../.git/logs/HEAD";

fn main() {
    println!("cargo:rerun-if-env-changed=LOTTERY_COMMIT");
    if Path::new(HEAD_LOG).exists() {
        println!("cargo:rerun-if-changed={HEAD_LOG}");
    } else {
        println!("cargo:rerun-if-changed=build.rs");
    }
    // An image is built without the repository, and is told.
    let told = std::env::var("LOTTERY_COMMIT").ok();
    let commit = told
        .filter(|commit| !commit.is_empty())
        .or_else(head)
        .unwrap_or_else(|| "unknown commit".to_owned());
    println!("cargo:rustc-env=LOTTERY_COMMIT={commit}");
}

fn head() -> Option<String> {
    let output = Command::new("git")
        .args(["rev-parse", "--short=10", "HEAD"])
        .output()
        .ok()?;
    let commit = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| commit.trim().to_owned())
}
