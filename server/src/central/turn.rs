//! The end of a turn: commit what was staged, give the answers out, and hold the draw when it is
//! due.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use lottery_core::message::{Awaits, Code, Refusal, Reply, Welcome};
use lottery_core::store::{CommitError, Disk, DrawRecord, Winners};
use thiserror::Error;

use super::agencies::Phase;
use super::{Central, DrawState, Durability};
use crate::connection::ConnectionId;
use crate::limits::{DRAW_RETRY, MISSING_NAMED_MAX, SYNC_INTERVAL};
use crate::log_lines::{self, RefusalNews};

/// A request whose reply waits for the end of the turn.
#[derive(Debug)]
pub(super) enum Pending {
    /// A batch was staged: the DNI and the number of each bet.
    Stored {
        agency: Option<u32>,
        documents: Vec<(u32, u32)>,
    },
    /// A closing was staged, unless the agency had finished before.
    Finished { agency: u32, is_news: bool },
    /// A Hello is to be answered; with `counts_staged` the answer is wrong unless the turn commits.
    Welcome {
        welcome: Welcome,
        counts_staged: bool,
    },
    /// A Status request.
    Status,
    /// A request was refused, or bytes that were none, of which there is no more news.
    Refused {
        refusal: Refusal,
        news: Option<RefusalNews>,
    },
}

/// Why the central cannot go on.
#[derive(Debug, Error)]
pub enum TurnError {
    /// The files' contents are unknown.
    #[error("storage")]
    Storage(#[from] CommitError),
    /// The bets cannot be read back.
    #[error("draw: {0}; restart the server once the disk is good")]
    Draw(io::Error),
    /// The draw on file is not that of the bets on file.
    #[error(
        "draw.csv says {} winners among {} bets, and bets.csv has {} among {}: corruption",
        recorded.winners, recorded.bets, found.winners, found.bets
    )]
    OtherDraw {
        /// What `draw.csv` says.
        recorded: DrawRecord,
        /// What the bets say.
        found: DrawRecord,
    },
}

/// What of a turn was stored.
#[derive(Clone, Copy, Debug)]
pub struct Committed {
    bytes: usize,
    bets: bool,
    closings: bool,
}

impl Committed {
    /// Bytes that were staged.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl<D: Disk> Central<D> {
    /// Ends a turn whose stage was [committed](Central::commit): answers, and advances the draw by a slice
    /// when it is under way.
    pub fn end_turn(&mut self, committed: Committed, now: Duration) -> Result<(), TurnError> {
        self.resolve_all(committed);
        self.advance_draw(now)?;
        match self.draw {
            DrawState::Pending => self.expire_parked(now),
            DrawState::Drawing(_) | DrawState::Recording { .. } => {}
            DrawState::Held(_) => self.inform_parked(),
        }
        Ok(())
    }

    /// When the next turn is due even if nothing happens: at once while a draw is under way.
    pub fn next_deadline(&self) -> Option<Duration> {
        let draw = match self.draw {
            DrawState::Drawing(_) => Some(Duration::ZERO),
            DrawState::Recording { due, .. } => Some(due),
            // Only a draw that is not under way can come too late for an agency.
            DrawState::Pending => self.agencies.first_parked().map(|(deadline, _)| deadline),
            DrawState::Held(_) => None,
        };
        let deadlines = [draw, self.sync_deadline()].into_iter().flatten();
        deadlines
            .filter(|deadline| *deadline != Duration::MAX)
            .min()
    }

    /// Commits what is staged and syncs it whatever the durability, as the last act of a run.
    pub fn shut_down(&mut self, now: Duration) -> Result<(), TurnError> {
        let committed = self.commit(now)?;
        self.resolve_all(committed);
        self.store.sync().map_err(logged)?;
        Ok(())
    }

    fn sync_deadline(&self) -> Option<Duration> {
        let waits = self.rules.durability == Durability::EverySecond && self.store.is_unsynced();
        waits.then(|| self.last_sync + SYNC_INTERVAL)
    }

    /// Commits what the turn staged, and syncs it when the durability says so.
    ///
    /// # Errors
    ///
    /// When the central cannot go on. Nothing that was staged may be answered then, because it is unknown
    /// whether it is stored.
    pub fn commit(&mut self, now: Duration) -> Result<Committed, TurnError> {
        let bytes = self.store.staged_bytes();
        let result = self
            .store
            .commit(self.rules.durability == Durability::Always);
        let committed = Committed {
            bytes,
            bets: matches!(result, Ok(()) | Err(CommitError::ClosingsNotStored(_))),
            closings: result.is_ok(),
        };
        match result {
            Ok(()) if bytes > 0 => self.note_storage_works(),
            Ok(()) => {}
            Err(error) if error.is_fatal() => return Err(logged(error)),
            Err(error) => self.note_storage_fails(&error),
        }
        let sync_deadline = self.sync_deadline();
        if sync_deadline.is_some_and(|deadline| deadline <= now) {
            self.store.sync().map_err(logged)?;
            self.last_sync = now;
        }
        Ok(committed)
    }

    fn resolve_all(&mut self, committed: Committed) {
        let mut failed = BTreeSet::new();
        for (connection, pending) in std::mem::take(&mut self.pending) {
            self.resolve(connection, pending, committed, &mut failed);
        }
    }

    fn note_storage_works(&mut self) {
        if std::mem::take(&mut self.storage_failing) {
            log_lines::storage_works_again();
        }
    }

    fn note_storage_fails(&mut self, error: &CommitError) {
        if !std::mem::replace(&mut self.storage_failing, true) {
            log_lines::storage_fails(error);
        }
    }

    /// Replies to a request. What could not be stored is refused, once for each connection in `failed`.
    fn resolve(
        &mut self,
        connection: ConnectionId,
        pending: Pending,
        committed: Committed,
        failed: &mut BTreeSet<ConnectionId>,
    ) {
        match pending {
            Pending::Stored { documents, .. } if committed.bets || documents.is_empty() => {
                self.counts.bets += documents.len() as u64;
                self.counts.batches += u64::from(!documents.is_empty());
                log_lines::batch_stored(&documents);
                self.reply(connection, Reply::Stored);
            }
            Pending::Stored { agency, documents } => {
                if failed.insert(connection) {
                    let batch = Some(documents.len());
                    let news = RefusalNews { agency, batch };
                    log_lines::request_refused(&Code::NotStored.into(), &news);
                    self.refuse_unstored(connection, agency);
                }
            }
            Pending::Finished { agency, is_news } if committed.closings || !is_news => {
                if is_news {
                    self.agencies.confirm_finish();
                    log_lines::agency_finished(agency, self.agencies.missing());
                    self.begin_draw_when_due();
                }
                self.reply(connection, Reply::Finished);
            }
            Pending::Finished { agency, .. } => self.take_back_closing(agency, connection, failed),
            Pending::Welcome {
                welcome,
                counts_staged,
            } => {
                if committed.closings || !counts_staged {
                    self.reply(connection, Reply::Welcome(welcome));
                } else if failed.insert(connection) {
                    self.refuse_unstored(connection, None);
                }
            }
            Pending::Status => self.reply(connection, Reply::Status(self.status())),
            Pending::Refused { refusal, news } => {
                if let Some(news) = news {
                    log_lines::request_refused(&refusal, &news);
                }
                self.reply(connection, Reply::Refused(refusal));
            }
        }
    }

    fn take_back_closing(
        &mut self,
        agency: u32,
        connection: ConnectionId,
        failed: &mut BTreeSet<ConnectionId>,
    ) {
        self.agencies.reopen(agency);
        // Another connection may have taken over since, and wait already.
        let current = self.agencies.connection(agency);
        let current = current.map(|current| current.id);
        for connection in [Some(connection), current].into_iter().flatten() {
            if failed.insert(connection) {
                self.refuse_unstored(connection, Some(agency));
            }
        }
    }

    fn reply(&mut self, connection: ConnectionId, reply: Reply) {
        if let Reply::Refused(refusal) = &reply {
            self.counts.refusals[usize::from(refusal.code.number()) - 1] += 1;
        }
        self.replies.push((connection, Some(reply)));
    }

    fn refuse_unstored(&mut self, connection: ConnectionId, agency: Option<u32>) {
        if let Some(agency) = agency {
            self.agencies.leave(agency, connection);
        }
        self.reply(connection, Reply::Refused(Code::NotStored.into()));
    }

    /// Begins the draw when every agency has finished; with no agencies there is none.
    pub(super) fn begin_draw_when_due(&mut self) {
        let is_due = self.rules.agencies > 0 && self.agencies.missing() == 0;
        if is_due && matches!(self.draw, DrawState::Pending) {
            let draw = self.store.begin_draw(self.rules.winning_number);
            self.draw = DrawState::Drawing(Box::new(draw));
        }
    }

    fn advance_draw(&mut self, now: Duration) -> Result<(), TurnError> {
        if let DrawState::Drawing(draw) = &mut self.draw {
            let winners = self.store.advance_draw(draw).map_err(TurnError::Draw)?;
            if let Some(winners) = winners {
                self.end_draw(winners, now)?;
            }
        }
        if let DrawState::Recording {
            winners,
            record,
            due,
        } = &mut self.draw
            && *due <= now
        {
            match self.store.record_draw(*record) {
                Ok(()) => {
                    self.draw = DrawState::Held(std::mem::take(winners));
                    self.note_storage_works();
                }
                Err(error) if error.is_fatal() => return Err(logged(error)),
                Err(error) => {
                    *due = now + DRAW_RETRY;
                    self.note_storage_fails(&error);
                }
            }
        }
        Ok(())
    }

    /// Takes the winners. A draw that is on file must be this one; another is told to the log before it
    /// is written, so that no crash leaves it unsaid.
    fn end_draw(&mut self, winners: Winners, now: Duration) -> Result<(), TurnError> {
        let agencies = self.rules.agencies;
        let found = DrawRecord {
            winning_number: self.rules.winning_number,
            agencies,
            bets: self.bets(),
            winners: winners
                .range(1..=agencies)
                .map(|(_, winners)| winners.len() as u64)
                .sum(),
        };
        self.draw = match self.store.draw() {
            Some(recorded) if recorded == found => DrawState::Held(winners),
            Some(recorded) => return Err(TurnError::OtherDraw { recorded, found }),
            None => {
                log_lines::drawn(found, now.saturating_sub(self.began.unwrap_or(now)));
                DrawState::Recording {
                    winners,
                    record: found,
                    due: now,
                }
            }
        };
        Ok(())
    }

    fn inform_parked(&mut self) {
        let DrawState::Held(winners) = &self.draw else {
            return;
        };
        while let Some((_, agency)) = self.agencies.first_parked() {
            let reply = match self.agencies.phase(agency) {
                Phase::Waiting {
                    awaits: Awaits::Draw,
                    ..
                } => {
                    self.agencies.unpark(agency, Phase::Finished);
                    Reply::DrawHeld
                }
                _ => {
                    self.agencies.unpark(agency, Phase::Informed);
                    Reply::Winners(winners.get(&agency).cloned().unwrap_or_default())
                }
            };
            if let Some(connection) = self.agencies.connection(agency) {
                self.replies.push((connection.id, Some(reply)));
            }
        }
    }

    fn expire_parked(&mut self, now: Duration) {
        let mut missing = None;
        while let Some((deadline, agency)) = self.agencies.first_parked() {
            if deadline > now {
                return;
            }
            self.agencies.unpark(agency, Phase::Finished);
            let missing =
                missing.get_or_insert_with(|| self.agencies.missing_numbers(MISSING_NAMED_MAX));
            log_lines::draw_timed_out(agency, self.agencies.missing(), missing);
            if let Some(connection) = self.agencies.connection(agency) {
                self.agencies.leave(agency, connection.id);
                self.reply(connection.id, Reply::Refused(Code::DrawTimeout.into()));
            }
        }
    }
}

/// Tells the log why the server ends.
fn logged(error: CommitError) -> TurnError {
    log_lines::storage_lost(&error);
    error.into()
}
