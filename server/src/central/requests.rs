//! What each request does: it is staged, or refused, and its answer noted for the end of the turn.

use std::time::Duration;

use lottery_core::message::{Awaits, Batch, Code, Message, Refusal, Request, Stage, Welcome};
use lottery_core::store::Disk;

use super::turn::Pending;
use super::{Central, DrawState, Identity};
use crate::connection::ConnectionId;
use crate::log_lines;

impl<D: Disk> Central<D> {
    pub(super) fn act(
        &mut self,
        id: ConnectionId,
        identity: &mut Identity,
        Message { agency, request }: Message<'_>,
        now: Duration,
    ) -> Result<(), Refusal> {
        // A certificate identifies the connection, as a header does, unless it only asks for the status.
        let asks_nothing = matches!(request, Request::Status | Request::Nothing);
        let agency = agency.or(identity.certified_agency().filter(|_| !asks_nothing));
        if let Some(agency) = agency {
            self.identify(id, identity, agency)?;
        }
        match request {
            Request::Hello => self.hello(id, identity),
            Request::Bets(batch) => self.register_bets(id, identity, batch),
            Request::Finish(awaits) => self.finish(id, identity, awaits, now),
            Request::Winners => self.request_winners(identity, now),
            Request::Status => {
                self.pending.push((id, Pending::Status));
                Ok(())
            }
            Request::Nothing => Ok(()),
        }
    }

    fn hello(&mut self, id: ConnectionId, identity: &Identity) -> Result<(), Refusal> {
        let agency = identity.expect_agency()?;
        let tally = self.store.tally(agency);
        let stage = match self.draw {
            DrawState::Held(_) => Stage::Drawn,
            _ if self.store.has_finished(agency) => Stage::Finished,
            _ => Stage::Betting,
        };
        let pending = Pending::Welcome {
            welcome: Welcome { tally, stage },
            counts_staged: self.store.has_staged(agency),
        };
        self.pending.push((id, pending));
        Ok(())
    }

    fn register_bets(
        &mut self,
        id: ConnectionId,
        identity: &mut Identity,
        batch: Batch<'_>,
    ) -> Result<(), Refusal> {
        let mut documents = Vec::new();
        let agency = batch.agency.or(identity.agency);
        if batch.count > 0
            && let Some(agency) = agency
        {
            identity.expect_not_another(agency)?;
            self.expect_participant(agency)?;
            if self.store.has_finished(agency) {
                return Err(Code::BettingClosed.into());
            }
            self.expect_quota(agency, batch.count)?;
            let bets = batch.bets?;
            self.identify(id, identity, agency)?;
            self.store.store_bets(agency, &bets);
            documents = bets
                .bets
                .iter()
                .map(|bet| (bet.document, bet.number))
                .collect();
        }
        let agency = identity.agency;
        self.pending
            .push((id, Pending::Stored { agency, documents }));
        Ok(())
    }

    fn finish(
        &mut self,
        id: ConnectionId,
        identity: &mut Identity,
        awaits: Awaits,
        now: Duration,
    ) -> Result<(), Refusal> {
        let agency = identity.expect_agency()?;
        let is_news = !self.store.has_finished(agency);
        if is_news {
            self.store.finish_agency(agency);
            self.agencies.finish(agency);
        }
        self.pending
            .push((id, Pending::Finished { agency, is_news }));
        self.park(identity, agency, awaits, now);
        Ok(())
    }

    fn request_winners(&mut self, identity: &mut Identity, now: Duration) -> Result<(), Refusal> {
        let agency = identity.expect_agency()?;
        if !self.store.has_finished(agency) {
            let reason = "winners asked for before the end of the bets";
            return Err(Refusal::new(Code::OutOfTurn, reason));
        }
        self.park(identity, agency, Awaits::Winners, now);
        Ok(())
    }

    fn park(&mut self, identity: &mut Identity, agency: u32, awaits: Awaits, now: Duration) {
        if awaits != Awaits::Nothing {
            let deadline = self.rules.draw_timeout.map(|timeout| now + timeout);
            self.agencies.wait(agency, awaits, deadline);
            identity.is_parked = true;
        }
    }

    fn expect_participant(&self, agency: u32) -> Result<(), Refusal> {
        if (1..=self.rules.agencies).contains(&agency) {
            return Ok(());
        }
        let expected = self.rules.agencies;
        let reason = format!("agency {agency} does not take part, expected 1 to {expected}");
        Err(Refusal::new(Code::NoSuchAgency, reason))
    }

    fn expect_quota(&self, agency: u32, more: usize) -> Result<(), Refusal> {
        let Some(bets_max) = self.rules.agency_bets_max else {
            return Ok(());
        };
        if self.store.tally(agency).bets + more as u64 <= bets_max {
            return Ok(());
        }
        let reason = format!("agency {agency} may place {bets_max} bets and no more");
        Err(Refusal::new(Code::BettingClosed, reason))
    }

    /// Lets the connection speak for `agency` from here on, as MQTT lets a new session take over.
    fn identify(
        &mut self,
        id: ConnectionId,
        identity: &mut Identity,
        agency: u32,
    ) -> Result<(), Refusal> {
        identity.expect_not_another(agency)?;
        if identity.agency.is_some() {
            return Ok(());
        }
        self.expect_participant(agency)?;
        if let Some(old) = self.agencies.enter(agency, id) {
            // If the old peer had hung up, this is a reconnect, not a takeover.
            if !old.is_half_closed {
                log_lines::taken_over(agency);
            }
            self.replies.push((old.id, None));
        }
        identity.agency = Some(agency);
        Ok(())
    }
}
