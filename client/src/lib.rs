//! A betting agency of the national lottery: reads bets, sends them to the central in batches, and
//! learns who of its bettors has won.
//!
//! Three layers, whose dependencies point to the business. From there on out:
//!
//! * [`agency`]: the conversation with the central, a state machine without I/O. It takes bets from
//!   a [`bet_source`], puts them into a [`batch`] at a time, and says what to send and whether to
//!   wait.
//! * [`lottery`]: drives that machine over one connection after the other, until it has its
//!   winners or the time to [`retry`] is over.
//! * [`connection`]: a blocking socket and the replies that come out of it.
//!
//! Beside them: [`echo`] is the client of the first exercises, [`interruption`] lets a signal end
//! every wait, [`progress`] shows how far the upload is, [`config`] says how the client is set up,
//! and [`journal`] has every log line.

pub mod agency;
pub mod batch;
pub mod bet_source;
pub mod config;
pub mod connection;
pub mod echo;
pub mod interruption;
pub mod journal;
pub mod lottery;
pub mod progress;
pub mod retry;
