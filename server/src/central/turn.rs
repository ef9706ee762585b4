//! The end of a turn: commit what was staged, give the answers out, and hold the draw when it is
//! due.

use std::io;
use std::time::Duration;

use lottery_core::protocol::{Code, Reply, Welcome};
use lottery_core::store::{CommitError, DiskFile};
use thiserror::Error;

use super::phases::Phase;
use super::{Central, DrawState, Durability, Output};
use crate::journal::{self, DaySummary, LoggedBet, RefusalNews};
use crate::layers::{ConnectionId, Moment};

/// How long unsynced bets wait with [`Durability::EverySecond`].
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// Agencies that a log line names as missing, at most.
const MISSING_NAMED_MAX: usize = 20;

/// An answer that waits for the end of the turn.
#[derive(Debug)]
pub(super) enum Answer {
    /// A batch was staged.
    Stored {
        connection: ConnectionId,
        batch: Vec<LoggedBet>,
        count: usize,
    },
    /// A closing was staged.
    Closing {
        connection: ConnectionId,
        agency: u32,
    },
    /// A Hello is to be answered; with `counts_staged` the answer is wrong unless the turn commits.
    Welcome {
        connection: ConnectionId,
        welcome: Welcome,
        counts_staged: bool,
    },
    /// Somebody asked how far the lottery is.
    Status { connection: ConnectionId },
    /// A request was refused, or bytes that were none, of which there is no more news.
    Refusal {
        connection: ConnectionId,
        code: Code,
        news: Option<RefusalNews>,
    },
}

/// Why the central cannot go on.
#[derive(Debug, Error)]
pub enum TurnError {
    /// Nobody knows what the files hold.
    #[error("storage: {0}; restart the server once the disk is good")]
    Storage(#[from] CommitError),
    /// The bets cannot be read back.
    #[error("draw: {0}; restart the server once the disk is good")]
    Draw(io::Error),
}

/// What of a turn was stored.
#[derive(Clone, Copy)]
struct Committed {
    bets: bool,
    closings: bool,
}

impl<F: DiskFile> Central<F> {
    /// Ends a turn: commits, answers, and advances the draw by a slice when it is under way.
    ///
    /// # Errors
    ///
    /// When the central cannot go on. Nothing that was staged is answered then, because nobody
    /// knows whether it is stored.
    pub fn end_turn(&mut self, now: Moment) -> Result<(), TurnError> {
        self.commit(now.elapsed)?;
        self.advance_draw(now.elapsed)?;
        match self.draw {
            DrawState::Pending => self.expire_parked(now.elapsed),
            DrawState::Drawing { .. } => {}
            DrawState::Held(_) => self.inform_parked(),
        }
        Ok(())
    }

    /// When the next turn is due even if nothing happens: at once while a draw is under way.
    pub fn next_deadline(&self) -> Option<Duration> {
        if matches!(self.draw, DrawState::Drawing { .. }) {
            return Some(Duration::ZERO);
        }
        let sync = self.sync_deadline();
        let parked = self.agencies.first_parked().map(|(deadline, _)| deadline);
        sync.into_iter()
            .chain(parked)
            .filter(|deadline| *deadline != Duration::MAX)
            .min()
    }

    /// Commits what is staged and syncs it whatever the durability, as the last act of a run.
    ///
    /// # Errors
    ///
    /// As [`Central::end_turn`].
    pub fn shut_down(&mut self, now: Moment) -> Result<(), TurnError> {
        self.commit(now.elapsed)?;
        self.store.sync()?;
        Ok(())
    }

    fn sync_deadline(&self) -> Option<Duration> {
        let waits = self.rules.durability == Durability::EverySecond && self.store.is_unsynced();
        waits.then(|| self.last_sync + SYNC_INTERVAL)
    }

    fn commit(&mut self, elapsed: Duration) -> Result<(), TurnError> {
        let always = self.rules.durability == Durability::Always;
        let is_anything_staged = self.store.staged_bytes() > 0;
        let committed = match self.store.commit(always) {
            Ok(()) => {
                if is_anything_staged && self.storage_failing {
                    journal::storage_works_again();
                    self.storage_failing = false;
                }
                Committed {
                    bets: true,
                    closings: true,
                }
            }
            Err(error @ CommitError::InDoubt { .. }) => return Err(error.into()),
            Err(error) => {
                if !self.storage_failing {
                    journal::storage_fails(&error);
                    self.storage_failing = true;
                }
                let bets = matches!(error, CommitError::ClosingsNotStored(_));
                Committed {
                    bets,
                    closings: false,
                }
            }
        };
        if self
            .sync_deadline()
            .is_some_and(|deadline| deadline <= elapsed)
        {
            self.store.sync()?;
            self.last_sync = elapsed;
        }
        for answer in std::mem::take(&mut self.answers) {
            self.give_out(answer, committed);
        }
        Ok(())
    }

    fn give_out(&mut self, answer: Answer, committed: Committed) {
        match answer {
            Answer::Stored {
                connection,
                batch,
                count,
            } if committed.bets => {
                journal::batch_stored(count, &batch);
                self.reply(connection, Reply::RegisterBetOk);
            }
            Answer::Stored {
                connection, count, ..
            } => {
                // The first of its batches is answered, and the connection is closed with that.
                if self.connections.contains_key(&connection) {
                    let news = RefusalNews {
                        agency: self.agency_of(connection),
                        batch: Some(count),
                        reason: Code::NotStored.to_string(),
                    };
                    journal::request_refused(Code::NotStored, &news);
                    self.reply_and_close(connection, Code::NotStored);
                }
            }
            Answer::Closing { agency, .. } if committed.closings => {
                self.agencies.confirm_closing();
                journal::agency_finished(agency, self.agencies.missing());
                self.begin_draw_when_due(false);
            }
            Answer::Closing { connection, agency } => {
                self.agencies.reopen(agency);
                self.reply_and_close(connection, Code::NotStored);
            }
            Answer::Welcome {
                connection,
                welcome,
                counts_staged,
            } => {
                if committed.closings || !counts_staged {
                    self.reply(connection, Reply::Welcome(welcome));
                } else {
                    self.reply_and_close(connection, Code::NotStored);
                }
            }
            Answer::Status { connection } => {
                let report = self.status();
                self.reply(connection, Reply::StatusReport(report));
            }
            Answer::Refusal {
                connection,
                code,
                news,
            } => {
                if let Some(news) = news {
                    journal::request_refused(code, &news);
                }
                self.reply_and_close(connection, code);
            }
        }
    }

    fn reply(&mut self, connection: ConnectionId, reply: Reply) {
        if self.connections.contains_key(&connection) {
            self.outputs.push(Output::Reply(connection, reply));
        }
    }

    fn reply_and_close(&mut self, connection: ConnectionId, code: Code) {
        if self.connections.contains_key(&connection) {
            self.disconnected(connection);
            let reply = Reply::RegisterBetFailed(code);
            self.outputs.push(Output::LastReply(connection, reply));
        }
    }

    /// Begins the draw when every agency has closed; with no agencies there is none.
    pub(super) fn begin_draw_when_due(&mut self, is_repeated: bool) {
        let is_due = self.rules.agencies > 0 && self.agencies.missing() == 0;
        if is_due && matches!(self.draw, DrawState::Pending) {
            let draw = self.store.begin_draw(self.rules.winning_number);
            self.draw = DrawState::Drawing {
                draw: Box::new(draw),
                is_repeated,
            };
        }
    }

    fn advance_draw(&mut self, elapsed: Duration) -> Result<(), TurnError> {
        if let DrawState::Drawing { draw, is_repeated } = &mut self.draw {
            let winners = self.store.advance_draw(draw).map_err(TurnError::Draw)?;
            if let Some(winners) = winners {
                if !*is_repeated {
                    journal::drawn();
                    journal::day_summed_up(&DaySummary {
                        agencies: self.rules.agencies,
                        bets: (1..=self.rules.agencies)
                            .map(|agency| self.store.tally(agency).bets)
                            .sum(),
                        winners: winners.values().map(Vec::len).sum(),
                        duration: elapsed.saturating_sub(self.began.unwrap_or(elapsed)),
                    });
                }
                self.draw = DrawState::Held(winners);
            }
        }
        Ok(())
    }

    fn inform_parked(&mut self) {
        let DrawState::Held(winners) = &self.draw else {
            return;
        };
        while let Some((_, agency)) = self.agencies.first_parked() {
            self.agencies.unpark(agency, Phase::Informed);
            if let Some(connection) = self.agencies.connection(agency) {
                let documents = winners.get(&agency).cloned().unwrap_or_default();
                let reply = Reply::InformWinners(documents);
                self.outputs.push(Output::Reply(connection, reply));
            }
        }
    }

    fn expire_parked(&mut self, elapsed: Duration) {
        let mut missing = None;
        while let Some((deadline, agency)) = self.agencies.first_parked() {
            if deadline > elapsed {
                return;
            }
            self.agencies.unpark(agency, Phase::Closed);
            let missing =
                missing.get_or_insert_with(|| self.agencies.missing_numbers(MISSING_NAMED_MAX));
            journal::draw_timed_out(agency, missing);
            if let Some(connection) = self.agencies.connection(agency) {
                self.reply_and_close(connection, Code::DrawTimeout);
            }
        }
    }
}
