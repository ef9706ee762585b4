//! An agency's run: one connection after the other, until its winners are known.

use std::time::Instant;

use thiserror::Error;

use crate::agency::{Agency, AgencyError, News, Step};
use crate::bet_source::{BetSource, SourceError};
use crate::config::Network;
use crate::connection::{Connection, ConnectionError};
use crate::interruption::{Interrupted, Interruption};
use crate::journal;
use crate::retry::Retry;

/// Bytes gathered before they are sent, so that one system call sends several batches.
const SEND_BYTES: usize = 64 * 1024;

/// Why an agency did not get its winners.
#[derive(Debug, Error)]
pub enum LotteryError {
    /// The connection broke, and the time to try again is over or was of no use.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The conversation cannot go on.
    #[error(transparent)]
    Agency(#[from] AgencyError),
    /// A signal came; this is an orderly end.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl LotteryError {
    fn is_passing(&self) -> bool {
        match self {
            LotteryError::Connection(error) => error.is_passing(),
            LotteryError::Agency(error) => error.is_passing(),
            LotteryError::Interrupted(_) => false,
        }
    }

    /// The signal, when there was one, in whatever it came as.
    pub fn interrupted(&self) -> Option<Interrupted> {
        match self {
            LotteryError::Interrupted(interrupted)
            | LotteryError::Connection(
                ConnectionError::Interrupted(interrupted)
                | ConnectionError::ClosedBySignal(interrupted),
            )
            | LotteryError::Agency(AgencyError::Source(SourceError::Interrupted(interrupted))) => {
                Some(*interrupted)
            }
            _ => None,
        }
    }

    /// Whether a signal closed a connection.
    pub fn had_connection(&self) -> bool {
        matches!(
            self,
            LotteryError::Connection(ConnectionError::ClosedBySignal(_))
                | LotteryError::Agency(AgencyError::Source(SourceError::Interrupted(_)))
        )
    }
}

/// Takes part in the lottery and returns the winners. `tell` hears of each step forward.
///
/// # Errors
///
/// When the agency was refused, or no connection lasted long enough, or a signal came.
pub fn take_part<S: BetSource>(
    agency: &mut Agency<S>,
    network: &Network,
    interruption: &Interruption,
    mut tell: impl FnMut(&News),
) -> Result<Vec<u32>, LotteryError> {
    let started = Instant::now();
    let mut retry = Retry::new(network.retry_timeout);
    loop {
        let begun = Instant::now();
        let mut tell_progress = |news: &News| {
            if matches!(news, News::Registered { .. }) {
                retry.note_progress();
            }
            tell(news);
        };
        let error = match converse(agency, network, interruption, &mut tell_progress) {
            Ok(winners) => return Ok(winners),
            Err(error) if error.is_passing() => error,
            Err(error) => return Err(error),
        };
        if !matches!(
            error,
            LotteryError::Connection(ConnectionError::Connect { .. })
        ) {
            retry.note_connection(begun.elapsed());
        }
        match retry.pause_after_failure(started.elapsed(), fastrand::f64()) {
            None => return Err(error),
            Some(pause) => {
                journal::will_retry(&error, pause);
                interruption.sleep(pause)?;
            }
        }
    }
}

/// The conversation over one connection.
fn converse<S: BetSource>(
    agency: &mut Agency<S>,
    network: &Network,
    interruption: &Interruption,
    tell: &mut impl FnMut(&News),
) -> Result<Vec<u32>, LotteryError> {
    let mut connection = Connection::open(
        &network.server_address,
        network.socket_timeout,
        interruption,
    )?;
    agency.connected();
    let mut out = Vec::with_capacity(SEND_BYTES);
    loop {
        let step = agency.advance(&mut out)?;
        let is_patient = match step {
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
        if is_patient {
            tell(&News::AwaitingDraw);
        }
        let reply = connection.receive(is_patient, agency.winners_max())?;
        tell(&agency.receive(reply)?);
        // One read may have brought the answers to many batches; new ones are sent together too.
        while let Some(reply) = connection.received(agency.winners_max())? {
            tell(&agency.receive(reply)?);
        }
    }
}
