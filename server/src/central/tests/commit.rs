//! When answers are given: after the commit, and what a disk that fails makes of them.

use super::*;

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
    assert_eq!(lottery.greets(A, 1), (1, AgencyState::Betting));
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
        welcome(C, &outputs[2..]),
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
        let state = (u64::from(bets_stored), AgencyState::Betting);
        assert_eq!(lottery.greets(B, 1), state);
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
    for (bets_failing, closings_failing) in [
        (vec![Operation::Sync], vec![]),
        (vec![Operation::Write, Operation::Truncate], vec![]),
        (vec![], vec![Operation::Sync]),
    ] {
        let mut lottery = Lottery::of(2);
        lottery.disk.bets.fail(&bets_failing);
        lottery.disk.closings.fail(&closings_failing);
        lottery.says(A, batch(1, [10]));
        lottery.says(A, Request::AllBetsSent);
        lottery.says(B, batch(2, [20]));
        assert!(matches!(lottery.failing_turn(), TurnError::Storage(_)));
        assert_eq!(lottery.central.take_outputs(), []);
    }
}

#[test]
fn bets_that_cannot_be_read_back_for_the_draw_end_the_central() {
    let mut lottery = Lottery::of(1);
    lottery.disk.bets.fail(&[Operation::Read]);
    lottery.says(A, batch(1, [10]));
    lottery.says(A, Request::AllBetsSent);
    assert!(matches!(lottery.failing_turn(), TurnError::Draw(_)));
}

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
