//! What connections may not do: send what is no request, or take more time, bytes or descriptors than the
//! settings allow.

use crate::kit::Message::*;
use crate::kit::{Bet, Message, Peer, Server, losing_bets, rows};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

#[test]
fn time_bytes_and_bets_are_bounded_by_the_settings() {
    let server = Server::lottery(3)
        .set("IDLE_TIMEOUT", "1s")
        .set("DRAW_TIMEOUT", "200ms")
        .set("MAX_FRAME", "8KiB")
        .set("MAX_BETS_PER_AGENCY", 3)
        .start();
    let bets = losing_bets(1, 2);
    let mut agency = server.newcomer(1);
    agency.store(&bets);
    agency.say(RegisterBets(losing_bets(1, 2)));
    agency.expect_refusal(5);
    server.wait_for_line("code: 5 | error: agency 1 may place 3 bets and no more");
    // The count alone says that it is too large.
    let mut large = server.connect();
    large.send(&RegisterBets(losing_bets(2, 300)).encode()[..6]);
    large.expect_refusal(3);
    server.connect().expect_closed();
    server.wait_for_line("action: idle_timeout | result: success | ip: 127.");
    let mut waiting = server.connect();
    waiting.hello(1, &bets, 0);
    waiting.finish();
    waiting.expect_refusal(8);
    let missing = "agencia: 1 | faltan: 2 | agencias_que_faltan: 2,3";
    server.wait_for_line(&format!("action: espera_sorteo | result: fail | {missing}"));
}

#[test]
fn strangers_make_room_for_agencies_and_connections_beyond_these_wait_until_one_is_closed() {
    let server = Server::lottery(3).with_http().set("MAX_CONNECTIONS", 2);
    let server = server.start();
    let full = "max_connections | result: in_progress | conexiones: 2";
    let warning = format!("WARN  [server::log_lines] action: {full} | agencias: 3");
    server.wait_for_line(&warning);
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
    let viewed = server.get("/healthz");
    assert!(viewed.ends_with("\r\n\r\nok\n"), "viewers have room");
    server.wait_for_lines("action: accept_connections", 4);
    let log = server.log();
    assert_eq!(log.count("action: accept_connections"), 4);
    assert_eq!(log.count(full), 2, "at the start and once again: {log:#?}");
    drop(connected);
    waiting.expect(Welcome(vec![], 0));
}

#[test]
fn a_server_out_of_descriptors_serves_its_connections_and_accepts_again_later() {
    let mut server = Server::lottery(1).start();
    let pid = Pid::from_raw(server.id().cast_signed());
    let may_open = |descriptors| {
        let current = Some(descriptors);
        let limit = getrlimit(Resource::Nofile);
        prlimit(pid, Resource::Nofile, Rlimit { current, ..limit }).unwrap();
    };
    let mut served = server.newcomer(1);
    may_open(24);
    let crowd: Vec<Peer> = (0..40).map(|_| server.connect()).collect();
    server.wait_for_line("action: accept_connections | result: in_progress");
    let bets = losing_bets(1, 3);
    served.store(&bets);
    may_open(1000);
    drop(crowd);
    server.connect().hello(1, &bets, 0);
    server.terminate().expect_success();
}

#[test]
fn what_is_no_request_is_refused_though_much_came_behind_it_and_a_bystander_is_served_all_along() {
    let mut server = Server::lottery(3).start();
    let mut bystander = server.connect();
    let mut stored = Vec::new();
    let mut spoilt = losing_bets(1, 3);
    spoilt[1].fields.number = 10_000;
    let behind = RegisterBets(losing_bets(2, 100)).encode().repeat(200);
    for _ in 0..5 {
        for (bytes, code) in [
            (b"GET / HTTP/1.1\r\n\r\n".to_vec(), 1),
            // What claims gigabytes is malformed, and not waited for.
            (vec![0, 1, 0xff, 0xff, 0xff, 0xff], 3),
            (RegisterBets(spoilt.clone()).encode(), 2),
        ] {
            let mut peer = server.connect();
            // The server stops reading at some point.
            let sender = peer.send_in_background([&bytes[..], &behind].concat());
            stored.push(Bet::losing(2, 1 + stored.len() as u32));
            bystander.store(&stored[stored.len() - 1..]);
            peer.expect_refusal(code);
            let _ = sender.join().unwrap();
        }
    }
    let log = server.terminate().log;
    assert_eq!(server.bets(), rows(&stored));
    let unknown = "code: 1 | error: message type 18245 is unknown";
    assert_eq!(log.count(unknown), 5);
    let invalid = "action: apuesta_recibida | result: fail | cantidad: 3 | agencia: desconocida | \
        code: 2 | error: bet 2: number \"10000\" is not valid, expected";
    assert_eq!(log.count(invalid), 5, "{log:#?}");
}
