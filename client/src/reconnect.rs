//! One agency's run: connection after connection, until its winners are known.
//!
//! What fails in passing is tried again until there was no progress for `retry.timeout` (see
//! [`Retry`]). Two programs of one agency would take it over from each other for ever, so one of
//! them ends. A program concludes that there is another one
//!
//! * when a Welcome counts more bets than this program sent (see [`Agency`]), or
//! * when the central welcomes it and closes the connection without a word, `TAKEOVERS_MAX` times in
//!   a row, though each connection is made at once; but for the first, none was [`STEADY`].
//!
//! A central that restarts does neither: it refuses connections that are tried at once. On a busy
//! machine one such try may come late, but not several in a row.

use std::fmt::Display;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::agency::{Agency, AgencyError, News, Step};
use crate::bet_source::BetSource;
use crate::config::Network;
use crate::connection::{Connection, ConnectionError};
use crate::log_lines;
use crate::retry::{Retry, STEADY};
use crate::signals::Signals;

/// Bytes gathered before they are sent, so that one system call sends several batches.
const SEND_BYTES: usize = 64 * 1024;

/// Connections in a row that another program has taken over, as it seems, after which this one ends.
const TAKEOVERS_MAX: u32 = 4;

/// Why an agency did not get its winners.
#[derive(Debug, Error)]
pub enum RunError {
    /// The connection failed, and the time to try again is over or was of no use.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The central closed the connection of an agency that it had welcomed.
    #[error("the central closed the connection; it stopped, or another program runs as agency {0}")]
    Closed(u32),
    /// The conversation cannot go on.
    #[error(transparent)]
    Agency(#[from] AgencyError),
}

impl RunError {
    fn is_passing(&self) -> bool {
        match self {
            RunError::Connection(error) => error.is_passing(),
            RunError::Closed(_) => true,
            RunError::Agency(error) => error.is_passing(),
        }
    }
}

/// Takes part in the lottery and returns the winners. `tell` hears of each step forward.
///
/// # Errors
///
/// When the agency was refused, there was no progress for too long, another program runs for the
/// agency, or a signal came.
pub fn take_part<S: BetSource>(
    agency: &mut Agency<S>,
    network: &Network,
    signals: &Signals,
    mut tell: impl FnMut(&News, &Agency<S>),
) -> Result<Vec<u32>, RunError> {
    let started = Instant::now();
    let mut retry = Retry::new(network.retry_timeout, Duration::ZERO);
    let mut takeovers = 0;
    loop {
        let begun = started.elapsed();
        let note = |news: &News, agency: &Agency<S>| {
            retry.note_registered(agency.registered(), started.elapsed());
            tell(news, agency);
        };
        let error = match converse(agency, network, signals, note) {
            Ok(winners) => return Ok(winners),
            Err(error) => error,
        };
        let now = started.elapsed();
        let lasted = now - begun;
        if agency.is_waiting() {
            retry.note_wait(lasted, now);
        }
        let is_closed = matches!(error, RunError::Closed(_));
        takeovers = match is_closed {
            true if lasted < STEADY => takeovers + 1,
            closed => u32::from(closed),
        };
        if takeovers == TAKEOVERS_MAX {
            return Err(AgencyError::AnotherProgram(agency.number()).into());
        }
        if !error.is_passing() {
            return Err(error);
        }
        let due = retry.pause_after_failure(now, fastrand::f64());
        let at_once = due.map(|_| Duration::ZERO);
        pause(error, if is_closed { at_once } else { due }, signals)?;
    }
}

/// Logs a failure and pauses until the next try. Gives the failure back when there is none, or when
/// a signal has come.
pub(crate) fn pause<E: Display>(
    error: E,
    pause: Option<Duration>,
    signals: &Signals,
) -> Result<(), E> {
    match pause {
        Some(pause) if !signals.have_ended_it() => {
            log_lines::will_retry(&error, pause);
            signals.sleep(pause).map_err(|_| error)
        }
        _ => Err(error),
    }
}

fn converse<S: BetSource>(
    agency: &mut Agency<S>,
    network: &Network,
    signals: &Signals,
    mut note: impl FnMut(&News, &Agency<S>),
) -> Result<Vec<u32>, RunError> {
    agency.connected();
    let mut connection = Connection::open(agency.number(), network, signals)?;
    let mut out = Vec::with_capacity(SEND_BYTES);
    loop {
        let is_patient = match agency.advance(&mut out)? {
            Step::Done(winners) => return Ok(winners),
            Step::Send if out.len() < SEND_BYTES => continue,
            Step::Send => {
                connection.send(&mut out)?;
                continue;
            }
            Step::AwaitReply => false,
            Step::AwaitDraw => true,
        };
        connection.send(&mut out)?;
        let mut deadline = connection.deadline();
        if is_patient {
            note(&News::AwaitingDraw, agency);
            deadline = None;
        }
        let reply = connection.receive(deadline, agency.winners_max());
        let mut next = Some(reply.map_err(|error| match error {
            ConnectionError::Closed if agency.is_identified() => RunError::Closed(agency.number()),
            error => error.into(),
        })?);
        // One read may have brought the answers to many batches; new ones are sent together too.
        while let Some(reply) = next {
            note(&agency.receive(reply)?, agency);
            next = connection.received(agency.winners_max())?;
        }
    }
}
