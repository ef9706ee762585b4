//! The draw, and the agencies that wait for it.

use super::*;

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
    lottery.says(B, Request::AllBetsSent);
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
    assert_eq!(lottery.greets(A, 1), (1, AgencyState::Drawn));
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
    // A second closing in the file would be refused as damage.
    lottery.restarted();
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
    assert_eq!(lottery.greets(A, 1), (1, AgencyState::Closed));
    assert_eq!(lottery.hears(A, Request::RequestWinners), []);
    assert_eq!(lottery.greets(B, 2), (1, AgencyState::Betting));
    assert_eq!(lottery.hears(B, Request::AllBetsSent), [winners(A, [10])]);
}

#[test]
fn a_lottery_without_agencies_never_draws_and_serves_nobody() {
    remember_log();
    let mut lottery = Lottery::of(0);
    assert_eq!(lottery.turn(), []);
    assert_eq!(lottery.central.next_deadline(), None);
    for (id, agency) in [(A, 0), (B, 1)] {
        assert_eq!(
            lottery.hears(id, hello(agency)),
            [refused(id, Code::NoSuchAgency)]
        );
    }
    assert_eq!(times_logged("action: sorteo"), 0);
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
    assert_eq!(lottery.parks(A, 2).last(), Some(&winners(A, [])));
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
    assert_eq!(lottery.greets(B, 2), (0, AgencyState::Closed));
    let slices = std::iter::repeat_with(|| lottery.turn());
    let informed = slices.take(10).find(|outputs| !outputs.is_empty());
    assert_eq!(informed, Some(vec![winners(A, [100_001])]));
    assert_eq!(lottery.central.next_deadline(), None);
}

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
    assert_eq!(lottery.parks(B, 2)[1..], [winners(B, [])]);
    assert_eq!(lottery.greets(C, 1), (1, AgencyState::Drawn));
    assert_eq!(
        lottery.hears(C, Request::RequestWinners),
        [winners(C, [10])]
    );
}

#[test]
fn a_parked_agency_that_comes_back_before_the_draw_is_parked_again() {
    let mut lottery = Lottery::of(2);
    lottery.parks(A, 1);
    lottery.central.disconnected(A);
    lottery.parks(C, 1);
    assert!(lottery.central.is_parked(C));
    assert_eq!(lottery.parks(B, 2)[1..], [winners(C, []), winners(B, [])]);
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
    lottery.elapsed = SECOND * 2;
    lottery.parks(B, 2);
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
    assert!(lottery.central.is_parked(C));
    let outputs = lottery.parks(D, 3);
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
    lottery.elapsed = SECOND;
    assert_eq!(lottery.parks(B, 2)[1..], [winners(A, []), winners(B, [])]);
}
