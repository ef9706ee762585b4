//! A betting agency of the national lottery: reads bets, sends them to the central in batches, and
//! learns who of its bettors has won.
//!
//! Three layers, whose dependencies point to the business. From there on out:
//!
//! * [`agency`]: the conversation with the central, a state machine without I/O. It takes bets from
//!   a [`bet_source`], and says what to send and whether to wait.
//! * [`reconnect`]: drives that machine over one connection after the other, until it has its
//!   winners or the time to [`retry`] is over.
//! * `connection`: a socket, perhaps with `tls`, and the replies that come out of it.
//!
//! Beside them: [`program`] is the command line, [`config`] says how the client is set up, `echo` is the client
//! of the first exercises, [`signals`] has every wait and what ends it, `progress` shows how far the upload
//! is, and `log_lines` has every log line.

pub mod agency;
pub mod bet_source;
pub mod config;
mod connection;
mod echo;
mod log_lines;
pub mod program;
mod progress;
pub mod reconnect;
pub mod retry;
pub mod signals;
mod tls;
