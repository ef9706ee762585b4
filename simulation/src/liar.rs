//! Production's agency, face to face with a central that answers anything: it asks for nothing out of
//! turn, sends its own bets in their order and within its bounds, believes nothing that its own bets
//! disprove, and ends in bounded steps.

use std::collections::VecDeque;

use client::agency::{Agency, Step};
use fastrand::Rng;
use lottery_core::codec::native::{self, AGENCY_MESSAGE_BYTES_MAX, Native};
use lottery_core::codec::{Codec, Inbox};
use lottery_core::encoding;
use lottery_core::message::{Code, Message, Refusal, Reply, Request, Stage, Welcome};
use lottery_core::tally::Tally;
use lottery_core::testing::Statistics;

use crate::plan::{AgencyPlan, Bets, OwnedBet};

const ANSWERS_MAX: usize = 60;

/// Has an agency talk to a liar until it sees through it, has its winners, or is tired of it. Panics when
/// the agency does what it should not.
pub fn talk(rng: &mut Rng, statistics: &Statistics) {
    let plan = AgencyPlan::random(3, false, rng);
    let mut agency = Agency::new(plan.number, Bets::new(plan.bets.clone()), plan.pace);
    let mut listener = Listener::new(&plan);
    for _ in 0..ANSWERS_MAX {
        if let Some(winners) = listener.hear(&mut agency) {
            assert!(winners.len() <= plan.bets.len());
            return statistics.add("liars believed to the end");
        }
        let reply = match rng.u8(..8) {
            0 => lie(&plan.bets, rng),
            _ => Some(listener.truth(rng)),
        };
        let Some(reply) = reply else {
            agency.connected();
            listener = Listener::new(&plan);
            continue;
        };
        let mut bytes = Vec::new();
        native::encode_reply(&reply, &mut bytes);
        assert!(agency.winners_max() <= plan.bets.len() as u64);
        let is_believable = native::scan_reply(&bytes, agency.winners_max()).is_ok();
        if !is_believable || !listener.answer(&mut agency, reply) {
            return statistics.add("liars seen through");
        }
    }
}

/// Anything, perhaps even the truth; without an answer the connection breaks.
fn lie(bets: &[OwnedBet], rng: &mut Rng) -> Option<Reply> {
    let stage = [
        Stage::Betting,
        Stage::Betting,
        Stage::Finished,
        Stage::Drawn,
    ][rng.usize(..4)];
    let most = bets.len() + 2;
    Some(match rng.u8(..16) {
        0..4 => Reply::Stored,
        4..10 => {
            let Tally { bets, crc } = tally(bets, rng.usize(..most));
            let crc = crc ^ u32::from(rng.u8(..4) == 0);
            Reply::Welcome(Welcome { bets, crc, stage })
        }
        10 => Reply::Welcome(Welcome {
            bets: rng.u64(..),
            crc: 0,
            stage,
        }),
        11 => Reply::Winners((0..rng.u32(..most as u32 + 2)).collect()),
        12 => Reply::Refused(Refusal::from(Code::ALL[rng.usize(..Code::ALL.len())])),
        _ => return None,
    })
}

/// What the central would tell of the first `count` bets, or of all when there are fewer.
fn tally(bets: &[OwnedBet], count: usize) -> Tally {
    let mut encodings = Vec::new();
    for bet in bets.iter().take(count) {
        encoding::encode(&bet.as_bet(), &mut encodings);
    }
    let mut tally = Tally::default();
    tally.add(count as u64, &encodings);
    tally
}

/// The other end of one connection, which looks at what the agency sends.
struct Listener<'p> {
    plan: &'p AgencyPlan,
    has_greeted: bool,
    /// The bet that the agency is to send next, once it was welcomed.
    next: Option<usize>,
    unanswered: VecDeque<usize>,
    has_finished: bool,
    has_asked: bool,
}

impl<'p> Listener<'p> {
    fn new(plan: &'p AgencyPlan) -> Listener<'p> {
        Listener {
            plan,
            has_greeted: false,
            next: None,
            unanswered: VecDeque::new(),
            has_finished: false,
            has_asked: false,
        }
    }

    /// What a central might say now.
    fn truth(&self, rng: &mut Rng) -> Reply {
        let bets = &self.plan.bets;
        if self.next.is_none() {
            let Tally { bets, crc } = tally(bets, rng.usize(..=bets.len()));
            let stage = Stage::Betting;
            return Reply::Welcome(Welcome { bets, crc, stage });
        }
        match self.unanswered.is_empty() {
            true => Reply::Winners(bets.iter().map(|bet| bet.document).collect()),
            false => Reply::Stored,
        }
    }

    /// Lets the agency go on until it waits. Gives the winners when it is done.
    fn hear(&mut self, agency: &mut Agency<Bets>) -> Option<Vec<u32>> {
        // Each step sends a batch of one bet at least, or one of three other messages.
        for _ in 0..self.plan.bets.len() + 4 {
            let mut out = Vec::new();
            let step = agency.advance(&mut out).expect("its bets can be read");
            self.read(&out);
            assert!(self.unanswered.len() <= self.plan.pace.window);
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

    fn read(&mut self, mut bytes: &[u8]) {
        let mut codec = Native::new(AGENCY_MESSAGE_BYTES_MAX);
        let mut inbox = Inbox::default();
        loop {
            let message = inbox.next_message(&mut bytes, |bytes| codec.scan(bytes));
            match message.expect("a message within its bound") {
                Some(message) => self.take(codec.parse(message).expect("a good message")),
                None => return assert_eq!(inbox.kept_bytes(), 0),
            }
        }
    }

    fn take(&mut self, Message { agency, request }: Message<'_>) {
        assert!(!self.has_asked, "something follows the question");
        match request {
            Request::Hello => {
                assert!(!self.has_greeted && agency == Some(self.plan.number));
                self.has_greeted = true;
            }
            Request::Bets(batch) => {
                assert!((1..=self.plan.pace.batch_bets_max as usize).contains(&batch.count));
                let next = self.next.as_mut().expect("bets behind a Welcome");
                let own = self.plan.bets[*next..].iter().map(OwnedBet::as_bet);
                let bets = batch.bets.expect("good bets").bets;
                assert!(!self.has_finished && bets.iter().copied().eq(own.take(batch.count)));
                *next += batch.count;
                self.unanswered.push_back(batch.count);
            }
            Request::Finish { .. } => {
                assert_eq!(self.next, Some(self.plan.bets.len()));
                self.has_finished = true;
            }
            Request::Winners => {
                assert_eq!(self.next, Some(self.plan.bets.len()));
                self.has_asked = true;
            }
            other => panic!("{other:?} of an agency of ours"),
        }
    }

    /// Hands a reply to the agency; says whether it believed it.
    fn answer(&mut self, agency: &mut Agency<Bets>, reply: Reply) -> bool {
        let registered = agency.registered();
        if let Err(error) = agency.receive(reply.clone()) {
            assert!(!error.to_string().contains('\n'));
            return false;
        }
        match reply {
            Reply::Welcome(welcome) => {
                assert!(self.has_greeted && self.next.is_none());
                let bets = welcome.bets as usize;
                assert!(bets <= self.plan.bets.len());
                assert_eq!(tally(&self.plan.bets, bets).crc, welcome.crc);
                assert_eq!(agency.registered(), welcome.bets);
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
