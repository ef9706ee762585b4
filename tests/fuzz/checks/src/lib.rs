//! What must hold for bytes from strangers, whatever they are: a check for each place where such bytes
//! come in. It panics when that does not hold.
//!
//! Two engines call the checks. The fuzz targets look for bytes that break them, guided by the code that
//! is reached; the tests of this crate hand them random bytes, and what the fuzzers have found, with
//! nothing but cargo.

#![allow(clippy::unwrap_used)] // A check says what went wrong by panicking.

mod bet_source;
mod doors;
mod messages;
mod store;

/// A check, by the name of its fuzz target.
pub type Check = (&'static str, fn(&[u8]));

/// All of them.
pub const CHECKS: [Check; 10] = [
    ("native", |input| messages::check_requests("native", input)),
    ("frames", |input| messages::check_requests("frames", input)),
    ("flags", |input| messages::check_requests("flags", input)),
    ("lines", |input| messages::check_requests("lines", input)),
    ("sized", |input| messages::check_requests("sized", input)),
    ("replies", messages::check_replies),
    ("store", store::check),
    ("bet_source", bet_source::check),
    ("http", doors::check_http),
    ("handshake", doors::check_handshake),
];

/// Runs the check of this name.
pub fn check(name: &str, input: &[u8]) {
    let check = CHECKS.iter().find(|check| check.0 == name);
    check.expect("a check has this name").1(input);
}
