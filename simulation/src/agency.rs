//! An agency, of whichever kind: its program, and its connection.

use std::mem;
use std::time::Duration;

use fastrand::Rng;
use lottery_core::message::Code;
use server::testing::{Outlook, Received};

use crate::central::Call;
use crate::plain::Plain;
use crate::plan::AgencyPlan;
use crate::promise::Series;
use crate::resuming::Resuming;

/// An agency whose program may run or not.
pub struct Agency {
    pub plan: AgencyPlan,
    /// Whether this is a second program for an agency that has one.
    pub is_twin: bool,
    pub call: Option<Call>,
    /// Whether it was told its winners, or can no longer be.
    pub is_over: bool,
    kind: Kind,
}

enum Kind {
    /// One that says Hello. Its program may have ended.
    Resuming(Option<Box<Resuming>>),
    /// One that does not. Its program never ends.
    Plain(Plain),
}

/// What a step needs to know, and what it comes to.
pub struct Moment {
    pub now: Duration,
    pub rng: Rng,
    /// Whether anything may fail.
    pub is_faulty: bool,
    /// What is to be sent at the end of the step.
    pub said: Vec<u8>,
    pub happened: Vec<Happened>,
}

/// What a step of an agency came to.
#[derive(Debug)]
pub enum Happened {
    /// It was told that so many of its bets are stored.
    Welcomed(usize),
    /// It is about to send these rows, in a batch of its own.
    Sends(Series, Vec<String>),
    /// It knows that so many rows are stored.
    Acknowledged(Series, usize),
    /// It came back for its winners.
    Returned,
    /// It was told that the draw was held, perhaps with its winners.
    Drawn(Option<Vec<u32>>),
    /// It was refused in a way that passes; it will try again.
    Refused(Option<Code>),
    /// It noticed another program of its agency.
    NoticedTwin,
    GaveUp(String),
}

/// What an agency does after a step.
#[derive(PartialEq, Eq)]
pub enum Then {
    Stays,
    /// It leaves its connection, and will make another.
    HangsUp,
    /// Its program ends.
    Ends,
    /// Its program ends, because it has its winners or cannot have them any more.
    IsOver,
}

impl Agency {
    /// An agency whose program does not run yet, if it says Hello.
    pub fn new(plan: AgencyPlan, is_twin: bool) -> Agency {
        Agency {
            kind: match plan.dialect {
                None => Kind::Resuming(None),
                Some(dialect) => Kind::Plain(Plain::new(plan.clone(), dialect)),
            },
            plan,
            is_twin,
            call: None,
            is_over: false,
        }
    }

    pub fn runs(&self) -> bool {
        !matches!(self.kind, Kind::Resuming(None))
    }

    pub fn start(&mut self, now: Duration) {
        if let Kind::Resuming(program) = &mut self.kind {
            *program = Some(Box::new(Resuming::new(&self.plan, now)));
        }
    }

    /// Its program is gone, as after SIGKILL, or, with [`Outlook::Silent`], its machine.
    pub fn crash(&mut self, central_sees: Outlook) {
        self.leave(central_sees);
        if let Kind::Resuming(program) = &mut self.kind {
            *program = None;
        }
    }

    /// Whether it tries to connect now.
    pub fn wants_connection(&self, now: Duration) -> bool {
        self.call.is_none()
            && match &self.kind {
                Kind::Resuming(program) => program.as_ref().is_some_and(|it| it.retry_at <= now),
                Kind::Plain(_) => !self.is_over,
            }
    }

    /// It has a connection, or, without one, was refused.
    pub fn connect(&mut self, call: Option<Call>, moment: &mut Moment) {
        self.call = call;
        match (&self.call, &mut self.kind) {
            (Some(_), Kind::Resuming(Some(program))) => program.connected(),
            (Some(_), Kind::Plain(plain)) => plain.connected(&mut moment.said),
            _ => self.hang_up(Outlook::Ended, moment),
        }
    }

    /// Takes some of what has arrived and sends what it has to send.
    pub fn step(&mut self, moment: &mut Moment) {
        let Some(call) = &mut self.call else { return };
        let came = match call.peer.receive() {
            Received::Bytes(bytes) => bytes,
            Received::Nothing => Vec::new(),
            Received::Ended | Received::Broken => return self.hang_up(Outlook::Ended, moment),
        };
        let then;
        (then, (call.is_known, call.is_waiting)) = match &mut self.kind {
            Kind::Resuming(Some(program)) => (program.step(&came, moment), program.standing()),
            Kind::Resuming(None) => (Then::Stays, (false, false)),
            Kind::Plain(plain) => (plain.step(&came, moment), plain.standing()),
        };
        call.say(&mem::take(&mut moment.said), moment.now);
        match then {
            Then::Stays => {}
            Then::HangsUp => self.hang_up(Outlook::Ended, moment),
            Then::Ends | Then::IsOver => {
                self.crash(Outlook::Ended);
                self.is_over |= then == Then::IsOver;
            }
        }
    }

    /// Leaves its connection, if it has one, or was refused one, and waits before it tries another.
    pub fn hang_up(&mut self, central_sees: Outlook, moment: &mut Moment) {
        let call = self.leave(central_sees);
        if let Kind::Resuming(program) = &mut self.kind {
            let is_to_go_on = program.as_mut().is_some_and(|it| it.retry(call, moment));
            *program = program.take().filter(|_| is_to_go_on);
        }
    }

    fn leave(&mut self, central_sees: Outlook) -> Option<Call> {
        let call = self.call.take()?;
        call.peer.leave(central_sees);
        if let Kind::Plain(plain) = &mut self.kind {
            plain.disconnected();
        }
        Some(call)
    }
}
