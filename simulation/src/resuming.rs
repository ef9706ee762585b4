//! The program of an agency that says Hello: production's, driven by hand.

use std::time::Duration;

use client::agency::{Agency, AgencyError, News, Step};
use client::retry::Retry;
use lottery_core::codec::Inbox;
use lottery_core::codec::native;
use lottery_core::message::{Code, Reply};

use crate::agency::{Happened, Moment, Then};
use crate::central::Call;
use crate::plan::{AgencyPlan, Bets};

/// How long an agency tries before its program ends; whoever runs it then starts it again.
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);

pub struct Resuming {
    agency: Agency<Bets>,
    inbox: Inbox,
    retry: Retry,
    /// When another try is due, without a connection.
    pub retry_at: Duration,
}

impl Resuming {
    pub fn new(plan: &AgencyPlan, now: Duration) -> Resuming {
        Resuming {
            agency: Agency::new(plan.number, plan.source(), plan.pace),
            inbox: Inbox::default(),
            retry: Retry::new(RETRY_TIMEOUT, now),
            retry_at: now,
        }
    }

    pub fn connected(&mut self) {
        self.agency.connected();
        self.inbox = Inbox::default();
    }

    /// There is no connection, or no longer this one. Says whether to try another, or to end.
    pub fn retry(&mut self, lost: Option<Call>, moment: &mut Moment) -> bool {
        let now = moment.now;
        if let Some(call) = lost.filter(|_| self.agency.is_waiting()) {
            self.retry.note_wait(now - call.since, now);
        }
        let pause = self.retry.pause_after_failure(now, moment.rng.f64());
        self.retry_at = now + pause.unwrap_or_default();
        pause.is_some()
    }

    /// Whether the central has answered, and so knows who it is, and whether it waits for the draw.
    pub fn standing(&self) -> (bool, bool) {
        (self.agency.is_identified(), self.agency.is_waiting())
    }

    pub fn step(&mut self, came: &[u8], moment: &mut Moment) -> Then {
        let error = match self.converse(came, moment) {
            Ok(Step::Done(winners)) => {
                moment.happened.push(Happened::Drawn(Some(winners)));
                return Then::IsOver;
            }
            Ok(_) => return Then::Stays,
            Err(error) => error,
        };
        let then = match error.is_passing() {
            true => Then::HangsUp,
            false => Then::Ends,
        };
        moment.happened.push(match error {
            AgencyError::Refused {
                code: code @ (Code::NotStored | Code::DrawTimeout),
                ..
            } => Happened::Refused(Some(code)),
            AgencyError::AnotherProgram(_) => Happened::NoticedTwin,
            error => Happened::GaveUp(error.to_string()),
        });
        then
    }

    fn converse(&mut self, mut came: &[u8], moment: &mut Moment) -> Result<Step, AgencyError> {
        while let Some(reply) = self.next_reply(&mut came, moment) {
            let news = self.agency.receive(reply)?;
            let registered = self.agency.registered();
            self.retry.note_registered(registered, moment.now);
            let (series, registered) = (self.agency.number().into(), registered as usize);
            moment.happened.extend(match news {
                News::Welcomed(_) => Some(Happened::Welcomed(registered)),
                News::Registered(_) => Some(Happened::Acknowledged(series, registered)),
                News::AwaitingDraw | News::Winners => None,
            });
        }
        loop {
            match self.agency.advance(&mut moment.said)? {
                Step::Send => {}
                step => return Ok(step),
            }
        }
    }

    /// The next whole reply of what came.
    fn next_reply(&mut self, input: &mut &[u8], moment: &mut Moment) -> Option<Reply> {
        let winners_max = self.agency.winners_max();
        let scan = |bytes: &[u8]| native::scan_reply(bytes, winners_max);
        let message = self.inbox.next_message(input, scan).transpose()?;
        let complain = |refusal| moment.happened.push(Happened::GaveUp(format!("{refusal}")));
        message.and_then(native::parse_reply).map_err(complain).ok()
    }
}
