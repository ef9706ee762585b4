//! Production's agency, face to face with a central that answers anything: it asks for nothing out of
//! turn, sends its own bets in their order and within its bounds, believes nothing that its own bets
//! disprove, and ends in bounded steps.

use std::collections::VecDeque;

use client::agency::{Agency, Step};
use fastrand::Rng;
use lottery_core::codec::native;
use lottery_core::encoding::{self, Tally};
use lottery_core::message::{Code, Refusal, Reply, Stage, Welcome};
use lottery_core::testing::Statistics;

use crate::plan::{AgencyPlan, Bets, as_bet};

const ANSWERS_MAX: usize = 60;

/// Has an agency talk to a liar until it sees through it, has its winners, or is tired of it. Panics when
/// the agency does what it should not.
pub fn talk(rng: &mut Rng, statistics: &Statistics) {
    let plan = AgencyPlan::random(3, false, rng);
    let mut liar = Liar {
        agency: Agency::new(plan.number, plan.source(), plan.pace),
        plan,
        due: VecDeque::new(),
        is_welcome: false,
        unanswered: VecDeque::new(),
    };
    liar.connect();
    for _ in 0..ANSWERS_MAX {
        if let Some(winners) = liar.hear() {
            assert!(winners.len() <= liar.plan.bets.len());
            return statistics.add("liars believed to the end");
        }
        let reply = match rng.u8(..8) {
            0 => liar.lie(rng),
            _ => Some(liar.truth(rng)),
        };
        match reply {
            None => liar.connect(),
            Some(reply) if liar.is_believed(&reply) => {}
            Some(_) => return statistics.add("liars seen through"),
        }
    }
}

/// A central, which looks at what the agency sends.
struct Liar {
    plan: AgencyPlan,
    agency: Agency<Bets>,
    /// The messages that the agency is to send next, and the bets of each.
    due: VecDeque<(Vec<u8>, usize)>,
    /// Whether it was welcomed on this connection.
    is_welcome: bool,
    /// The bets of each batch that was not answered.
    unanswered: VecDeque<usize>,
}

impl Liar {
    fn connect(&mut self) {
        self.agency.connected();
        let mut hello = Vec::new();
        native::encode_hello(self.plan.number, &mut hello);
        self.due = [(hello, 0)].into();
        self.is_welcome = false;
        self.unanswered.clear();
    }

    /// What a central might say now.
    fn truth(&self, rng: &mut Rng) -> Reply {
        let bets = &self.plan.bets;
        match (self.is_welcome, self.unanswered.is_empty()) {
            (false, _) => Reply::Welcome(self.welcome(rng.usize(..=bets.len()))),
            (true, true) => Reply::Winners(bets.iter().map(|bet| bet.document).collect()),
            (true, false) => Reply::Stored,
        }
    }

    /// Anything, perhaps even the truth; without an answer the connection breaks.
    fn lie(&self, rng: &mut Rng) -> Option<Reply> {
        let most = self.plan.bets.len() + 2;
        Some(match rng.u8(..16) {
            0..4 => Reply::Stored,
            4..11 => {
                let mut welcome = self.welcome(rng.usize(..most));
                welcome.stage = [Stage::Betting, Stage::Finished, Stage::Drawn][rng.usize(..3)];
                match rng.u8(..8) {
                    0 => welcome.tally.bets = rng.u64(..),
                    1 | 2 => welcome.tally.crc ^= 1,
                    _ => {}
                }
                Reply::Welcome(welcome)
            }
            11 => Reply::Winners((0..rng.u32(..most as u32 + 2)).collect()),
            12 => Reply::Refused(Refusal::from(Code::ALL[rng.usize(..Code::ALL.len())])),
            _ => return None,
        })
    }

    /// What the central would tell of the first `count` bets, or of all when there are fewer.
    fn welcome(&self, count: usize) -> Welcome {
        let mut encodings = Vec::new();
        for bet in self.plan.bets.iter().take(count) {
            encoding::encode(&as_bet(self.plan.number, bet), &mut encodings);
        }
        let mut tally = Tally::default();
        tally.add(count as u64, &encodings);
        let stage = Stage::Betting;
        Welcome { tally, stage }
    }

    /// Lets the agency go on until it waits. Gives the winners when it is done.
    fn hear(&mut self) -> Option<Vec<u32>> {
        // Each step sends a batch of one bet at least, or one of three other messages.
        for _ in 0..self.plan.bets.len() + 4 {
            let mut out = Vec::new();
            let step = self.agency.advance(&mut out).expect("its bets can be read");
            let mut sent = &out[..];
            while !sent.is_empty() {
                let (message, bets) = self.due.pop_front().expect("nothing follows the question");
                sent = sent.strip_prefix(&message[..]).expect("what is due");
                self.unanswered.extend(Some(bets).filter(|bets| *bets > 0));
            }
            assert!(self.unanswered.len() <= self.plan.pace.window);
            match step {
                Step::Send => {}
                Step::AwaitReply => return None,
                Step::AwaitDraw => {
                    assert!(self.awaits_draw());
                    return None;
                }
                Step::Done(winners) => return Some(winners),
            }
        }
        panic!("an agency that goes on and on")
    }

    fn awaits_draw(&self) -> bool {
        self.is_welcome && self.due.is_empty() && self.unanswered.is_empty()
    }

    /// Hands a reply to the agency; says whether it believed it.
    fn is_believed(&mut self, reply: &Reply) -> bool {
        let (registered, winners_max) = (self.agency.registered(), self.agency.winners_max());
        assert!(winners_max <= self.plan.bets.len() as u64);
        let mut bytes = Vec::new();
        native::encode_reply(reply, &mut bytes);
        if native::scan_reply(&bytes, winners_max).is_err() {
            return false;
        }
        if let Err(error) = self.agency.receive(reply.clone()) {
            assert!(!error.to_string().contains('\n'));
            return false;
        }
        match reply {
            Reply::Welcome(told) => {
                assert!(!self.is_welcome && self.due.is_empty());
                let bets = told.tally.bets as usize;
                assert_eq!(self.welcome(bets).tally, told.tally);
                assert_eq!(self.agency.registered(), told.tally.bets);
                self.is_welcome = true;
                self.expect_rest(bets, told.stage);
            }
            Reply::Stored => {
                let bets = self.unanswered.pop_front().expect("a batch was sent");
                assert_eq!(self.agency.registered(), registered + bets as u64);
            }
            Reply::Winners(_) => assert!(self.awaits_draw()),
            other => panic!("{other:?} was believed"),
        }
        true
    }

    /// All bets but so many are due, and the question for the winners.
    fn expect_rest(&mut self, stored: usize, stage: Stage) {
        let batch_bets_max = self.plan.pace.batch_bets_max as usize;
        for batch in self.plan.bets[stored..].chunks(batch_bets_max) {
            assert_eq!(stage, Stage::Betting);
            let mut message = Vec::new();
            native::encode_batch_header(batch.len() as u32, &mut message);
            for bet in batch {
                native::encode_counted_bet(&as_bet(self.plan.number, bet), &mut message);
            }
            self.due.push_back((message, batch.len()));
        }
        let mut question = Vec::new();
        if stage == Stage::Betting {
            native::encode_all_bets_sent(&mut question);
        }
        native::encode_request_winners(&mut question);
        self.due.push_back((question, 0));
    }
}
