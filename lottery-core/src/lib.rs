//! The heart of the national lottery: what a bet is, how it travels and how it is kept.
//!
//! This crate has no sockets, no threads, no clock and no logging. Bytes, files and the day come in
//! as arguments, and results go out as values, so that the production programs, the simulator and
//! the fuzzers all run the very same code.
//!
//! Start from [`bet::Bet`], the one thing that everything else moves about. Then:
//!
//! * [`bet`]: a bet, the rules that make it valid, and the complaint about one that is not.
//! * [`csv_row`]: one row of CSV, taken apart.
//! * [`date`]: calendar days as text and as the Unix time of their midnight.
//! * [`lines`]: a file as lines, read in large pieces.
//! * [`name`]: a bettor's name, checked once.
//! * [`protocol`]: the messages between agencies and central, byte for byte.
//! * [`store`]: `bets.csv` and `closings.csv`, appended in group commits and recovered at opening.

pub mod bet;
pub mod csv_row;
pub mod date;
pub mod lines;
pub mod name;
pub mod protocol;
pub mod store;
