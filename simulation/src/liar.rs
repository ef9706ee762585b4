//! Production's agency, face to face with a central that answers anything: it asks for nothing out of
//! turn, sends its own bets in their order and within its bounds, believes nothing that its own bets
//! disprove, and ends in bounded steps.

use std::collections::VecDeque;

use client::agency::{Agency, Step};
use fastrand::Rng;
use lottery_core::codec::native::{self, AGENCY_MESSAGE_BYTES_MAX, Native};
use lottery_core::codec::{Codec, Inbox};
use lottery_core::encoding::{self, Tally};
use lottery_core::message::{Code, Message, Refusal, Reply, Request, Stage, Welcome};
use lottery_core::testing::Statistics;

use crate::plan::{AgencyPlan, Bets, as_bet};

const ANSWERS_MAX: usize = 60;

/// Has an agency talk to a liar until it sees through it, has its winners, or is tired of it. Panics when
/// the agency does what it should not.
pub fn talk(rng: &mut Rng, statistics: &Statistics) {
    let plan = &AgencyPlan::random(3, false, rng);
    let mut agency = Agency::new(plan.number, plan.source(), plan.pace);
    let mut listener = Listener::default();
    for _ in 0..ANSWERS_MAX {
        if let Some(winners) = listener.hear(plan, &mut agency) {
            assert!(winners.len() <= plan.bets.len());
            return statistics.add("liars believed to the end");
        }
        let reply = match rng.u8(..8) {
            0 => lie(plan, rng),
            _ => Some(listener.truth(plan, rng)),
        };
        let Some(reply) = reply else {
            agency.connected();
            listener = Listener::default();
            continue;
        };
        let mut bytes = Vec::new();
        native::encode_reply(&reply, &mut bytes);
        assert!(agency.winners_max() <= plan.bets.len() as u64);
        let is_believable = native::scan_reply(&bytes, agency.winners_max()).is_ok();
        if !is_believable || !listener.answer(plan, &mut agency, reply) {
            return statistics.add("liars seen through");
        }
    }
}

/// Anything, perhaps even the truth; without an answer the connection breaks.
fn lie(plan: &AgencyPlan, rng: &mut Rng) -> Option<Reply> {
    let most = plan.bets.len() + 2;
    let stages = [
        Stage::Betting,
        Stage::Betting,
        Stage::Finished,
        Stage::Drawn,
    ];
    let mut welcome = welcome(plan, rng.usize(..most));
    welcome.stage = stages[rng.usize(..4)];
    Some(match rng.u8(..16) {
        0..4 => Reply::Stored,
        4..10 => {
            welcome.tally.crc ^= u32::from(rng.u8(..4) == 0);
            Reply::Welcome(welcome)
        }
        10 => {
            welcome.tally.bets = rng.u64(..);
            Reply::Welcome(welcome)
        }
        11 => Reply::Winners((0..rng.u32(..most as u32 + 2)).collect()),
        12 => Reply::Refused(Refusal::from(Code::ALL[rng.usize(..Code::ALL.len())])),
        _ => return None,
    })
}

/// What the central would tell of the first `count` bets, or of all when there are fewer.
fn welcome(plan: &AgencyPlan, count: usize) -> Welcome {
    let mut encodings = Vec::new();
    for bet in plan.bets.iter().take(count) {
        encoding::encode(&as_bet(plan.number, bet), &mut encodings);
    }
    let mut tally = Tally::default();
    tally.add(count as u64, &encodings);
    let stage = Stage::Betting;
    Welcome { tally, stage }
}

/// The other end of one connection, which looks at what the agency sends.
#[derive(Default)]
struct Listener {
    has_greeted: bool,
    /// The bet that the agency is to send next, once it was welcomed.
    next: Option<usize>,
    unanswered: VecDeque<usize>,
    has_finished: bool,
    has_asked: bool,
}

impl Listener {
    /// What a central might say now.
    fn truth(&self, plan: &AgencyPlan, rng: &mut Rng) -> Reply {
        if self.next.is_none() {
            return Reply::Welcome(welcome(plan, rng.usize(..=plan.bets.len())));
        }
        match self.unanswered.is_empty() {
            true => Reply::Winners(plan.bets.iter().map(|bet| bet.document).collect()),
            false => Reply::Stored,
        }
    }

    /// Lets the agency go on until it waits. Gives the winners when it is done.
    fn hear(&mut self, plan: &AgencyPlan, agency: &mut Agency<Bets>) -> Option<Vec<u32>> {
        // Each step sends a batch of one bet at least, or one of three other messages.
        for _ in 0..plan.bets.len() + 4 {
            let mut out = Vec::new();
            let step = agency.advance(&mut out).expect("its bets can be read");
            self.read(plan, &out);
            assert!(self.unanswered.len() <= plan.pace.window);
            match step {
                Step::Send => {}
                Step::AwaitReply => return None,
                Step::AwaitDraw => {
                    assert!(self.has_asked && self.unanswered.is_empty());
                    return None;
                }
                Step::Done(winners) => return Some(winners),
            }
        }
        panic!("an agency that goes on and on")
    }

    fn read(&mut self, plan: &AgencyPlan, mut bytes: &[u8]) {
        let mut codec = Native::new(AGENCY_MESSAGE_BYTES_MAX);
        let mut inbox = Inbox::default();
        loop {
            let message = inbox.next_message(&mut bytes, |bytes| codec.scan(bytes));
            match message.expect("a message within its bound") {
                Some(message) => self.take(plan, codec.parse(message).expect("a good message")),
                None => return assert_eq!(inbox.kept_bytes(), 0),
            }
        }
    }

    fn take(&mut self, plan: &AgencyPlan, Message { agency, request }: Message<'_>) {
        assert!(!self.has_asked, "something follows the question");
        match request {
            Request::Hello => {
                assert!(!self.has_greeted && agency == Some(plan.number));
                self.has_greeted = true;
            }
            Request::Bets(batch) => {
                assert!((1..=plan.pace.batch_bets_max as usize).contains(&batch.count));
                let next = self.next.as_mut().expect("bets behind a Welcome");
                let own = plan.bets[*next..].iter().take(batch.count);
                let own = own.map(|bet| as_bet(plan.number, bet));
                let bets = batch.bets.expect("good bets").bets;
                assert!(!self.has_finished && bets.iter().copied().eq(own));
                *next += batch.count;
                self.unanswered.push_back(batch.count);
            }
            Request::Finish { .. } => {
                assert_eq!(self.next, Some(plan.bets.len()));
                self.has_finished = true;
            }
            Request::Winners => {
                assert_eq!(self.next, Some(plan.bets.len()));
                self.has_asked = true;
            }
            other => panic!("{other:?} of an agency of ours"),
        }
    }

    /// Hands a reply to the agency; says whether it believed it.
    fn answer(&mut self, plan: &AgencyPlan, agency: &mut Agency<Bets>, reply: Reply) -> bool {
        let registered = agency.registered();
        if let Err(error) = agency.receive(reply.clone()) {
            assert!(!error.to_string().contains('\n'));
            return false;
        }
        match reply {
            Reply::Welcome(told) => {
                assert!(self.has_greeted && self.next.is_none());
                let bets = told.tally.bets as usize;
                assert!(bets <= plan.bets.len());
                assert_eq!(welcome(plan, bets).tally, told.tally);
                assert_eq!(agency.registered(), told.tally.bets);
                self.next = Some(bets);
            }
            Reply::Stored => {
                let bets = self.unanswered.pop_front().expect("a batch was sent");
                assert_eq!(agency.registered(), registered + bets as u64);
            }
            Reply::Winners(_) => assert!(self.has_asked && self.unanswered.is_empty()),
            other => panic!("{other:?} was believed"),
        }
        true
    }
}
