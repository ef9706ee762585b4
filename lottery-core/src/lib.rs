//! The heart of the national lottery: what a bet is, how it travels and how it is kept.
//!
//! This crate has no sockets, no threads, no clock and no logging. Bytes and files come in as
//! arguments and results go out as values, so the programs, the simulator and the fuzzers all run
//! the same code.
//!
//! Start from [`bet::Bet`], then read in this order:
//!
//! * [`bet`], [`name`], [`date`]: a bet, the rules that make it valid, and the complaint about one
//!   that is not.
//! * [`encoding`]: the bytes of a bet, and the count and CRC by which two sides compare what they have.
//! * [`message`]: what agencies ask and the central answers, without bytes.
//! * [`codec`]: the same as bytes, in each of the five dialects that agencies speak.
//! * [`store`]: `bets.csv`, `closings.csv` and `draw.csv`, appended in group commits and recovered at
//!   opening.
//! * [`csv_row`], [`lines`]: rows of CSV and lines of files.

pub mod bet;
pub mod codec;
pub mod csv_row;
pub mod date;
pub mod encoding;
mod fields;
pub mod lines;
pub mod message;
pub mod name;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
