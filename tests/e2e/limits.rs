//! The settings that bound what connections may take: time, bytes, descriptors.

use std::process::Command;

use crate::kit::Message::*;
use crate::kit::{Bet, Message, Peer, Server, losing_bets};

const MALFORMED: u16 = 3;
const BETTING_CLOSED: u16 = 5;
const DRAW_TIMEOUT: u16 = 8;

#[test]
fn silent_connections_are_closed_after_the_idle_timeout_but_for_the_parked() {
    let mut server = Server::lottery(2).set("IDLE_TIMEOUT", "1s").start();
    let mut waiting = server.parked(1, &[]);
    // Both connect after the other was parked, so it has been silent for longer.
    let mut silent = server.connect();
    let mut cut = server.connect();
    cut.send(&RegisterBets(losing_bets(2, 1)).encode()[..20]);
    silent.expect_closed();
    cut.expect_closed();
    waiting.expect_nothing_yet();
    server.parked(2, &[]).expect(InformWinners(vec![]));
    waiting.expect(InformWinners(vec![]));
    // It is parked no longer.
    waiting.expect_closed();
    let ended = server.terminate();
    ended.expect_success();
    let closed = "action: idle_timeout | result: success | ip: 127.";
    assert!(ended.log.count(closed) >= 3, "{ended:#?}");
}

#[test]
fn words_that_never_end_and_words_of_a_stranger_do_not_prolong_a_connection() {
    let server = Server::lottery(2).set("IDLE_TIMEOUT", "1s").start();
    let dripping = server.newcomer(1).drip(RegisterBets(losing_bets(1, 100)));
    dripping.join().unwrap().unwrap_err();
    server.wait_for_line("reason: unfinished message");
    let mut stranger = server.connect();
    let question = Status.encode();
    while stranger.pester(&question).is_ok() {}
    server.wait_for_line("reason: not identified");
}

#[test]
fn an_agency_that_waits_longer_than_the_draw_timeout_is_told_and_may_come_back() {
    let server = Server::lottery(3).set("DRAW_TIMEOUT", "200ms").start();
    let bets = [Bet::winning(1, 101)];
    server.parked(1, &bets).expect_refusal(DRAW_TIMEOUT);
    server.wait_for_line(
        "action: espera_sorteo | result: fail | agencia: 1 | faltan: 2 | agencias_que_faltan: 2,3",
    );
    for agency in [2, 3] {
        server.newcomer(agency).say(AllBetsSent);
        server.wait_for_finish(agency);
    }
    let mut back = server.connect();
    back.say(Message::Hello(1));
    // The draw is held, or will be.
    back.take(Message::welcome(&bets, 1).encode().len());
    back.say(RequestWinners);
    back.expect(InformWinners(vec![101]));
}

#[test]
fn a_message_may_be_as_large_as_max_frame_and_no_larger() {
    let server = Server::lottery(1).set("MAX_FRAME", "1MiB").start();
    let mut agency = server.connect();
    agency.store(&losing_bets(1, 24_000));
    // The count alone says that it is too large.
    agency.send(&RegisterBets(losing_bets(1, 29_200)).encode()[..6]);
    agency.expect_refusal(MALFORMED);
}

#[test]
fn strangers_make_room_for_agencies_and_connections_beyond_these_wait_until_one_is_closed() {
    let server = Server::lottery(3).with_http().set("MAX_CONNECTIONS", 2);
    let server = server.start();
    let full = "max_connections | result: in_progress | conexiones: 2";
    server.wait_for_line(&format!(
        "WARN  [server::log_lines] action: {full} | agencias: 3"
    ));
    let strangers = [server.connect(), server.connect()];
    server.wait_for_lines("action: accept_connections", 2);
    let mut connected = [1, 2].map(|agency| server.newcomer(agency));
    for mut stranger in strangers {
        stranger.expect_closed();
    }
    let mut waiting = server.connect();
    waiting.say(Message::Hello(3));
    // Turns enough to accept it.
    for _ in 0..10 {
        for (peer, agency) in connected.iter_mut().zip([1, 2]) {
            peer.hello(agency, &[], 0);
        }
    }
    waiting.expect_nothing_yet();
    assert!(
        server.get("/healthz").ends_with("\r\n\r\nok\n"),
        "viewers have room"
    );
    server.wait_for_lines("action: accept_connections", 4);
    let log = server.log();
    assert_eq!(log.count("action: accept_connections"), 4);
    assert_eq!(log.count(full), 2, "at the start and once again: {log:#?}");
    drop(connected);
    waiting.expect(Message::welcome(&[], 0));
}

#[test]
fn an_agency_may_place_as_many_bets_as_its_quota() {
    let server = Server::lottery(2).set("MAX_BETS_PER_AGENCY", 3).start();
    let (mut agency, mut other) = (server.newcomer(1), server.newcomer(2));
    agency.store(&losing_bets(1, 2));
    agency.say(RegisterBets(losing_bets(1, 2)));
    agency.expect_refusal(BETTING_CLOSED);
    server.wait_for_line("code: 5 | error: agency 1 may place 3 bets and no more");
    other.store(&losing_bets(2, 3));
}

#[test]
fn a_server_out_of_descriptors_serves_its_connections_and_accepts_again_later() {
    let mut server = Server::lottery(1).start();
    let pid = server.id().to_string();
    let may_open = |descriptors: &str| {
        let limit = format!("--nofile={descriptors}:");
        let mut prlimit = Command::new("prlimit");
        let status = prlimit.args(["--pid", &pid, &limit]).status();
        assert!(status.unwrap().success());
    };
    let mut served = server.newcomer(1);
    may_open("24");
    let crowd: Vec<Peer> = (0..40).map(|_| server.connect()).collect();
    server.wait_for_line("action: accept_connections | result: in_progress");
    let bets = losing_bets(1, 3);
    served.store(&bets);
    may_open("1000");
    drop(crowd);
    server.connect().hello(1, &bets, 0);
    server.terminate().expect_success();
}
