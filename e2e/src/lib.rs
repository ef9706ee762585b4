//! The world of the tests that run the real programs as processes on loopback.
//!
//! * [`ServerSetup`] starts a [`ServerProcess`] in a temporary folder of its own, on a port that the
//!   system chose.
//! * [`HandAgency`] is an agency written by hand, byte for byte as [`wire`] says; nothing here uses
//!   the project's own encoder, so its bytes are checked by a second opinion.
//! * [`ClientSetup`] starts a [`ClientProcess`], the project's own agency.
//! * [`HandCentral`] is a central written by hand, for that agency to talk to.
//! * [`Dataset`] is an agency's file, and what must become of it.
//!
//! The programs are built when a test first asks for them, so no test runs a stale one. Nothing
//! here waits for a time to pass: tests wait for log lines, answers and ends, each within
//! [`PATIENCE`], and show the log when it is spent.

#![allow(
    clippy::unwrap_used,
    reason = "whatever fails here fails the test that asked for it"
)]

mod address;
mod agency;
mod binaries;
mod central;
mod client;
pub mod configuration;
mod connection;
pub mod dataset;
pub mod log;
mod process;
mod server;
pub mod wire;

use std::time::Duration;

pub use address::own as nowhere;
pub use agency::{Answer, HandAgency};
pub use central::{Asked, HandCentral, HandLine};
pub use client::{ClientProcess, ClientSetup};
pub use connection::HandConnection;
pub use dataset::Dataset;
pub use process::{ENDING_SIGNALS, Ended, Process};
pub use server::{ServerProcess, ServerSetup};

/// How long a test waits for what must happen: long enough for a machine that does much else.
pub const PATIENCE: Duration = Duration::from_secs(30);
