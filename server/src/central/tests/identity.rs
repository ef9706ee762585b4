//! Who speaks: identification, and one connection taking over from another.

use super::*;

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
    assert_eq!(lottery.greets(A, 1), (0, AgencyState::Betting));
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

#[test]
fn a_hello_takes_over_and_the_old_connection_is_closed_and_heard_no_more() {
    let mut lottery = Lottery::of(1);
    lottery.hears(A, batch(1, [10]));
    lottery.says(B, hello(1));
    let outputs = lottery.turn();
    assert_eq!(outputs[0], Output::Close(A));
    assert_eq!(welcome(B, &outputs[1..]), (1, AgencyState::Betting));
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
    assert_eq!(lottery.greets(A, 1), (0, AgencyState::Betting));
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
    assert_eq!(welcome(B, &outputs[1..]), (2, AgencyState::Betting));
    assert_eq!(lottery.disk.stored_by(1), [10, 11]);
}

#[test]
fn taking_over_from_a_parked_connection_ends_its_wait() {
    let mut lottery = Lottery::of(2);
    lottery.parks(A, 1);
    lottery.says(B, hello(1));
    lottery.turn();
    assert!(!lottery.central.is_parked(A));
    assert!(!lottery.central.is_parked(B));
    let outputs = lottery.parks(C, 2);
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
    assert_eq!(welcome(C, &outputs[2..]), (0, AgencyState::Betting));
}
