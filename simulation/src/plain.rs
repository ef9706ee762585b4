//! An agency that never says Hello, in any of the five dialects, one batch at a time; in `flags` all
//! of them in one go.
//!
//! It cannot know what became of a batch whose answer was lost, so it sends the same bets again,
//! under other DNIs, by which the [`crate::promise`] can tell the attempts apart. When it loses its
//! connection after it has said that it has finished, it comes back for its winners where its dialect
//! knows it by a header. Elsewhere it is known by its bets and by nothing else, so it sends its last
//! batch again: either it is refused because betting is closed, and the agency will never learn its
//! winners, or it can go on to say that it is done.

use lottery_core::message::Code;

use crate::agency::{Happened, Moment, Then};
use crate::dialects::{Answer, Dialect, put_flags_batches};
use crate::plan::{AgencyPlan, PlannedBet};
use crate::promise::Series;

pub struct Plain {
    plan: AgencyPlan,
    dialect: Dialect,
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
    link: Link,
}

/// What it knows of its connection.
#[derive(Default)]
struct Link {
    came: Vec<u8>,
    /// Whether the central has answered, and so knows who it is.
    is_known: bool,
    /// Whether the winners were asked for.
    has_asked: bool,
    /// Batches sent that were not answered, and their bets.
    unanswered: Vec<(Series, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Betting,
    /// A batch waits for its answer.
    Awaiting,
    /// The end of the bets waits for its answer, in `frames`.
    Finishing,
    /// The draw is awaited.
    Waiting,
}

impl Plain {
    pub fn new(plan: AgencyPlan, dialect: Dialect) -> Plain {
        Plain {
            plan,
            dialect,
            registered: 0,
            last_batch: 0,
            stage: Stage::Betting,
            has_finished: false,
            calm_refusals: 0,
            attempts: 0,
            link: Link::default(),
        }
    }

    pub fn connected(&mut self, said: &mut Vec<u8>) {
        self.dialect.put_greeting(self.plan.number, said);
        self.link = Link::default();
    }

    pub fn disconnected(&mut self) {
        if self.registered == self.plan.bets.len() && !self.dialect.may_return() {
            self.registered -= self.last_batch;
        }
        self.stage = Stage::Betting;
    }

    /// Whether the central knows who it is, and whether nothing is left to come but the draw.
    pub fn standing(&self) -> (bool, bool) {
        let is_waiting = matches!(self.stage, Stage::Finishing | Stage::Waiting);
        (self.link.is_known, is_waiting)
    }

    pub fn step(&mut self, came: &[u8], moment: &mut Moment) -> Then {
        self.link.came.extend(came);
        loop {
            let then = match self.dialect.take_answer(&mut self.link.came) {
                Ok(Some(answer)) => self.hear(answer, moment),
                Ok(None) => break,
                Err(_) => self.give_up(format!("{:?} is no answer", self.link.came), moment),
            };
            if then != Then::Stays {
                return then;
            }
        }
        if self.stage == Stage::Betting {
            self.bet(moment);
        }
        Then::Stays
    }

    /// Sends bets, or what follows them.
    fn bet(&mut self, moment: &mut Moment) {
        let (dialect, number) = (self.dialect, self.plan.number);
        if self.has_finished && dialect.may_return() {
            moment.happened.push(Happened::Returned);
            match moment.rng.bool() {
                true => dialect.put_request(number, &mut moment.said),
                false => dialect.put_finish(number, &mut moment.said),
            }
            self.stage = Stage::Finishing;
            return;
        }
        let planned = self.plan.bets.clone();
        let chunks = planned[self.registered..].chunks(self.plan.pace.batch_bets_max as usize);
        let batches_max = if dialect.answers_batches() {
            1
        } else {
            usize::MAX
        };
        let mut batches: Vec<_> = chunks.take(batches_max).collect();
        // An agency without bets must send an empty batch, so that the central knows who it is.
        if batches.is_empty() && dialect == Dialect::Sized && !self.link.is_known {
            batches.push(&[]);
        }
        let attempt = |bets: &[_]| self.attempt(bets, moment);
        let batches: Vec<_> = batches.into_iter().map(attempt).collect();
        if dialect == Dialect::Flags {
            // One message or two.
            let batches: Vec<&[PlannedBet]> = batches.iter().map(Vec::as_slice).collect();
            let (front, back) = batches.split_at(moment.rng.usize(..=batches.len()));
            put_flags_batches(number, front, &mut moment.said);
            put_flags_batches(number, back, &mut moment.said);
        } else {
            for bets in &batches {
                dialect.put_batch(number, bets, &mut moment.said);
            }
        }
        self.stage = Stage::Awaiting;
        if batches.is_empty() || !dialect.answers_batches() {
            dialect.put_finish(number, &mut moment.said);
            self.has_finished = true;
            self.stage = Stage::Finishing;
        }
    }

    /// The same bets under DNIs of their own.
    fn attempt(&mut self, bets: &[PlannedBet], moment: &mut Moment) -> Vec<PlannedBet> {
        self.attempts += 1;
        let agency = self.plan.number;
        let series = u64::from(agency) << 32 | u64::from(self.attempts);
        let mut bets = bets.to_vec();
        for bet in &mut bets {
            bet.document += 1000 * self.attempts;
        }
        let rows = bets.iter().map(|bet| bet.row(agency)).collect();
        moment.happened.push(Happened::Sends(series, rows));
        self.link.unanswered.push((series, bets.len()));
        bets
    }

    fn hear(&mut self, answer: Answer, moment: &mut Moment) -> Then {
        self.link.is_known = true;
        match (answer, self.stage) {
            (Answer::Stored, Stage::Awaiting) => {
                self.note_stored(moment);
                self.stage = Stage::Betting;
                if self.dialect == Dialect::Native && moment.rng.bool() {
                    // An Ack, which is never required.
                    moment.said.extend([0, 4]);
                }
            }
            (Answer::Stored, Stage::Finishing) if self.dialect == Dialect::Frames => {
                self.stage = Stage::Waiting;
                // To ask now is to wait as well.
                if moment.rng.u8(..4) == 0 {
                    self.ask(moment);
                }
            }
            (Answer::DrawHeld, Stage::Waiting) => {
                if !self.link.has_asked {
                    self.ask(moment);
                }
                moment.happened.push(Happened::Drawn(None));
            }
            (Answer::Winners(winners), Stage::Waiting | Stage::Finishing) => {
                self.note_stored(moment);
                moment.happened.push(Happened::Drawn(Some(winners)));
                return Then::IsOver;
            }
            (Answer::Refused(code), stage) => return self.take_refusal(code, stage, moment),
            (answer, stage) => return self.give_up(format!("{answer:?} while {stage:?}"), moment),
        }
        Then::Stays
    }

    fn ask(&mut self, moment: &mut Moment) {
        let number = self.plan.number;
        self.dialect.put_request(number, &mut moment.said);
        self.link.has_asked = true;
    }

    fn give_up(&self, reason: String, moment: &mut Moment) -> Then {
        moment.happened.push(Happened::GaveUp(reason));
        Then::HangsUp
    }

    /// All batches that were not answered are stored.
    fn note_stored(&mut self, moment: &mut Moment) {
        for (series, bets) in self.link.unanswered.drain(..) {
            self.registered += bets;
            self.last_batch = bets;
            moment.happened.push(Happened::Acknowledged(series, bets));
        }
    }

    fn take_refusal(&mut self, code: Option<u16>, stage: Stage, moment: &mut Moment) -> Then {
        let code = code.and_then(Code::from_number);
        moment.happened.push(Happened::Refused(code));
        // Where a refusal has no code, one of a batch that was sent while nothing failed says that it is
        // too late: the second at the latest.
        let is_of_batch = stage == Stage::Awaiting && !moment.is_faulty;
        self.calm_refusals += u32::from(is_of_batch);
        let is_too_late = match code {
            Some(code) => code == Code::BettingClosed,
            None => self.calm_refusals > 1,
        };
        match self.has_finished && is_too_late {
            true => Then::IsOver,
            false => Then::HangsUp,
        }
    }
}
