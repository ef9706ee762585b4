//! An agency that says Hello: production's, driven by hand.

use std::time::Duration;

use client::agency::{Agency, AgencyError, News, Step};
use client::retry::Retry;
use fastrand::Rng;
use lottery_core::codec::Inbox;
use lottery_core::codec::native;
use lottery_core::message::Code;
use server::testing::{Outlook, Received};

use crate::central::Caller;
use crate::plan::{AgencyPlan, Bets};

/// How long an agency tries before its program ends; whoever runs it then starts it again.
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);

/// An agency whose program may run or not.
pub struct Resuming {
    /// What it is to do.
    pub plan: AgencyPlan,
    /// Whether this is a second program for an agency that has one.
    pub is_twin: bool,
    program: Option<Program>,
    is_done: bool,
    /// Bets that were known to be stored when the connection was made.
    pub known_at_connecting: u64,
}

struct Program {
    agency: Agency<Bets>,
    retry: Retry,
    link: Link,
}

enum Link {
    /// No connection; another try is due at this time.
    Down { retry_at: Duration },
    /// A connection.
    Up(Box<Conversation>),
}

struct Conversation {
    caller: Caller,
    inbox: Inbox,
    since: Duration,
    is_welcomed: bool,
    standing: Standing,
}

/// What the central knows of an agency's connection for certain, and what the agency does on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing {
    /// When the agency last sent something.
    pub sent_at: Duration,
    /// Whether it waits for the draw, and has asked the central to be told.
    pub is_waiting: bool,
}

/// What a step of an agency came to.
#[derive(Debug)]
pub enum Happened {
    /// It was told where it stands.
    Welcomed(u64),
    /// It knows of this many stored bets in all.
    Acknowledged(u64),
    /// It was told that the draw was held.
    DrawHeld,
    /// It was told its winners, and its program ended.
    Winners(Vec<u32>),
    /// It was refused in a way that passes; it will try again.
    Refused(Option<Code>),
    /// It noticed another program of its agency, and ended.
    NoticedTwin,
    /// It cannot go on.
    GaveUp(String),
}

impl Resuming {
    /// An agency whose program does not run yet.
    pub fn new(plan: AgencyPlan, is_twin: bool) -> Resuming {
        Resuming {
            plan,
            is_twin,
            program: None,
            is_done: false,
            known_at_connecting: 0,
        }
    }

    /// Whether its program runs.
    pub fn runs(&self) -> bool {
        self.program.is_some()
    }

    /// Whether it was told its winners.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    /// Its connection.
    pub fn caller(&self) -> Option<&Caller> {
        self.conversation().map(|conversation| &conversation.caller)
    }

    /// Its connection, if the central knows whose it is.
    pub fn settled(&self) -> Option<(&Caller, Standing)> {
        let conversation = self.conversation()?;
        let is_settled = conversation.is_welcomed;
        is_settled.then_some((&conversation.caller, conversation.standing))
    }

    fn conversation(&self) -> Option<&Conversation> {
        match &self.program.as_ref()?.link {
            Link::Up(conversation) => Some(conversation),
            Link::Down { .. } => None,
        }
    }

    /// Starts its program, from the beginning.
    pub fn start(&mut self, now: Duration) {
        let source = Bets::new(self.plan.bets.clone());
        self.program = Some(Program {
            agency: Agency::new(self.plan.number, source, self.plan.pace),
            retry: Retry::new(RETRY_TIMEOUT, now),
            link: Link::Down { retry_at: now },
        });
    }

    /// Its program is gone, as after SIGKILL, or, with [`Outlook::Silent`], its machine.
    pub fn crash(&mut self, central_sees: Outlook) {
        if let Some(caller) = self.caller() {
            caller.peer.leave(central_sees);
        }
        self.program = None;
    }

    /// It has waited long enough for an answer, and gives the connection up.
    pub fn time_out(&mut self, now: Duration, rng: &mut Rng) {
        self.hang_up(Outlook::Reset, now, rng);
    }

    /// Whether it tries to connect now.
    pub fn wants_connection(&self, now: Duration) -> bool {
        let program = self.program.as_ref();
        program.is_some_and(
            |program| matches!(program.link, Link::Down { retry_at } if retry_at <= now),
        )
    }

    /// It has a connection, or, without one, was refused.
    pub fn connect(&mut self, caller: Option<Caller>, now: Duration, rng: &mut Rng) {
        match (caller, &mut self.program) {
            (Some(caller), Some(program)) => {
                program.agency.connected();
                program.link = Link::Up(Box::new(Conversation {
                    caller,
                    inbox: Inbox::default(),
                    since: now,
                    is_welcomed: false,
                    standing: Standing::default(),
                }));
            }
            _ => self.hang_up(Outlook::Ended, now, rng),
        }
    }

    /// Sends what it has to send and takes some of what has arrived.
    pub fn step(&mut self, now: Duration, rng: &mut Rng) -> Vec<Happened> {
        let mut happened = Vec::new();
        match self.converse(now, &mut happened) {
            Ok(None) => {}
            Ok(Some(Received::Ended | Received::Broken)) => self.hang_up(Outlook::Ended, now, rng),
            Ok(Some(_)) => self.end(Outlook::Ended),
            Err(error) => happened.push(self.fail(&error, now, rng)),
        }
        happened
    }

    /// Says why the conversation is over, if it is: the connection ended, or there is nothing left to do.
    fn converse(
        &mut self,
        now: Duration,
        happened: &mut Vec<Happened>,
    ) -> Result<Option<Received>, AgencyError> {
        let Some(Program {
            agency,
            retry,
            link: Link::Up(conversation),
        }) = &mut self.program
        else {
            return Ok(None);
        };
        let Conversation {
            caller,
            inbox,
            is_welcomed,
            standing,
            ..
        } = &mut **conversation;
        let mut out = Vec::new();
        let step = loop {
            match agency.advance(&mut out)? {
                Step::Send => {}
                step => break step,
            }
        };
        caller.peer.send(&out);
        standing.is_waiting = step == Step::AwaitDraw;
        if !out.is_empty() {
            standing.sent_at = now;
        }
        let bytes = match caller.peer.receive() {
            Received::Bytes(bytes) => bytes,
            Received::Nothing => return Ok(None),
            over => return Ok(Some(over)),
        };
        let mut input = &bytes[..];
        loop {
            let winners_max = agency.winners_max();
            let scan = |bytes: &[u8]| native::scan_reply(bytes, winners_max);
            let message = inbox.next_message(&mut input, scan);
            let reply = match message.map(|message| message.map(native::parse_reply)) {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(reply))) => reply,
                Ok(Some(Err(refusal))) | Err(refusal) => {
                    happened.push(Happened::GaveUp(refusal.to_string()));
                    return Ok(None);
                }
            };
            match agency.receive(reply)? {
                News::Welcomed(bets) => {
                    retry.note_registered(bets, now);
                    *is_welcomed = true;
                    happened.push(Happened::Welcomed(bets));
                }
                News::AwaitingDraw => {}
                News::Registered(_) => {
                    retry.note_registered(agency.registered(), now);
                    happened.push(Happened::Acknowledged(agency.registered()));
                }
                News::Winners => {
                    if let Step::Done(winners) = agency.advance(&mut Vec::new())? {
                        happened.push(Happened::Winners(winners));
                    }
                    return Ok(Some(Received::Nothing));
                }
            }
        }
    }

    /// Its program ended, because it has its winners.
    fn end(&mut self, central_sees: Outlook) {
        self.crash(central_sees);
        self.is_done = true;
    }

    fn fail(&mut self, error: &AgencyError, now: Duration, rng: &mut Rng) -> Happened {
        match error {
            error if error.is_passing() => {
                self.hang_up(Outlook::Ended, now, rng);
                Happened::Refused(Some(Code::NotStored))
            }
            AgencyError::Refused {
                code: Code::DrawTimeout,
                ..
            } => {
                self.crash(Outlook::Ended);
                Happened::Refused(Some(Code::DrawTimeout))
            }
            AgencyError::AnotherProgram(_) => {
                self.crash(Outlook::Ended);
                Happened::NoticedTwin
            }
            _ => {
                self.crash(Outlook::Ended);
                Happened::GaveUp(error.to_string())
            }
        }
    }

    /// Leaves its connection, if it has one, and waits before another try, or ends the program when it has
    /// tried long enough.
    fn hang_up(&mut self, central_sees: Outlook, now: Duration, rng: &mut Rng) {
        let Some(program) = &mut self.program else {
            return;
        };
        if let Link::Up(conversation) = &program.link {
            conversation.caller.peer.leave(central_sees);
            if program.agency.is_waiting() {
                program.retry.note_wait(now - conversation.since, now);
            }
        }
        match program.retry.pause_after_failure(now, rng.f64()) {
            Some(pause) => {
                program.link = Link::Down {
                    retry_at: now + pause,
                }
            }
            None => self.program = None,
        }
    }
}
