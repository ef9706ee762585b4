//! The lottery in a world where everything fails: production's central, store and agencies against
//! a simulated network, disk and clock, with one seed that decides everything.
//!
//! A [`World`] is made from a seed and run step by step. In its first part anything may happen: bytes
//! are split, merged and delayed, connections are cut or go silent, agencies and the central crash at
//! any moment, the disk fills, fails and tears, somebody removes its files, and strangers crowd in. In
//! its second part nothing fails any more, and everybody must come to their winners in a bounded number
//! of steps. After each step the promise is checked. A world that breaks it tells its seed, and the
//! seed makes the same world again.
//!
//! What is production's and what is not:
//!
//! * `central`: production's reactor, lottery, central and store, turned by hand instead of by the
//!   event loop. Its disk and its network are the doubles of all tests.
//! * `agency`: what agencies have in common. `resuming` is production's agency and retry policy, driven
//!   by hand instead of over a blocking socket. `plain` is one without Hello, in one of five dialects,
//!   whose bytes `dialects` writes by hand.
//! * `liar`: production's agency again, and a central that answers anything.
//! * `stranger`: peers that are no agencies. `operator`: somebody with access to the files.
//! * `plan`: what the seed decides before the world begins.
//! * `promise`: what must hold.
//!
//! The program that runs worlds also knows what they must have met, so that nobody believes in faults that never happened.

mod agency;
mod central;
mod dialects;
mod liar;
mod operator;
mod plain;
mod plan;
mod promise;
mod resuming;
mod stranger;
mod world;

pub use promise::Broken;
pub use world::World;
