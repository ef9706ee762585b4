//! The central of the national lottery: one thread that stores the bets of all agencies and holds
//! the draw when the last of them has finished.
//!
//! Three layers, whose dependencies point to the business. From there on out:
//!
//! * [`central`]: the business. Requests go in, replies come out; it knows agencies, phases and the
//!   store, and neither bytes nor sockets nor clocks.
//! * [`switchboard`]: the protocol. Bytes go in, requests go up; replies come down, bytes go out.
//! * [`event_loop`]: sockets. It sleeps until something is ready, and has the [`reactor`] make a turn:
//!   read, stage, commit once, answer.
//!
//! The reactor serves anything that is a [`service::Service`]: the switchboard, or the [`echo`]
//! service of the first exercises. The simulator drives it over sockets of its own.
//!
//! Around them: [`config`] says how the server is set up, [`journal`] has every log line,
//! [`audit`] checks the files of a server that does not run, and [`healthcheck`] asks one that
//! does.

pub mod audit;
pub mod central;
pub mod config;
pub mod echo;
pub mod event_loop;
pub mod healthcheck;
pub mod journal;
pub mod layers;
pub mod reactor;
pub mod service;
pub mod switchboard;

#[cfg(test)]
mod testing;
