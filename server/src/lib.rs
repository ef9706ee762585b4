//! The central of the national lottery: one thread that stores the bets of all agencies and holds
//! the draw when the last of them has finished.
//!
//! Three layers, each knowing only the one below it. From the top:
//!
//! * [`central`]: the business. Requests go in, replies come out; it knows agencies, phases and the
//!   store, and neither bytes nor sockets nor clocks.
//! * [`switchboard`]: the protocol. Bytes go in, requests go up; replies come down, bytes go out.
//! * [`event_loop`]: sockets and readiness. It runs in turns: read, stage, commit once, answer.
//!
//! The event loop serves anything that is a [`service::Service`]: the switchboard, or the [`echo`]
//! service of the first exercises. The simulator drives the switchboard without the event loop.
//!
//! Around them: [`config`] says how the server is set up, [`journal`] has every log line, and
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
pub mod service;
pub mod switchboard;

#[cfg(test)]
mod testing;
