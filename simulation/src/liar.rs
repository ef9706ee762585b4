//! Production's agency, face to face with a central that answers anything: it believes nothing out of turn
//! and nothing that its own bets disprove, and ends in bounded steps. What it sends is shown by the worlds,
//! in which the central is production's too.

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
    let plan = &AgencyPlan::random(3, false, rng);
    let agency = &mut Agency::new(plan.number, plan.source(), plan.pace);
    for _ in 0..ANSWERS_MAX {
        if let Some(winners) = advance(plan, agency) {
            assert!(winners.len() <= plan.bets.len());
            return statistics.add("liars believed to the end");
        }
        let reply = match rng.u8(..8) {
            0 => lie(plan, rng),
            _ => Some(truth(plan, agency, rng)),
        };
        match reply {
            None => agency.connected(),
            Some(reply) if is_believed(plan, agency, &reply) => {}
            Some(_) => return statistics.add("liars seen through"),
        }
    }
}

/// Lets the agency go on until it waits. Gives the winners when it is done.
fn advance(plan: &AgencyPlan, agency: &mut Agency<Bets>) -> Option<Vec<u32>> {
    // Each step sends a batch of one bet at least, or one of three other messages.
    for _ in 0..plan.bets.len() + 4 {
        match agency.advance(&mut Vec::new()) {
            Ok(Step::Send) => {}
            Ok(Step::AwaitReply | Step::AwaitDraw) => return None,
            Ok(Step::Done(winners)) => return Some(winners),
            Err(error) => panic!("{error}"),
        }
    }
    panic!("an agency that goes on and on")
}

/// What a central might say now.
fn truth(plan: &AgencyPlan, agency: &Agency<Bets>, rng: &mut Rng) -> Reply {
    if !agency.is_identified() {
        return Reply::Welcome(welcome(plan, rng.usize(..=plan.bets.len())));
    }
    match agency.registered() == agency.winners_max() {
        true => Reply::Winners(plan.bets.iter().map(|bet| bet.document).collect()),
        false => Reply::Stored,
    }
}

/// Anything, perhaps even the truth; without an answer the connection breaks.
fn lie(plan: &AgencyPlan, rng: &mut Rng) -> Option<Reply> {
    let most = plan.bets.len() + 2;
    Some(match rng.u8(..16) {
        0..4 => Reply::Stored,
        4..11 => {
            let mut welcome = welcome(plan, rng.usize(..most));
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

/// Hands a reply to the agency; says whether it believed it.
fn is_believed(plan: &AgencyPlan, agency: &mut Agency<Bets>, reply: &Reply) -> bool {
    let bets = plan.bets.len() as u64;
    let (registered, sent) = (agency.registered(), agency.winners_max());
    let (was_identified, was_waiting) = (agency.is_identified(), agency.is_waiting());
    assert!(sent <= bets);
    let mut bytes = Vec::new();
    native::encode_reply(reply, &mut bytes);
    if native::scan_reply(&bytes, sent).is_err() {
        return false;
    }
    if let Err(error) = agency.receive(reply.clone()) {
        assert!(!error.to_string().contains('\n'));
        return false;
    }
    match reply {
        Reply::Welcome(told) => {
            assert!(!was_identified && told.tally.bets <= bets);
            assert_eq!(welcome(plan, told.tally.bets as usize).tally, told.tally);
            assert!(told.stage == Stage::Betting || told.tally.bets == bets);
            assert_eq!(agency.registered(), told.tally.bets);
        }
        Reply::Stored => assert!((registered + 1..=sent).contains(&agency.registered())),
        Reply::Winners(_) => assert!(was_waiting && registered == bets),
        other => panic!("{other:?} was believed"),
    }
    true
}
