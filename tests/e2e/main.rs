//! The real programs as processes, seen from outside.
//!
//! A rule that belongs to one type is shown beside that type; here stands what a user, an agency
//! or an operator sees, once.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

mod kit;

mod agency_file;
mod crashes;
mod dialects;
mod documents;
mod example_agency;
mod flood;
mod http;
mod limits;
mod modes;
mod network;
mod operating;
mod settings;
mod signals;
mod stalled_log;
mod storage;
mod tls;
mod whole_runs;
