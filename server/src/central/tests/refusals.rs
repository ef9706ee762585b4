//! What is refused, with which code, and what becomes of the rest.

use super::*;

#[test]
fn every_refusal_has_its_code_closes_the_connection_and_is_heard_once() {
    let invalid = bets([UncheckedBet {
        number: 10_000,
        ..bet(1, 10)
    }]);
    for (before, request, code) in [
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
fn of_two_refusals_only_the_first_is_given() {
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
        assert_eq!(lottery.greets(B, 1), (0, AgencyState::Betting));
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
