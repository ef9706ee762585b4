//! The lottery in a world where everything fails: production's central, store and agencies against
//! a simulated network, disk and clock, with one seed that decides everything.
//!
//! A [`world::World`] is made from a seed and run step by step. In its first part anything may
//! happen: bytes are split, merged and delayed, connections are cut or go silent, agencies and the
//! central crash at any moment, the disk fills, fails and tears. In its second part nothing fails
//! any more, and everybody must come to their winners in a bounded number of steps. After each step
//! the [`promise`] is checked. A world that breaks it tells its seed, and the seed makes the same
//! world again.
//!
//! What is production's and what is not:
//!
//! * [`disk`], [`network`]: stand-ins for the system, with its faults.
//! * [`central`]: production's switchboard, central and store, turned by hand instead of by the
//!   event loop.
//! * [`agency`]: production's agency, scanner and retry policy, driven by hand instead of over a
//!   blocking socket.
//! * [`legacy`], [`stranger`]: agencies that never say Hello, and peers that are none.
//! * [`plan`]: what the seed decides before the world begins.
//! * [`statistics`]: what was met, so that nobody believes in faults that never happened.

pub mod agency;
pub mod central;
pub mod disk;
pub mod legacy;
pub mod network;
pub mod plan;
pub mod promise;
pub mod statistics;
pub mod stranger;
pub mod world;
