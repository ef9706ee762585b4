//! The settings that bound what agencies may take: time, bytes, connections.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::io::{Read, Write};

use lottery_e2e::wire::{
    self, ALL_BETS_SENT, HandBet, REQUEST_WINNERS, WINNING_NUMBER, losing_bets,
};
use lottery_e2e::{Answer, HandAgency, ServerSetup, log};

const WELCOME_BYTES: usize = 2 + 8 + 4 + 1;

const MALFORMED: u16 = 3;
const DRAW_TIMEOUT: u16 = 8;

#[test]
fn who_owes_bytes_is_closed_after_the_idle_timeout_and_who_waits_for_the_draw_is_not() {
    let server = ServerSetup::lottery(2)
        .setting("IDLE_TIMEOUT", "1s")
        .start();
    let mut waiting = server.parked(1, &[]);
    // Both connect after the other was parked, so it has been silent for longer than they.
    let mut silent = server.connect();
    let mut cut = server.connect();
    cut.send(&wire::register_bets(&losing_bets(2, 1))[..20]);
    silent.expect_closed();
    cut.expect_closed();
    waiting.expect_nothing_yet();
    server.parked(2, &[]).expect(Answer::Winners(vec![]));
    waiting.expect(Answer::Winners(vec![]));
    // Once informed it is excused no longer.
    waiting.expect_closed();
    let ended = server.terminate();
    assert!(
        log::count(
            &ended.log,
            "action: idle_timeout | result: success | ip: 127.0.0.1"
        ) >= 3
    );
    assert_eq!(log::count(&ended.log, "result: fail"), 0);
}

#[test]
fn an_agency_that_waits_longer_than_the_draw_timeout_is_told_and_may_come_back() {
    let server = ServerSetup::lottery(4)
        .setting("DRAW_TIMEOUT", "200ms")
        .start();
    let mut agency = server.connect();
    agency.store(&[HandBet::new(1, 101, WINNING_NUMBER)]);
    agency.finish();
    agency.expect_refusal(DRAW_TIMEOUT);
    let line = server.wait_for_line("action: espera_sorteo | result: fail");
    assert_eq!(log::value(&line, "agencia"), "1");
    assert_eq!(log::value(&line, "faltan"), "2,3,4");
    for number in [2, 3, 4] {
        let mut other = server.newcomer(number);
        other.send(&ALL_BETS_SENT);
        server.wait_for_closing(number);
    }
    let mut agency = server.connect();
    assert!(matches!(agency.hello(1), Answer::Welcome { bets: 1, .. }));
    agency.send(&REQUEST_WINNERS);
    agency.expect(Answer::Winners(vec![101]));
}

/// RegisterBets of exactly `length` bytes.
fn message_of(length: usize) -> Vec<u8> {
    let mut bets = losing_bets(1, 100);
    while wire::register_bets(&bets).len() > length {
        bets.pop();
    }
    let mut lacking = length - wire::register_bets(&bets).len();
    for bet in &mut bets {
        let more = lacking.min(200);
        bet.first_name.extend(vec![b'a'; more]);
        lacking -= more;
    }
    let message = wire::register_bets(&bets);
    assert_eq!(message.len(), length);
    message
}

#[test]
fn a_message_may_be_as_large_as_max_frame_and_no_larger() {
    let server = ServerSetup::lottery(1).setting("MAX_FRAME", "8KiB").start();
    let mut agency = server.connect();
    agency.send(&message_of(8192));
    agency.expect(Answer::Stored);
    agency.send(&message_of(8193));
    agency.expect_refusal(MALFORMED);
}

#[test]
fn a_larger_max_frame_admits_larger_messages() {
    let bets = losing_bets(1, 10_000);
    let message = wire::register_bets(&bets);
    assert!(message.len() > 64 * 1024);
    let server = ServerSetup::lottery(1).start();
    let mut agency = server.connect();
    // The count alone says that this cannot fit.
    agency.send(&message[..6]);
    agency.expect_refusal(MALFORMED);
    let server = ServerSetup::lottery(1)
        .setting("MAX_FRAME", "1MiB")
        .setting("LOGGING_LEVEL", "INFO")
        .start();
    let mut agency = server.connect();
    agency.send(&message);
    agency.expect(Answer::Stored);
    assert_eq!(agency.hello(1), Answer::welcome(&bets, 0));
}

#[test]
fn connections_beyond_the_limit_wait_until_one_is_closed() {
    let server = ServerSetup::lottery(3)
        .setting("MAX_CONNECTIONS", "2")
        .start();
    let mut one = server.connect();
    let mut two = server.connect();
    assert_eq!(one.hello(1), Answer::welcome(&[], 0));
    assert_eq!(two.hello(2), Answer::welcome(&[], 0));
    let mut waiting = server.connect();
    waiting.send(&wire::hello(1, 3));
    // Turns enough to accept it, if it were to be accepted.
    for _ in 0..10 {
        assert_eq!(one.hello(1), Answer::welcome(&[], 0));
        assert_eq!(two.hello(2), Answer::welcome(&[], 0));
    }
    waiting.expect_nothing_yet();
    server.wait_for_lines("action: accept_connections", 2);
    assert_eq!(log::count(&server.log(), "action: accept_connections"), 2);
    drop(one);
    waiting.expect(Answer::welcome(&[], 0));
}

#[test]
fn a_server_without_free_descriptors_serves_whom_it_has_and_accepts_again_later() {
    let server = ServerSetup::lottery(1).descriptors_max(24).start();
    let mut served = server.newcomer(1);
    let crowd: Vec<HandAgency> = (0..40).map(|_| server.connect()).collect();
    server.wait_for_line("action: accept_connections | result: in_progress");
    let bets = losing_bets(1, 3);
    served.store(&bets);
    drop(crowd);
    assert_eq!(server.connect().hello(1), Answer::welcome(&bets, 0));
    let ended = server.terminate();
    assert_eq!(ended.code, Some(0));
    assert_eq!(log::count(&ended.log, "result: fail"), 0);
}

#[test]
fn an_agency_that_does_not_read_its_answers_delays_nobody_and_gets_them_all() {
    const HELLOS: usize = 300_000;
    let server = ServerSetup::lottery(2)
        .setting("LOGGING_LEVEL", "INFO")
        .start();
    let mut deaf = server.connect();
    let mut bystander = server.connect();
    let mut stream = deaf.stream().try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        let hellos = wire::hello(1, 1).repeat(HELLOS);
        stream.write_all(&hellos)
    });
    for number in 0..50 {
        bystander.store(&[HandBet::new(2, 1 + number, 1)]);
    }
    let mut answers = vec![0; HELLOS * WELCOME_BYTES];
    deaf.stream().read_exact(&mut answers).unwrap();
    sender.join().unwrap().unwrap();
    let first = &answers[..WELCOME_BYTES];
    assert!(answers.chunks(WELCOME_BYTES).all(|answer| answer == first));
    deaf.expect_nothing_yet();
}
