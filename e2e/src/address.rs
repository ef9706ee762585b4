//! Addresses of loopback that belong to one server of one test.
//!
//! A server that is to be found again after a crash, or before its start, needs a port that nobody
//! takes meanwhile. A port of the system's choice is one that the system may give to the next
//! connection, even to one to that very port, which then talks to itself. An address of one's own
//! has all its ports free.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};

const PORT: u16 = 12345;

/// An address that no other test uses. Until somebody does, nobody listens there.
pub fn own() -> SocketAddr {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let taken = TAKEN.fetch_add(1, Ordering::Relaxed);
    assert!(taken < 0x100, "more addresses than a test program has");
    let [_, high, low, number] = (std::process::id() << 8 | taken).to_be_bytes();
    // In the upper half of 127.0.0.0/8, away from 127.0.0.1.
    SocketAddr::from((Ipv4Addr::new(127, high | 0x80, low, number), PORT))
}
