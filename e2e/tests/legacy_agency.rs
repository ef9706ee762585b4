//! Agencies that know types 1–7 only: no Hello, one batch at a time, an Ack after every answer.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use lottery_e2e::wire::{
    self, ACK, ALL_BETS_SENT, HandBet, LOSING_NUMBER, REQUEST_WINNERS, WINNING_NUMBER, losing_bets,
};
use lottery_e2e::{Answer, HandAgency, ServerSetup, log};

fn store_and_acknowledge(agency: &mut HandAgency, bets: &[HandBet]) {
    agency.store(bets);
    agency.send(&ACK);
}

fn expect_winners(agency: &mut HandAgency, documents: &[u32]) {
    agency.expect(Answer::Winners(documents.to_vec()));
    agency.send(&ACK);
}

#[test]
fn an_agency_that_never_says_hello_is_served_beside_ones_that_do() {
    let server = ServerSetup::lottery(3).start();
    let mut legacy = server.connect();
    let mut modern = server.connect();
    let mut other_legacy = server.connect();
    assert_eq!(modern.hello(2), Answer::welcome(&[], 0));
    store_and_acknowledge(
        &mut legacy,
        &[
            HandBet::new(1, 101, LOSING_NUMBER),
            HandBet::new(1, 102, WINNING_NUMBER),
        ],
    );
    modern.store(&[HandBet::new(2, 201, WINNING_NUMBER)]);
    store_and_acknowledge(&mut other_legacy, &losing_bets(3, 100));
    store_and_acknowledge(&mut legacy, &[HandBet::new(1, 103, WINNING_NUMBER)]);
    for agency in [&mut legacy, &mut modern, &mut other_legacy] {
        agency.send(&ALL_BETS_SENT);
        agency.send(&REQUEST_WINNERS);
    }
    expect_winners(&mut legacy, &[102, 103]);
    modern.expect(Answer::Winners(vec![201]));
    expect_winners(&mut other_legacy, &[]);
    drop((legacy, modern, other_legacy));
    let ended = server.terminate();
    assert_eq!(ended.code, Some(0));
    assert_eq!(
        log::count(&ended.log, "action: sorteo | result: success"),
        1
    );
    assert_eq!(log::count(&ended.log, "result: fail"), 0);
}

#[test]
fn nobody_is_answered_before_the_last_agency_has_finished() {
    let server = ServerSetup::lottery(3).start();
    let mut one = server.parked(1, &[HandBet::new(1, 101, WINNING_NUMBER)]);
    let mut two = server.parked(2, &[HandBet::new(2, 201, WINNING_NUMBER)]);
    let mut last = server.connect();
    // Each answer to the last agency ends a turn in which the others could have been answered.
    assert_eq!(last.hello(3), Answer::welcome(&[], 0));
    last.store(&losing_bets(3, 10));
    assert_eq!(last.hello(3), Answer::welcome(&losing_bets(3, 10), 0));
    one.expect_nothing_yet();
    two.expect_nothing_yet();
    assert_eq!(log::count(&server.log(), "action: sorteo"), 0);

    last.finish();
    one.expect(Answer::Winners(vec![101]));
    two.expect(Answer::Winners(vec![201]));
    last.expect(Answer::Winners(vec![]));
    let ended = server.terminate();
    let last_closing = log::position(&ended.log, "agencia: 3 | faltan: 0");
    let draw = log::position(&ended.log, "action: sorteo | result: success");
    assert_eq!(draw, last_closing + 1, "{:#?}", ended.log);
}

#[test]
fn an_agency_that_sends_no_more_after_asking_is_still_answered() {
    let server = ServerSetup::lottery(2).start();
    let mut agency = server.parked(1, &[HandBet::new(1, 101, WINNING_NUMBER)]);
    agency.half_close();
    let mut last = server.newcomer(2);
    agency.expect_nothing_yet();
    last.finish();
    agency.expect(Answer::Winners(vec![101]));
    agency.expect_closed();
}

#[test]
fn the_draw_is_held_when_an_agency_left_after_closing() {
    let server = ServerSetup::lottery(2).start();
    drop(server.parked(1, &[HandBet::new(1, 101, WINNING_NUMBER)]));
    let mut last = server.parked(2, &[HandBet::new(2, 201, WINNING_NUMBER)]);
    last.expect(Answer::Winners(vec![201]));
    let mut back = server.connect();
    assert!(matches!(
        back.hello(1),
        Answer::Welcome {
            bets: 1,
            state: 2,
            ..
        }
    ));
    back.send(&REQUEST_WINNERS);
    back.expect(Answer::Winners(vec![101]));
}

#[test]
fn batches_sent_without_waiting_are_answered_each_in_order() {
    let server = ServerSetup::lottery(1).start();
    let mut agency = server.connect();
    let bets = losing_bets(1, 500);
    let mut everything: Vec<u8> = bets.chunks(5).flat_map(wire::register_bets).collect();
    everything.extend(ALL_BETS_SENT);
    everything.extend(REQUEST_WINNERS);
    agency.send(&everything);
    for _ in 0..100 {
        agency.expect(Answer::Stored);
    }
    agency.expect(Answer::Winners(vec![]));
    assert_eq!(server.setup().bets_file(), wire::rows(&bets));
}
