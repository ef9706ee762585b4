//! The programs under test, built when a test first asks for one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The server's program.
pub fn server() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| build("server"))
}

/// The client's program.
pub fn client() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| build("client"))
}

/// Builds a package's program where this test was built, and in its profile: cargo builds the
/// programs of other packages neither for `cargo test -p` nor again when they changed since.
fn build(package: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile_folder = test.ancestors().nth(2).unwrap();
    let profile = match profile_folder.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        other => other,
    };
    let above = profile_folder.parent().unwrap();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
    cargo
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .args(["build", "--quiet", "--bins", "--package", package])
        .args(["--profile", profile]);
    // With `cargo test --target` a folder named after the target is in between.
    if above.join(".rustc_info.json").exists() {
        cargo.arg("--target-dir").arg(above);
    } else {
        cargo.arg("--target-dir").arg(above.parent().unwrap());
        cargo.arg("--target").arg(above.file_name().unwrap());
    }
    let built = cargo.output().unwrap();
    assert!(
        built.status.success(),
        "{cargo:?} failed:\n{}",
        String::from_utf8_lossy(&built.stderr)
    );
    profile_folder.join(package)
}
