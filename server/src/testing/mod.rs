//! Test doubles, behind the feature `testing`, and what the tests of this crate share.

mod authority;
mod log_memory;
mod network;
#[cfg(test)]
mod world;

pub use authority::Authority;
pub use log_memory::{forget_log, take_log, times_logged};
pub use network::{Network, Outlook, Peer, Received, SimSocket};
#[cfg(test)]
pub(crate) use world::*;
