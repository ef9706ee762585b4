//! A betting agency of the national lottery: reads bets, sends them to the central in batches, and
//! learns who of its bettors has won.
//!
//! Three layers, whose dependencies point to the business. From there on out:
//!
//! * [`agency`]: the conversation with the central, a state machine without I/O. It takes bets from
//!   a [`bet_source`], puts them into a [`batch`] at a time, and says what to send and whether to
//!   wait.
//! * [`reconnect`]: drives that machine over one connection after the other, until it has its
//!   winners or the time to [`retry`] is over.
//! * [`connection`]: a socket, and the replies that come out of it.
//!
//! Beside them: [`echo`] is the client of the first exercises, [`signals`] has every wait and what
//! ends it, [`progress`] shows how far the upload is, [`config`] says how the client is set up, and
//! [`log_lines`] has every log line.

pub mod agency;
pub mod batch;
pub mod bet_source;
pub mod config;
pub mod connection;
pub mod echo;
pub mod log_lines;
pub mod progress;
pub mod reconnect;
pub mod retry;
pub mod signals;
pub mod tls;
