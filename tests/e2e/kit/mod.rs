//! The harness of the tests that run the real programs as processes on loopback.
//!
//! * [`Server`] is the server, at an address and in a temporary folder of its own.
//! * [`Program`] describes how any program is started; [`Process`] is it running, [`Ended`] how it
//!   ended. [`Program::agency`] is the client, and [`Dataset`] its file.
//! * [`Peer`] is a connection driven by hand, from either side, and [`Central`] a listener. Their bytes
//!   are written by hand in [`Message`] and [`dialects`], without the project's own encoder.
//! * [`Certificates`] are those for mutual TLS.
//!
//! Nothing waits for a time to pass: tests wait for log lines, answers and exits, each within
//! [`PATIENCE`], and show the log when it runs out. The form of every log line of every run is
//! checked when a process ends.

mod central;
mod certificates;
mod dataset;
// One hand writes the dialects for the simulator and for these tests.
#[path = "../../../simulation/src/dialects.rs"]
#[allow(dead_code, reason = "the simulator uses more of it")]
pub mod dialects;
mod log;
mod native;
mod peer;
mod process;
mod program;
mod server;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

pub use central::Central;
pub use certificates::Certificates;
pub use dataset::{Dataset, rows_of};
pub use log::Log;
pub use native::{Bet, Message, batch, losing_bets, rows};
pub use peer::Peer;
pub use process::{Ended, Process, SIGNALS, expect_winners};
pub use program::{Program, has, has_python, tell_not_run};
pub use server::Server;

/// The longest wait for the next line, byte or connection, on a machine that does much else.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until it has happened, where there is no line, byte or end to wait for.
pub fn wait_until(mut has_happened: impl FnMut() -> bool) {
    let started = Instant::now();
    while !has_happened() {
        assert!(started.elapsed() < PATIENCE, "it does not happen");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Ports of an [`own_address`], and those behind it: one for each dialect, and one for HTTP.
const PORTS: u16 = 2 + dialects::Dialect::ALL.len() as u16;

/// An address that no other test uses, nor the ports behind it. Nobody listens there until the test does.
///
/// A server that is found again after a crash needs a port that nobody takes meanwhile. A port that
/// the system chose may go to the next outgoing connection, so each test process has an address of
/// 127.128.0.0/9 for itself, and ports below those that the system gives out.
pub fn own_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(12345);
    let port = NEXT.fetch_add(PORTS, Ordering::Relaxed);
    assert!(port < 32_768, "the system gives out ports from here on");
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    SocketAddr::from(([127, high | 0x80, middle, low], port))
}
