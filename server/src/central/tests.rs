//! Whole conversations with the central, through requests and outputs, on a disk in memory.

mod any_conversation;
mod commit;
mod draw;
mod identity;
mod refusals;

use super::*;
use crate::testing::{
    MemoryDisk, MemoryFile, Operation, TODAY, bet, remember_log, rules, times_logged, winning_bet,
};

const A: ConnectionId = ConnectionId(1);
const B: ConnectionId = ConnectionId(2);
const C: ConnectionId = ConnectionId(3);
const D: ConnectionId = ConnectionId(4);

const SECOND: Duration = Duration::from_secs(1);

/// A central, its disk, and connections [`A`] to [`D`] to it.
struct Lottery {
    rules: Rules,
    disk: MemoryDisk,
    central: Central<MemoryFile>,
    elapsed: Duration,
}

impl Lottery {
    fn of(agencies: u32) -> Lottery {
        Lottery::with(rules(agencies))
    }

    fn with(rules: Rules) -> Lottery {
        Lottery::on(MemoryDisk::default(), rules)
    }

    fn on(disk: MemoryDisk, rules: Rules) -> Lottery {
        let (store, _) = Store::open(&disk).unwrap();
        let mut central = Central::new(rules, store);
        for id in [A, B, C, D] {
            central.connected(id);
        }
        Lottery {
            rules,
            disk,
            central,
            elapsed: Duration::ZERO,
        }
    }

    /// The lottery after its central was killed and started again: same files, new connections.
    fn restarted(self) -> Lottery {
        Lottery::on(self.disk, self.rules)
    }

    fn now(&self) -> Moment {
        Moment {
            elapsed: self.elapsed,
            today: TODAY,
        }
    }

    fn says(&mut self, id: ConnectionId, request: Request<'_>) {
        let now = self.now();
        self.central.request(id, request, now);
    }

    fn reconnects(&mut self, id: ConnectionId) {
        self.central.disconnected(id);
        self.central.connected(id);
    }

    fn turn(&mut self) -> Vec<Output> {
        let now = self.now();
        self.central.end_turn(now).unwrap();
        self.central.take_outputs()
    }

    /// A turn in which only this was said.
    fn hears(&mut self, id: ConnectionId, request: Request<'_>) -> Vec<Output> {
        self.says(id, request);
        self.turn()
    }

    fn failing_turn(&mut self) -> TurnError {
        let now = self.now();
        self.central.end_turn(now).unwrap_err()
    }

    /// A turn in which the agency that speaks on `id` finishes and asks for its winners.
    fn parks(&mut self, id: ConnectionId, agency: u32) -> Vec<Output> {
        self.says(id, hello(agency));
        self.says(id, Request::AllBetsSent);
        self.hears(id, Request::RequestWinners)
    }

    /// What a turn in which only a Hello was said tells of the agency: its bets and its state.
    fn greets(&mut self, id: ConnectionId, agency: u32) -> (u64, AgencyState) {
        welcome(id, &self.hears(id, hello(agency)))
    }
}

fn hello(agency: u32) -> Request<'static> {
    Request::Hello { agency }
}

/// A batch of `agency` with a bet for each document.
fn batch<const N: usize>(agency: u32, documents: [u32; N]) -> Request<'static> {
    Request::RegisterBets(documents.map(|document| bet(agency, document)).to_vec())
}

fn bets<const N: usize>(bets: [UncheckedBet<'static>; N]) -> Request<'static> {
    Request::RegisterBets(bets.to_vec())
}

fn stored(id: ConnectionId) -> Output {
    Output::Reply(id, Reply::RegisterBetOk)
}

fn refused(id: ConnectionId, code: Code) -> Output {
    Output::LastReply(id, Reply::RegisterBetFailed(code))
}

fn winners<const N: usize>(id: ConnectionId, documents: [u32; N]) -> Output {
    Output::Reply(id, Reply::InformWinners(documents.to_vec()))
}

/// Count and state of the only output, which must be a Welcome to `id`.
fn welcome(id: ConnectionId, outputs: &[Output]) -> (u64, AgencyState) {
    match outputs {
        [Output::Reply(to, Reply::Welcome(welcome))] if *to == id => (welcome.bets, welcome.state),
        other => panic!("not a Welcome to {id:?} alone: {other:?}"),
    }
}

#[test]
fn anybody_may_ask_how_far_the_lottery_is_and_it_changes_nothing() {
    let mut lottery = Lottery::of(2);
    let report = |missing, state| {
        let report = StatusReport {
            agencies: 2,
            missing,
            state,
        };
        [Output::Reply(C, Reply::StatusReport(report))]
    };
    assert_eq!(
        lottery.hears(C, Request::Status),
        report(2, AgencyState::Betting)
    );
    lottery.hears(A, batch(1, [10]));
    lottery.hears(A, Request::AllBetsSent);
    assert_eq!(
        lottery.hears(C, Request::Status),
        report(1, AgencyState::Betting)
    );
    lottery.hears(B, batch(2, [20]));
    lottery.hears(B, Request::AllBetsSent);
    assert_eq!(
        lottery.hears(C, Request::Status),
        report(0, AgencyState::Drawn)
    );
}
