//! The central of the national lottery: one thread that stores the bets of all agencies and holds
//! the draw when the last of them has finished.
//!
//! Three layers, whose dependencies point to the business. From the inside out:
//!
//! * [`central`]: the business. Messages go in, replies come out; it knows agencies, phases and the
//!   store, and neither bytes nor sockets nor clocks.
//! * [`lottery`]: the protocols, and [`http`] for those who watch. Bytes go in, messages go up; replies come
//!   down, bytes go out.
//! * [`event_loop`]: sockets. It sleeps until something is ready, and has the [`reactor`] make a turn:
//!   read, stage, commit once, answer.
//!
//! The reactor serves anything that is a `service::Service`: the lottery, or the `echo` service of
//! the first exercises. It keeps one [`connection`] record for each, whose [`transport`] may have
//! [`tls`] on its socket. The simulator drives it over sockets of its own.
//!
//! Around them: [`config`] says how the server is set up, [`start`] puts it together, [`limits`] has every
//! bound, `log_lines` every log line, [`reports`] reads winners and audits from the files, and
//! [`healthcheck`] asks a running server.

pub mod central;
pub mod config;
pub mod connection;
mod echo;
pub mod event_loop;
pub mod healthcheck;
pub mod http;
pub mod limits;
mod listener;
mod log_lines;
pub mod lottery;
pub mod reactor;
pub mod reports;
mod service;
pub mod start;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod timed_disk;
pub mod tls;
pub mod transport;

#[cfg(test)]
mod tests;
