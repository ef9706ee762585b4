//! An agency that never says Hello, in any of the five dialects, one batch at a time; in `flags` all
//! of them in one go.
//!
//! It cannot know what became of a batch whose answer was lost, so it sends the same bets again,
//! under other DNIs, by which the [`crate::promise`] can tell the attempts apart. When it loses its
//! connection after it has said that it has finished, it comes back for its winners where its dialect
//! knows it by a header. Elsewhere it is known by its bets and by nothing else, so it sends its last
//! batch again: either it is refused because betting is closed, and the agency will never learn its
//! winners, or it can go on to say that it is done.

use std::time::Duration;

use fastrand::Rng;
use lottery_core::message::Code;
use server::testing::{Outlook, Received};

use crate::central::Caller;
use crate::dialects::{Answer, BetFields, Dialect, put_flags_batches, put_native_ack};
use crate::plan::{AgencyPlan, OwnedBet};
use crate::promise::Promise;
use crate::resuming::{Happened, Standing};

/// The agency.
pub struct Plain {
    /// What it is to do.
    pub plan: AgencyPlan,
    /// What it speaks.
    pub dialect: Dialect,
    call: Option<Call>,
    /// Bets that were acknowledged.
    registered: usize,
    /// Bets of the last batch that was.
    last_batch: usize,
    stage: Stage,
    /// Whether it has ever said that it has sent everything.
    has_finished: bool,
    /// Batches refused since nothing fails any more.
    calm_refusals: u32,
    attempts: u32,
    /// Whether it came back for its winners.
    pub has_returned: bool,
}

/// A connection.
struct Call {
    caller: Caller,
    came: Vec<u8>,
    /// When something was last sent.
    sent_at: Duration,
    /// Whether an answer came.
    is_answered: bool,
    /// Whether the winners were asked for before the draw was announced.
    has_asked: bool,
    /// Batches sent on it that no answer is given to.
    unanswered: Vec<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Betting,
    /// A batch of this many bets waits for its answer.
    Awaiting {
        attempt: u64,
        bets: usize,
    },
    /// The end of the bets waits for its answer, in `frames`.
    Finishing,
    /// The draw is awaited.
    Waiting,
    /// It was told its winners, or can no longer be.
    Over,
}

impl Plain {
    /// An agency that has not begun.
    pub fn new(plan: AgencyPlan, dialect: Dialect) -> Plain {
        Plain {
            plan,
            dialect,
            call: None,
            registered: 0,
            last_batch: 0,
            stage: Stage::Betting,
            has_finished: false,
            calm_refusals: 0,
            attempts: 0,
            has_returned: false,
        }
    }

    /// Whether it was told its winners, or can no longer be.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Its connection.
    pub fn caller(&self) -> Option<&Caller> {
        self.call.as_ref().map(|call| &call.caller)
    }

    /// Its connection, if the central knows whose it is.
    pub fn settled(&self) -> Option<(&Caller, Standing)> {
        let call = self.call.as_ref().filter(|call| call.is_answered)?;
        let standing = Standing {
            sent_at: call.sent_at,
            is_waiting: matches!(self.stage, Stage::Finishing | Stage::Waiting),
        };
        Some((&call.caller, standing))
    }

    /// It has a connection.
    pub fn connect(&mut self, caller: Caller) {
        let mut greeting = Vec::new();
        self.dialect.put_greeting(self.plan.number, &mut greeting);
        caller.peer.send(&greeting);
        self.call = Some(Call {
            caller,
            came: Vec::new(),
            sent_at: Duration::ZERO,
            is_answered: false,
            has_asked: false,
            unanswered: Vec::new(),
        });
    }

    /// Sends what it has to send and takes some of what has arrived.
    pub fn step(
        &mut self,
        promise: &mut Promise,
        is_faulty: bool,
        now: Duration,
        rng: &mut Rng,
    ) -> Option<Happened> {
        self.call.as_ref()?;
        let out = self.say(promise, rng);
        let call = self.call.as_mut()?;
        call.caller.peer.send(&out);
        if !out.is_empty() {
            call.sent_at = now;
        }
        let received = call.caller.peer.receive();
        if let Received::Bytes(bytes) = &received {
            call.came.extend(bytes);
        }
        match self.dialect.take_answer(&mut call.came) {
            Ok(Some(answer)) => {
                call.is_answered = true;
                self.hear(answer, promise, is_faulty, rng)
            }
            Ok(None) => {
                if matches!(received, Received::Ended | Received::Broken) {
                    self.hang_up(Outlook::Ended);
                }
                None
            }
            Err(_) => Some(Happened::GaveUp(format!("{:?} is no answer", call.came))),
        }
    }

    /// It has waited long enough for an answer, and gives the connection up.
    pub fn time_out(&mut self) {
        self.hang_up(Outlook::Reset);
    }

    fn say(&mut self, promise: &mut Promise, rng: &mut Rng) -> Vec<u8> {
        let mut out = Vec::new();
        if self.stage != Stage::Betting {
            return out;
        }
        let (dialect, number) = (self.dialect, self.plan.number);
        if self.has_finished && dialect.may_return() {
            self.has_returned = true;
            match rng.bool() {
                true => dialect.put_request(number, &mut out),
                false => dialect.put_finish(number, &mut out),
            }
            self.stage = Stage::Finishing;
        } else if !dialect.answers_batches() {
            self.say_all(promise, rng, &mut out);
        } else if self.registered < self.plan.bets.len() || self.must_introduce_itself() {
            let bets = self.attempt(self.registered, promise);
            let attempt = self.attempt_number();
            dialect.put_batch(number, &fields(&bets), &mut out);
            let bets = bets.len();
            self.stage = Stage::Awaiting { attempt, bets };
        } else {
            self.finish(&mut out);
        }
        out
    }

    /// Everything at once, as `flags` has it: one message or two, then the end.
    fn say_all(&mut self, promise: &mut Promise, rng: &mut Rng, out: &mut Vec<u8>) {
        let mut batches = Vec::new();
        let mut from = 0;
        while from < self.plan.bets.len() {
            let bets = self.attempt(from, promise);
            from += bets.len();
            batches.push(bets);
            let attempt = self.attempt_number();
            if let Some(call) = &mut self.call {
                call.unanswered.push(attempt);
            }
        }
        let batches: Vec<_> = batches.iter().map(|bets| fields(bets)).collect();
        let batches: Vec<_> = batches.iter().map(Vec::as_slice).collect();
        let (front, back) = batches.split_at(rng.usize(..=batches.len()));
        for batches in [front, back] {
            put_flags_batches(self.plan.number, batches, out);
        }
        self.finish(out);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.dialect.put_finish(self.plan.number, out);
        self.has_finished = true;
        self.stage = Stage::Finishing;
    }

    /// Whether an agency without bets must send an empty batch, so that the central knows who it is.
    fn must_introduce_itself(&self) -> bool {
        let is_known = self.call.as_ref().is_some_and(|call| call.is_answered);
        self.dialect == Dialect::Sized && !is_known
    }

    /// The next batch from a bet on, under DNIs of its own.
    fn attempt(&mut self, from: usize, promise: &mut Promise) -> Vec<OwnedBet> {
        self.attempts += 1;
        let bets = self.plan.bets[from..].iter();
        let bets = bets.take(self.plan.pace.batch_bets_max as usize);
        let bets: Vec<_> = bets
            .map(|bet| OwnedBet {
                document: bet.document + 1000 * self.attempts,
                ..bet.clone()
            })
            .collect();
        promise.note_attempt(self.attempt_number(), &bets);
        bets
    }

    fn attempt_number(&self) -> u64 {
        u64::from(self.plan.number) << 32 | u64::from(self.attempts)
    }

    fn hear(
        &mut self,
        answer: Answer,
        promise: &mut Promise,
        is_faulty: bool,
        rng: &mut Rng,
    ) -> Option<Happened> {
        match (answer, self.stage) {
            (Answer::Stored, Stage::Awaiting { attempt, bets }) => {
                promise.note_attempt_acknowledged(attempt);
                self.registered += bets;
                self.last_batch = bets;
                self.stage = Stage::Betting;
                if self.dialect == Dialect::Native && rng.bool() {
                    let mut ack = Vec::new();
                    put_native_ack(&mut ack);
                    self.caller()?.peer.send(&ack);
                }
                Some(Happened::Acknowledged(self.registered as u64))
            }
            (Answer::Stored, Stage::Finishing) if self.dialect == Dialect::Frames => {
                self.stage = Stage::Waiting;
                if rng.u8(..4) == 0 {
                    // That waits as well.
                    self.request_winners()?;
                }
                None
            }
            (Answer::DrawHeld, Stage::Waiting) => {
                if !self.call.as_ref()?.has_asked {
                    self.request_winners()?;
                }
                Some(Happened::DrawHeld)
            }
            (Answer::Winners(winners), Stage::Waiting | Stage::Finishing) => {
                let call = self.call.take()?;
                call.caller.peer.leave(Outlook::Ended);
                for attempt in call.unanswered {
                    promise.note_attempt_acknowledged(attempt);
                }
                self.stage = Stage::Over;
                Some(Happened::Winners(winners))
            }
            (Answer::Refused(code), stage) => {
                self.hang_up(Outlook::Ended);
                let code = code.and_then(Code::from_number);
                // Where a refusal has no code, one of a batch that was sent while nothing failed says that it is
                // too late: the second at the latest.
                let is_of_batch = matches!(stage, Stage::Awaiting { .. }) && !is_faulty;
                self.calm_refusals += u32::from(is_of_batch);
                let is_too_late = match code {
                    Some(code) => code == Code::BettingClosed,
                    None => self.calm_refusals > 1,
                };
                if self.has_finished && is_too_late {
                    self.stage = Stage::Over;
                }
                Some(Happened::Refused(code))
            }
            (answer, stage) => Some(Happened::GaveUp(format!("{answer:?} while {stage:?}"))),
        }
    }

    fn request_winners(&mut self) -> Option<()> {
        let mut out = Vec::new();
        self.dialect.put_request(self.plan.number, &mut out);
        let call = self.call.as_mut()?;
        call.has_asked = true;
        call.caller.peer.send(&out);
        Some(())
    }

    fn hang_up(&mut self, central_sees: Outlook) {
        let Some(call) = self.call.take() else { return };
        call.caller.peer.leave(central_sees);
        if self.registered == self.plan.bets.len() && !self.dialect.may_return() {
            self.registered -= self.last_batch;
        }
        self.stage = Stage::Betting;
    }
}

fn fields(bets: &[OwnedBet]) -> Vec<BetFields<'_>> {
    bets.iter().map(OwnedBet::fields).collect()
}
