//! Whole conversations with the central, through requests and outputs, on a disk in memory.

use proptest::prelude::*;

use super::*;
use crate::testing::{
    MemoryDisk, MemoryFile, Operation, TODAY, WINNING_NUMBER, bet, remember_log, times_logged,
    winning_bet,
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

    /// Has the agency that speaks on `id` finish and wait.
    fn parks(&mut self, id: ConnectionId, agency: u32) {
        self.says(id, hello(agency));
        self.says(id, Request::AllBetsSent);
        self.says(id, Request::RequestWinners);
    }
}

fn rules(agencies: u32) -> Rules {
    Rules {
        agencies,
        winning_number: WINNING_NUMBER,
        durability: Durability::Always,
        draw_timeout: None,
    }
}

fn hello(agency: u32) -> Request<'static> {
    Request::Hello {
        version: VERSION,
        agency,
    }
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
fn welcome(id: ConnectionId, outputs: Vec<Output>) -> (u64, AgencyState) {
    match outputs.as_slice() {
        [Output::Reply(to, Reply::Welcome(welcome))] if *to == id => (welcome.bets, welcome.state),
        other => panic!("not a Welcome to {id:?} alone: {other:?}"),
    }
}

// Status

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

// Identification

#[test]
fn the_first_bet_identifies_a_connection_for_good() {
    let mut lottery = Lottery::of(2);
    assert_eq!(lottery.hears(A, batch(1, [10])), [stored(A)]);
    assert_eq!(
        lottery.hears(A, batch(2, [20])),
        [refused(A, Code::WrongAgency)]
    );
    assert_eq!(lottery.disk.stored(), [(1, 10)]);
}

#[test]
fn hello_identifies_a_connection_for_good() {
    let mut lottery = Lottery::of(2);
    let answer = lottery.hears(A, hello(1));
    assert_eq!(welcome(A, answer), (0, AgencyState::Betting));
    assert_eq!(
        lottery.hears(A, batch(2, [20])),
        [refused(A, Code::WrongAgency)]
    );
    assert_eq!(lottery.disk.stored(), []);
}

#[test]
fn a_welcome_counts_what_was_stored_and_what_the_same_turn_stores() {
    let mut lottery = Lottery::of(1);
    lottery.hears(A, batch(1, [10, 11]));
    lottery.says(A, batch(1, [12]));
    lottery.says(A, hello(1));
    let outputs = lottery.turn();
    assert_eq!(outputs[0], stored(A));
    let tally = lottery.central.store.tally(1);
    let Output::Reply(A, Reply::Welcome(welcome)) = &outputs[1] else {
        panic!("{outputs:?}");
    };
    assert_eq!((welcome.bets, welcome.crc), (3, tally.crc));
}

#[test]
fn an_empty_batch_is_answered_and_identifies_nobody() {
    let mut lottery = Lottery::of(1);
    assert_eq!(lottery.hears(A, batch(1, [])), [stored(A)]);
    assert_eq!(
        lottery.hears(A, Request::AllBetsSent),
        [refused(A, Code::OutOfTurn)]
    );
}

#[test]
fn an_ack_is_never_answered() {
    let mut lottery = Lottery::of(1);
    assert_eq!(lottery.hears(A, Request::Ack), []);
    lottery.says(A, batch(1, [10]));
    lottery.says(A, Request::Ack);
    assert_eq!(lottery.turn(), [stored(A)]);
}

// Takeover

#[test]
fn a_hello_takes_over_and_the_old_connection_is_closed_and_heard_no_more() {
    let mut lottery = Lottery::of(1);
    lottery.hears(A, batch(1, [10]));
    lottery.says(B, hello(1));
    let outputs = lottery.turn();
    assert_eq!(outputs[0], Output::Close(A));
    assert_eq!(
        welcome(B, outputs.into_iter().skip(1).collect()),
        (1, AgencyState::Betting)
    );
    assert_eq!(lottery.hears(A, batch(1, [11])), []);
    assert_eq!(lottery.hears(B, batch(1, [12])), [stored(B)]);
    assert_eq!(lottery.disk.stored_by(1), [10, 12]);
}

#[test]
fn a_first_bet_takes_over_too() {
    let mut lottery = Lottery::of(1);
    lottery.hears(A, hello(1));
    assert_eq!(
        lottery.hears(B, batch(1, [10])),
        [Output::Close(A), stored(B)]
    );
}

#[test]
fn an_agency_that_says_hello_again_keeps_its_connection() {
    let mut lottery = Lottery::of(1);
    lottery.hears(A, hello(1));
    let answer = lottery.hears(A, hello(1));
    assert_eq!(welcome(A, answer), (0, AgencyState::Betting));
    assert_eq!(lottery.hears(A, batch(1, [10])), [stored(A)]);
}

#[test]
fn a_refused_first_batch_takes_nothing_over() {
    for (first, code) in [
        (
            bets([
                bet(1, 10),
                UncheckedBet {
                    document: 0,
                    ..bet(1, 11)
                },
            ]),
            Code::InvalidBet,
        ),
        (bets([bet(1, 10), bet(2, 11)]), Code::WrongAgency),
    ] {
        let mut lottery = Lottery::of(2);
        lottery.hears(A, hello(1));
        assert_eq!(lottery.hears(B, first), [refused(B, code)]);
        assert_eq!(lottery.hears(A, batch(1, [12])), [stored(A)]);
    }
}

#[test]
fn a_first_batch_after_the_closing_takes_nothing_over() {
    let mut lottery = Lottery::of(2);
    lottery.parks(A, 1);
    lottery.turn();
    assert_eq!(
        lottery.hears(B, batch(1, [10])),
        [refused(B, Code::BettingClosed)]
    );
    assert!(lottery.central.is_parked(A));
}

#[test]
fn what_the_old_connection_staged_in_the_turn_of_the_takeover_is_stored_and_counted() {
    let mut lottery = Lottery::of(1);
    lottery.says(A, batch(1, [10, 11]));
    lottery.says(B, hello(1));
    let outputs = lottery.turn();
    assert_eq!(outputs[0], Output::Close(A));
    assert_eq!(
        welcome(B, outputs.into_iter().skip(1).collect()),
        (2, AgencyState::Betting)
    );
    assert_eq!(lottery.disk.stored_by(1), [10, 11]);
}

#[test]
fn taking_over_from_a_parked_connection_ends_its_wait() {
    let mut lottery = Lottery::of(2);
    lottery.parks(A, 1);
    lottery.turn();
    lottery.says(B, hello(1));
    lottery.turn();
    assert!(!lottery.central.is_parked(A));
    assert!(!lottery.central.is_parked(B));
    lottery.parks(C, 2);
    let outputs = lottery.turn();
    assert_eq!(outputs.last(), Some(&winners(C, [])));
    assert_eq!(
        lottery.hears(B, Request::RequestWinners),
        [winners(B, [])],
        "the one that took over may still ask"
    );
}

#[test]
fn three_connections_that_take_over_in_one_turn_leave_the_last() {
    let mut lottery = Lottery::of(1);
    for id in [A, B, C] {
        lottery.says(id, hello(1));
    }
    let outputs = lottery.turn();
    assert_eq!(outputs[..2], [Output::Close(A), Output::Close(B)]);
    assert_eq!(
        welcome(C, outputs.into_iter().skip(2).collect()),
        (0, AgencyState::Betting)
    );
}

// Refusals

#[test]
fn every_refusal_has_its_code_closes_the_connection_and_is_heard_once() {
    let wrong_version = Request::Hello {
        version: 2,
        agency: 1,
    };
    let invalid = bets([UncheckedBet {
        number: 10_000,
        ..bet(1, 10)
    }]);
    for (before, request, code) in [
        (vec![], wrong_version, Code::UnknownMessage),
        (vec![], invalid, Code::InvalidBet),
        (vec![hello(1)], hello(2), Code::WrongAgency),
        (
            vec![hello(1), Request::AllBetsSent],
            batch(1, [10]),
            Code::BettingClosed,
        ),
        (vec![], hello(0), Code::NoSuchAgency),
        (vec![], hello(3), Code::NoSuchAgency),
        (vec![], batch(0, [10]), Code::NoSuchAgency),
        (vec![], batch(3, [10]), Code::NoSuchAgency),
        (vec![], Request::AllBetsSent, Code::OutOfTurn),
        (vec![], Request::RequestWinners, Code::OutOfTurn),
        (vec![hello(1)], Request::RequestWinners, Code::OutOfTurn),
    ] {
        let mut lottery = Lottery::of(2);
        for request in before {
            lottery.hears(A, request);
        }
        lottery.says(A, request);
        lottery.says(A, batch(1, [11]));
        lottery.says(A, hello(1));
        assert_eq!(lottery.turn(), [refused(A, code)]);
        assert_eq!(lottery.hears(A, hello(1)), []);
        assert_eq!(lottery.disk.stored(), []);
    }
}

#[test]
fn bytes_that_are_no_request_are_refused_with_the_code_handed_in() {
    let mut lottery = Lottery::of(1);
    lottery.central.refuse(A, Code::Malformed);
    lottery.central.refuse(A, Code::UnknownMessage);
    assert_eq!(lottery.turn(), [refused(A, Code::Malformed)]);
}

#[test]
fn an_invalid_bet_anywhere_leaves_its_whole_batch_out() {
    let invalid = UncheckedBet {
        first_name: b"",
        ..bet(1, 12)
    };
    for position in 0..3 {
        let mut lottery = Lottery::of(1);
        let mut all = vec![bet(1, 10), bet(1, 11)];
        all.insert(position, invalid);
        assert_eq!(
            lottery.hears(A, Request::RegisterBets(all)),
            [refused(A, Code::InvalidBet)]
        );
        assert_eq!(lottery.disk.stored(), []);
        let answer = lottery.hears(B, hello(1));
        assert_eq!(welcome(B, answer), (0, AgencyState::Betting));
    }
}

#[test]
fn a_batch_accepted_in_the_turn_of_a_refusal_is_stored_and_acknowledged_before_it() {
    let mut lottery = Lottery::of(2);
    lottery.says(A, batch(1, [10]));
    lottery.says(A, batch(1, [11]));
    lottery.says(A, batch(2, [20]));
    assert_eq!(
        lottery.turn(),
        [stored(A), stored(A), refused(A, Code::WrongAgency)]
    );
    assert_eq!(lottery.disk.stored_by(1), [10, 11]);
}

#[test]
fn a_refused_connection_that_is_gone_by_the_end_of_the_turn_is_not_answered() {
    let mut lottery = Lottery::of(1);
    lottery.says(A, batch(1, [10]));
    lottery.says(A, Request::RequestWinners);
    lottery.central.disconnected(A);
    assert_eq!(lottery.turn(), []);
    assert_eq!(lottery.disk.stored_by(1), [10]);
}

#[test]
fn an_agency_refused_and_back_in_the_same_turn_is_served_and_the_refusal_still_given() {
    let mut lottery = Lottery::of(1);
    lottery.says(A, batch(1, [10]));
    lottery.says(A, Request::RequestWinners);
    lottery.says(B, batch(1, [11]));
    assert_eq!(
        lottery.turn(),
        [stored(A), refused(A, Code::OutOfTurn), stored(B)]
    );
    assert_eq!(lottery.disk.stored_by(1), [10, 11]);
}

#[test]
fn an_agency_with_a_refused_batch_has_not_finished_and_can_come_back() {
    let mut lottery = Lottery::of(2);
    lottery.parks(B, 2);
    lottery.says(A, batch(1, [10]));
    lottery.says(
        A,
        bets([UncheckedBet {
            document: 0,
            ..bet(1, 11)
        }]),
    );
    lottery.says(A, Request::AllBetsSent);
    lottery.turn();
    assert!(lottery.central.is_parked(B));
    lottery.says(C, hello(1));
    lottery.says(C, batch(1, [11]));
    lottery.says(C, Request::AllBetsSent);
    assert_eq!(lottery.turn().last(), Some(&winners(B, [])));
}

// The commit

#[test]
fn nothing_is_answered_before_it_is_stored_and_synced() {
    let mut lottery = Lottery::of(1);
    lottery.says(A, batch(1, [10]));
    assert_eq!(lottery.central.take_outputs(), []);
    assert_eq!(lottery.disk.stored(), []);
    assert_eq!(lottery.turn(), [stored(A)]);
    assert_eq!(lottery.disk.stored(), [(1, 10)]);
    assert!(lottery.disk.bets.is_synced());
}

#[test]
fn one_sync_serves_all_agencies_of_a_turn() {
    let mut lottery = Lottery::of(3);
    let syncs = lottery.disk.bets.syncs();
    for (id, agency) in [(A, 1), (B, 2), (C, 3)] {
        lottery.says(id, batch(agency, [agency * 10]));
        lottery.says(id, batch(agency, [agency * 10 + 1]));
    }
    assert_eq!(lottery.turn().len(), 6);
    assert_eq!(lottery.disk.bets.syncs(), syncs + 1);
}

#[test]
fn a_full_disk_refuses_the_batches_of_its_turn_and_no_others() {
    remember_log();
    let mut lottery = Lottery::of(3);
    lottery.hears(A, batch(1, [10]));
    lottery.disk.bets.fail(&[Operation::Write]);
    lottery.says(A, batch(1, [11]));
    lottery.says(A, batch(1, [12]));
    lottery.says(B, batch(2, [20]));
    assert_eq!(
        lottery.turn(),
        [refused(A, Code::NotStored), refused(B, Code::NotStored)]
    );
    assert_eq!(
        lottery.hears(C, batch(3, [30])),
        [refused(C, Code::NotStored)]
    );
    lottery.disk.bets.fail(&[]);
    for id in [A, B] {
        lottery.reconnects(id);
    }
    let answer = lottery.hears(A, hello(1));
    assert_eq!(welcome(A, answer), (1, AgencyState::Betting));
    assert_eq!(lottery.hears(A, batch(1, [11])), [stored(A)]);
    assert_eq!(lottery.disk.stored(), [(1, 10), (1, 11)]);
    assert_eq!(
        times_logged("action: almacenamiento | result: in_progress"),
        1
    );
    assert_eq!(times_logged("action: almacenamiento | result: success"), 1);
}

#[test]
fn a_refusal_behind_a_batch_that_could_not_be_stored_is_not_sent_in_its_place() {
    let mut lottery = Lottery::of(2);
    lottery.disk.bets.fail(&[Operation::Write]);
    lottery.says(A, batch(1, [10]));
    lottery.says(A, batch(2, [20]));
    assert_eq!(lottery.turn(), [refused(A, Code::NotStored)]);
}

#[test]
fn a_welcome_that_counted_bets_which_were_not_stored_is_not_given() {
    let mut lottery = Lottery::of(2);
    lottery.says(A, batch(1, [10]));
    lottery.says(B, hello(1));
    lottery.says(C, hello(2));
    lottery.disk.bets.fail(&[Operation::Write]);
    let outputs = lottery.turn();
    assert_eq!(outputs[0], Output::Close(A));
    assert_eq!(outputs[1], refused(B, Code::NotStored));
    assert_eq!(
        welcome(C, outputs.into_iter().skip(2).collect()),
        (0, AgencyState::Betting),
        "an agency with nothing staged is told the truth"
    );
}

#[test]
fn a_closing_that_could_not_be_stored_is_taken_back_and_can_be_made_again() {
    for failing in [vec![Operation::Write], vec![]] {
        let mut lottery = Lottery::of(1);
        lottery.disk.closings.fail(&[Operation::Write]);
        lottery.disk.bets.fail(&failing);
        lottery.says(A, batch(1, [10]));
        lottery.says(A, Request::AllBetsSent);
        lottery.says(A, Request::RequestWinners);
        let outputs = lottery.turn();
        let bets_stored = failing.is_empty();
        let expected = [stored(A), refused(A, Code::NotStored)];
        assert_eq!(outputs, expected[usize::from(!bets_stored)..]);
        assert!(!lottery.central.is_parked(A));
        lottery.disk.closings.fail(&[]);
        lottery.disk.bets.fail(&[]);
        let answer = lottery.hears(B, hello(1));
        let state = (u64::from(bets_stored), AgencyState::Betting);
        assert_eq!(welcome(B, answer), state);
        lottery.says(B, Request::AllBetsSent);
        lottery.says(B, Request::RequestWinners);
        assert_eq!(lottery.turn(), [winners(B, [])]);
    }
}

#[test]
fn a_closing_taken_back_ends_the_wait_of_the_connection_that_took_over() {
    let mut lottery = Lottery::of(1);
    lottery.disk.closings.fail(&[Operation::Write]);
    lottery.hears(A, hello(1));
    lottery.says(A, Request::AllBetsSent);
    lottery.says(B, hello(1));
    lottery.says(B, Request::RequestWinners);
    assert_eq!(
        lottery.turn(),
        [Output::Close(A), refused(B, Code::NotStored)]
    );
    assert!(!lottery.central.is_parked(B));
    assert_eq!(lottery.central.next_deadline(), None);
}

#[test]
fn a_closing_taken_back_after_its_connection_is_gone_leaves_the_agency_betting() {
    let mut lottery = Lottery::of(1);
    lottery.disk.closings.fail(&[Operation::Write]);
    lottery.says(A, hello(1));
    lottery.says(A, Request::AllBetsSent);
    lottery.central.disconnected(A);
    assert_eq!(lottery.turn(), []);
    lottery.disk.closings.fail(&[]);
    assert_eq!(lottery.hears(B, batch(1, [10])), [stored(B)]);
}

#[test]
fn closings_that_keep_failing_are_logged_once_though_bets_are_stored_all_along() {
    remember_log();
    let mut lottery = Lottery::of(2);
    lottery.disk.closings.fail(&[Operation::Write]);
    for document in [20, 21, 22] {
        lottery.reconnects(A);
        lottery.says(A, hello(1));
        lottery.says(A, Request::AllBetsSent);
        lottery.says(B, batch(2, [document]));
        lottery.turn();
    }
    assert_eq!(lottery.disk.stored_by(2), [20, 21, 22]);
    assert_eq!(
        times_logged("action: almacenamiento | result: in_progress"),
        1
    );
    assert_eq!(times_logged("action: almacenamiento | result: success"), 0);
    lottery.disk.closings.fail(&[]);
    lottery.reconnects(A);
    lottery.says(A, hello(1));
    lottery.hears(A, Request::AllBetsSent);
    assert_eq!(times_logged("action: almacenamiento | result: success"), 1);
}

#[test]
fn a_disk_in_doubt_ends_the_central_and_nothing_is_answered() {
    for failing in [
        vec![Operation::Sync],
        vec![Operation::Write, Operation::Truncate],
    ] {
        let mut lottery = Lottery::of(2);
        lottery.disk.bets.fail(&failing);
        lottery.says(A, batch(1, [10]));
        lottery.says(B, batch(2, [20]));
        assert!(matches!(lottery.failing_turn(), TurnError::Storage(_)));
        assert_eq!(lottery.central.take_outputs(), []);
    }
}

#[test]
fn closings_in_doubt_end_the_central_and_nothing_is_answered() {
    let mut lottery = Lottery::of(1);
    lottery.disk.closings.fail(&[Operation::Sync]);
    lottery.says(A, batch(1, [10]));
    lottery.says(A, Request::AllBetsSent);
    assert!(matches!(lottery.failing_turn(), TurnError::Storage(_)));
    assert_eq!(lottery.central.take_outputs(), []);
}

#[test]
fn bets_that_cannot_be_read_back_for_the_draw_end_the_central() {
    let mut lottery = Lottery::of(1);
    lottery.disk.bets.fail(&[Operation::Read]);
    lottery.says(A, batch(1, [10]));
    lottery.says(A, Request::AllBetsSent);
    assert!(matches!(lottery.failing_turn(), TurnError::Draw(_)));
}

// Durability

#[test]
fn bets_are_synced_each_second_with_everysec_and_the_deadline_says_when() {
    let mut lottery = Lottery::with(Rules {
        durability: Durability::EverySecond,
        ..rules(1)
    });
    assert_eq!(lottery.central.next_deadline(), None);
    lottery.elapsed = SECOND / 2;
    assert_eq!(lottery.hears(A, batch(1, [10])), [stored(A)]);
    assert!(!lottery.disk.bets.is_synced());
    assert_eq!(lottery.central.next_deadline(), Some(SECOND));
    lottery.elapsed = SECOND;
    lottery.turn();
    assert!(lottery.disk.bets.is_synced());
    assert_eq!(lottery.central.next_deadline(), None);
    lottery.elapsed = SECOND * 3 / 2;
    lottery.hears(A, batch(1, [11]));
    assert_eq!(lottery.central.next_deadline(), Some(SECOND * 2));
}

#[test]
fn a_sync_that_fails_with_everysec_ends_the_central() {
    let mut lottery = Lottery::with(Rules {
        durability: Durability::EverySecond,
        ..rules(1)
    });
    lottery.hears(A, batch(1, [10]));
    lottery.elapsed = SECOND;
    lottery.disk.bets.fail(&[Operation::Sync]);
    assert!(matches!(lottery.failing_turn(), TurnError::Storage(_)));
}

#[test]
fn whatever_the_durability_a_closing_and_the_end_of_the_run_sync_the_bets() {
    for durability in [Durability::EverySecond, Durability::No] {
        let mut lottery = Lottery::with(Rules {
            durability,
            ..rules(2)
        });
        lottery.hears(A, batch(1, [10]));
        assert!(!lottery.disk.bets.is_synced());
        lottery.hears(A, Request::AllBetsSent);
        assert!(lottery.disk.bets.is_synced());
        assert!(lottery.disk.closings.is_synced());
        lottery.says(B, batch(2, [20]));
        let now = lottery.now();
        lottery.central.shut_down(now).unwrap();
        assert_eq!(lottery.central.take_outputs(), [stored(B)]);
        assert!(lottery.disk.bets.is_synced());
        assert_eq!(lottery.disk.stored(), [(1, 10), (2, 20)]);
    }
}

// The draw

#[test]
fn the_draw_is_held_once_and_each_agency_is_told_its_own_winners_only() {
    remember_log();
    let mut lottery = Lottery::of(3);
    for (id, agency) in [(A, 1), (B, 2), (C, 3)] {
        lottery.says(id, hello(agency));
    }
    lottery.says(
        A,
        bets([winning_bet(1, 10), bet(1, 11), winning_bet(1, 10)]),
    );
    lottery.says(B, bets([bet(2, 20), winning_bet(2, 21)]));
    lottery.says(C, bets([bet(3, 30)]));
    lottery.turn();
    for id in [A, B] {
        lottery.says(id, Request::AllBetsSent);
        lottery.says(id, Request::RequestWinners);
        assert_eq!(lottery.turn(), [], "an agency is missing");
        assert_eq!(lottery.central.next_deadline(), None);
    }
    lottery.says(C, Request::AllBetsSent);
    lottery.says(C, Request::RequestWinners);
    assert_eq!(
        lottery.turn(),
        [winners(A, [10, 10]), winners(B, [21]), winners(C, [])]
    );
    assert_eq!(
        lottery.hears(B, Request::RequestWinners),
        [winners(B, [21])],
        "who asks again is told again"
    );
    assert_eq!(lottery.central.next_deadline(), None);
    assert_eq!(times_logged("action: agencia_lista | result: success"), 3);
    assert_eq!(times_logged("action: sorteo | result: success"), 1);
}

#[test]
fn an_agency_that_asks_after_the_draw_is_told_at_once() {
    let mut lottery = Lottery::of(1);
    lottery.says(A, bets([winning_bet(1, 10)]));
    assert_eq!(lottery.hears(A, Request::AllBetsSent), [stored(A)]);
    assert_eq!(
        lottery.hears(A, Request::RequestWinners),
        [winners(A, [10])]
    );
    let answer = lottery.hears(A, hello(1));
    assert_eq!(welcome(A, answer), (1, AgencyState::Drawn));
}

#[test]
fn an_agency_that_says_again_that_it_has_finished_changes_nothing() {
    remember_log();
    let mut lottery = Lottery::of(2);
    lottery.hears(A, hello(1));
    for _ in 0..3 {
        lottery.says(A, Request::AllBetsSent);
        lottery.says(A, Request::AllBetsSent);
        assert_eq!(lottery.turn(), []);
    }
    assert_eq!(times_logged("action: agencia_lista"), 1);
    assert_eq!(
        times_logged("action: agencia_lista | result: success | agencia: 1 | faltan: 1"),
        1
    );
}

#[test]
fn after_a_restart_the_winners_are_the_same_and_the_draw_is_not_announced_again() {
    let mut lottery = Lottery::of(2);
    lottery.says(A, bets([winning_bet(1, 10)]));
    lottery.says(A, Request::AllBetsSent);
    lottery.says(B, bets([winning_bet(2, 20), winning_bet(2, 21)]));
    lottery.says(B, Request::AllBetsSent);
    lottery.turn();
    remember_log();
    let mut lottery = lottery.restarted();
    assert_eq!(lottery.central.next_deadline(), Some(Duration::ZERO));
    lottery.says(B, hello(2));
    lottery.says(B, Request::RequestWinners);
    assert_eq!(lottery.turn()[1], winners(B, [20, 21]));
    assert_eq!(lottery.central.next_deadline(), None);
    assert_eq!(times_logged("action: sorteo"), 0);
}

#[test]
fn after_a_restart_before_the_draw_the_finished_have_finished_and_the_others_are_waited_for() {
    let mut lottery = Lottery::of(2);
    lottery.hears(B, batch(2, [20]));
    lottery.says(A, bets([winning_bet(1, 10)]));
    lottery.hears(A, Request::AllBetsSent);
    let mut lottery = lottery.restarted();
    assert_eq!(lottery.central.next_deadline(), None);
    let answer = lottery.hears(A, hello(1));
    assert_eq!(welcome(A, answer), (1, AgencyState::Closed));
    assert_eq!(lottery.hears(A, Request::RequestWinners), []);
    let answer = lottery.hears(B, hello(2));
    assert_eq!(welcome(B, answer), (1, AgencyState::Betting));
    assert_eq!(lottery.hears(B, Request::AllBetsSent), [winners(A, [10])]);
}

#[test]
fn a_lottery_without_agencies_never_draws_and_serves_nobody() {
    let mut lottery = Lottery::of(0);
    assert_eq!(lottery.turn(), []);
    assert_eq!(lottery.central.next_deadline(), None);
    assert_eq!(lottery.hears(A, hello(1)), [refused(A, Code::NoSuchAgency)]);
}

#[test]
fn a_store_with_more_agencies_than_take_part_waits_for_those_that_do() {
    let mut lottery = Lottery::of(3);
    for (id, agency) in [(A, 1), (B, 3)] {
        lottery.says(id, hello(agency));
        lottery.says(id, Request::AllBetsSent);
    }
    lottery.turn();
    lottery.rules.agencies = 2;
    let mut lottery = lottery.restarted();
    assert_eq!(lottery.central.next_deadline(), None);
    lottery.parks(A, 2);
    assert_eq!(lottery.turn().last(), Some(&winners(A, [])));
}

#[test]
fn a_long_draw_goes_slice_by_slice_and_others_are_served_meanwhile() {
    let mut lottery = Lottery::of(2);
    let mut many: Vec<_> = (1..=100_000).map(|document| bet(1, document)).collect();
    many.push(winning_bet(1, 100_001));
    lottery.says(A, Request::RegisterBets(many));
    lottery.says(A, Request::AllBetsSent);
    lottery.says(A, Request::RequestWinners);
    assert_eq!(lottery.turn(), [stored(A)]);
    lottery.says(B, hello(2));
    lottery.says(B, Request::AllBetsSent);
    lottery.turn();
    assert_eq!(lottery.central.next_deadline(), Some(Duration::ZERO));
    let answer = lottery.hears(B, hello(2));
    assert_eq!(welcome(B, answer), (0, AgencyState::Closed));
    let slices = std::iter::repeat_with(|| lottery.turn());
    let informed = slices.take(10).find(|outputs| !outputs.is_empty());
    assert_eq!(informed, Some(vec![winners(A, [100_001])]));
    assert_eq!(lottery.central.next_deadline(), None);
}

// Parked agencies

#[test]
fn a_parked_agency_that_disconnects_is_waited_for_no_longer_and_may_come_back() {
    let mut lottery = Lottery::of(2);
    lottery.says(A, bets([winning_bet(1, 10)]));
    lottery.says(A, Request::AllBetsSent);
    lottery.says(A, Request::RequestWinners);
    lottery.turn();
    assert!(lottery.central.is_parked(A));
    lottery.central.disconnected(A);
    assert!(!lottery.central.is_parked(A));
    lottery.parks(B, 2);
    assert_eq!(lottery.turn()[1..], [winners(B, [])]);
    let answer = lottery.hears(C, hello(1));
    assert_eq!(welcome(C, answer), (1, AgencyState::Drawn));
    assert_eq!(
        lottery.hears(C, Request::RequestWinners),
        [winners(C, [10])]
    );
}

#[test]
fn a_parked_agency_that_comes_back_before_the_draw_is_parked_again() {
    let mut lottery = Lottery::of(2);
    lottery.parks(A, 1);
    lottery.turn();
    lottery.central.disconnected(A);
    lottery.parks(C, 1);
    lottery.turn();
    assert!(lottery.central.is_parked(C));
    lottery.parks(B, 2);
    assert_eq!(lottery.turn()[1..], [winners(C, []), winners(B, [])]);
}

#[test]
fn an_agency_that_waited_too_long_is_told_so_and_may_wait_again() {
    remember_log();
    let mut lottery = Lottery::with(Rules {
        draw_timeout: Some(SECOND * 10),
        ..rules(3)
    });
    lottery.elapsed = SECOND;
    lottery.parks(A, 1);
    lottery.turn();
    lottery.elapsed = SECOND * 2;
    lottery.parks(B, 2);
    lottery.turn();
    assert_eq!(lottery.central.next_deadline(), Some(SECOND * 11));
    lottery.elapsed = SECOND * 11 - Duration::from_nanos(1);
    assert_eq!(lottery.turn(), []);
    lottery.elapsed = SECOND * 11;
    assert_eq!(lottery.turn(), [refused(A, Code::DrawTimeout)]);
    assert_eq!(
        times_logged("action: espera_sorteo | result: fail | agencia: 1 | faltan: 3"),
        1
    );
    assert_eq!(lottery.central.next_deadline(), Some(SECOND * 12));
    assert!(lottery.central.is_parked(B));
    lottery.parks(C, 1);
    lottery.turn();
    assert!(lottery.central.is_parked(C));
    lottery.parks(D, 3);
    let outputs = lottery.turn();
    assert_eq!(
        outputs[1..],
        [winners(B, []), winners(C, []), winners(D, [])]
    );
    assert_eq!(lottery.central.next_deadline(), None);
}

#[test]
fn a_disconnected_agency_leaves_no_deadline_behind() {
    let mut lottery = Lottery::with(Rules {
        draw_timeout: Some(SECOND),
        ..rules(2)
    });
    lottery.parks(A, 1);
    lottery.turn();
    assert_eq!(lottery.central.next_deadline(), Some(SECOND));
    lottery.central.disconnected(A);
    assert_eq!(lottery.central.next_deadline(), None);
}

#[test]
fn a_draw_that_falls_due_with_the_deadline_is_held() {
    let mut lottery = Lottery::with(Rules {
        draw_timeout: Some(SECOND),
        ..rules(2)
    });
    lottery.parks(A, 1);
    lottery.turn();
    lottery.elapsed = SECOND;
    lottery.parks(B, 2);
    assert_eq!(lottery.turn()[1..], [winners(A, []), winners(B, [])]);
}

// Any conversation

/// What may happen next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Hello(usize, u32),
    /// A batch of so many bets; the last may be invalid.
    Batch(usize, u32, usize, bool),
    AllBetsSent(usize),
    RequestWinners(usize),
    Ack(usize),
    Status(usize),
    /// The connection is replaced by a new one.
    Reconnect(usize),
    EndTurn,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let connection = 0..3_usize;
    // Agency 3 does not take part.
    let agency = prop_oneof![8 => 1..=2_u32, 1 => Just(3)];
    let step = prop_oneof![
        2 => (connection.clone(), agency.clone()).prop_map(|(id, agency)| Step::Hello(id, agency)),
        6 => (connection.clone(), agency, 0..4_usize, prop::bool::weighted(0.1))
            .prop_map(|(id, agency, bets, is_bad)| Step::Batch(id, agency, bets, is_bad)),
        2 => connection.clone().prop_map(Step::AllBetsSent),
        2 => connection.clone().prop_map(Step::RequestWinners),
        1 => connection.clone().prop_map(Step::Ack),
        1 => connection.clone().prop_map(Step::Status),
        2 => connection.prop_map(Step::Reconnect),
        4 => Just(Step::EndTurn),
    ];
    prop::collection::vec(step, 0..60)
}

/// A lottery as simple as it can be told: no turns, no files, no I/O; each request has its effect
/// at once. It says what each connection is to be answered.
#[derive(Default)]
struct Model {
    agencies: [ModelAgency; 2],
    connections: HashMap<ConnectionId, ModelConnection>,
}

#[derive(Default)]
struct ModelAgency {
    documents: Vec<u32>,
    closed: bool,
    connection: Option<ConnectionId>,
}

#[derive(Default)]
struct ModelConnection {
    agency: Option<u32>,
    /// Whether it was refused, or closed from either side.
    is_over: bool,
    /// Whether it was closed without a word, so that answers may be lost.
    is_cut: bool,
    is_waiting: bool,
    answers: Vec<&'static str>,
}

impl Model {
    fn agency(&mut self, agency: u32) -> &mut ModelAgency {
        &mut self.agencies[agency as usize - 1]
    }

    fn connection(&mut self, id: ConnectionId) -> &mut ModelConnection {
        self.connections.entry(id).or_default()
    }

    fn answer(&mut self, id: ConnectionId, answer: &'static str) {
        self.connection(id).answers.push(answer);
    }

    fn end(&mut self, id: ConnectionId) {
        self.connection(id).is_over = true;
        self.connection(id).is_waiting = false;
        for agency in &mut self.agencies {
            agency.connection.take_if(|connection| *connection == id);
        }
    }

    fn cut(&mut self, id: ConnectionId) {
        self.connection(id).is_cut = true;
        self.end(id);
    }

    fn refuse(&mut self, id: ConnectionId) {
        self.answer(id, "failed");
        self.end(id);
    }

    fn enter(&mut self, id: ConnectionId, agency: u32) {
        let old = self.agency(agency).connection.replace(id);
        if let Some(old) = old.filter(|old| *old != id) {
            self.cut(old);
            self.agency(agency).connection = Some(id);
        }
        self.connection(id).agency = Some(agency);
    }

    fn take(&mut self, id: ConnectionId, request: &Request<'_>) {
        let known = self.connection(id).agency;
        let agency = match request {
            Request::Hello { agency, .. } => Some(*agency),
            Request::RegisterBets(bets) => bets.first().map(|bet| bet.agency),
            _ => known,
        };
        let is_foreign =
            agency.is_some_and(|agency| agency > 2 || known.is_some_and(|known| known != agency));
        match (request, agency) {
            (Request::Ack, _) => {}
            (Request::Status, _) => self.answer(id, "status"),
            (Request::RegisterBets(_), None) => self.answer(id, "stored"),
            (_, None) => self.refuse(id),
            (_, Some(_)) if is_foreign => self.refuse(id),
            (Request::Hello { .. }, Some(agency)) => {
                self.enter(id, agency);
                self.answer(id, "welcome");
            }
            (Request::RegisterBets(bets), Some(agency)) => {
                if self.agency(agency).closed || bets.iter().any(|bet| bet.document == 0) {
                    return self.refuse(id);
                }
                self.enter(id, agency);
                let documents = bets.iter().map(|bet| bet.document);
                self.agency(agency).documents.extend(documents);
                self.answer(id, "stored");
            }
            (Request::AllBetsSent, Some(agency)) => self.agency(agency).closed = true,
            (Request::RequestWinners, Some(agency)) => {
                if self.agency(agency).closed {
                    self.connection(id).is_waiting = true;
                } else {
                    self.refuse(id);
                }
            }
        }
    }

    fn draw_when_due(&mut self) {
        if self.agencies.iter().all(|agency| agency.closed) {
            for connection in self.connections.values_mut() {
                if std::mem::take(&mut connection.is_waiting) {
                    connection.answers.push("winners");
                }
            }
        }
    }
}

/// The lottery and the model side by side.
struct Comparison {
    lottery: Lottery,
    model: Model,
    current: [ConnectionId; 3],
    connections_made: usize,
    documents_used: u32,
    answered: HashMap<ConnectionId, Vec<&'static str>>,
}

impl Comparison {
    fn new() -> Comparison {
        Comparison {
            lottery: Lottery::of(2),
            model: Model::default(),
            current: [A, B, C],
            connections_made: 10,
            documents_used: 0,
            answered: HashMap::new(),
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Hello(id, agency) => self.request(id, hello(agency)),
            Step::Batch(id, agency, count, is_bad) => {
                let mut all = Vec::new();
                for _ in 0..count {
                    self.documents_used += 1;
                    all.push(winning_bet(agency, self.documents_used));
                }
                if let Some(last) = all.last_mut().filter(|_| is_bad) {
                    last.document = 0;
                }
                self.request(id, Request::RegisterBets(all));
            }
            Step::AllBetsSent(id) => self.request(id, Request::AllBetsSent),
            Step::RequestWinners(id) => self.request(id, Request::RequestWinners),
            Step::Ack(id) => self.request(id, Request::Ack),
            Step::Status(id) => self.request(id, Request::Status),
            Step::Reconnect(slot) => {
                let old = self.current[slot];
                self.lottery.central.disconnected(old);
                self.model.cut(old);
                self.connections_made += 1;
                self.current[slot] = ConnectionId(self.connections_made);
                self.lottery.central.connected(self.current[slot]);
            }
            Step::EndTurn => self.end_turn(),
        }
    }

    /// Asks both, unless the connection is parked: the caller holds requests back then.
    fn request(&mut self, slot: usize, request: Request<'static>) {
        let id = self.current[slot];
        assert_eq!(
            self.lottery.central.is_parked(id),
            self.model.connection(id).is_waiting
        );
        if !self.lottery.central.is_parked(id) {
            if !self.model.connection(id).is_over {
                self.model.take(id, &request);
            }
            self.lottery.says(id, request);
        }
    }

    fn end_turn(&mut self) {
        self.model.draw_when_due();
        for output in self.lottery.turn() {
            let (id, reply) = match output {
                Output::Reply(id, reply) | Output::LastReply(id, reply) => (id, reply),
                Output::Close(_) => continue,
            };
            let name = match reply {
                Reply::RegisterBetOk => "stored",
                Reply::RegisterBetFailed(_) => "failed",
                Reply::Welcome(_) => "welcome",
                Reply::StatusReport(_) => "status",
                Reply::InformWinners(documents) => {
                    assert!(self.model.agencies.iter().all(|agency| agency.closed));
                    let agency = self.model.connection(id).agency.unwrap();
                    assert_eq!(documents, self.model.agency(agency).documents);
                    "winners"
                }
            };
            self.answered.entry(id).or_default().push(name);
        }
        for agency in [1, 2] {
            assert_eq!(
                self.lottery.disk.stored_by(agency),
                self.model.agency(agency).documents
            );
        }
        for (id, connection) in &self.model.connections {
            let answered = self.answered.get(id).map_or(&[][..], Vec::as_slice);
            if connection.is_cut {
                assert!(connection.answers.starts_with(answered), "{id:?}");
            } else {
                assert_eq!(answered, connection.answers, "{id:?}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_conversation_is_answered_in_order_and_stored_as_if_each_request_took_effect_at_once(
        steps in steps()
    ) {
        let mut comparison = Comparison::new();
        for step in steps {
            comparison.take(step);
        }
        comparison.end_turn();
    }
}
