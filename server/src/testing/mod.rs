//! Test doubles, behind the feature `testing`, and what the tests of this crate share.

mod authority;
mod link;
mod log_memory;
mod network;
#[cfg(test)]
mod words;
#[cfg(test)]
mod world;

pub use authority::Authority;
pub use link::Outlook;
pub use log_memory::{forget_log, take_log, times_logged};
pub use network::{Network, Peer, Received, SimSocket};
#[cfg(test)]
pub(crate) use {words::encode, world::*};
