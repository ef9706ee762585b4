//! Bytes that are no proper request.

use crate::kit::Message::*;
use crate::kit::{Bet, Message, Server, losing_bets, rows};

const UNKNOWN_MESSAGE: u16 = 1;
const INVALID_BET: u16 = 2;
const MALFORMED: u16 = 3;

/// A batch of three, of which the second is no bet.
fn spoilt() -> Message {
    let mut bets = losing_bets(1, 3);
    bets[1].number = 10_000;
    RegisterBets(bets)
}

#[test]
fn bytes_that_are_no_request_are_refused_and_a_bystander_is_served_all_along() {
    let mut server = Server::lottery(3).start();
    let mut bystander = server.connect();
    let mut bets = Vec::new();
    // What claims gigabytes is not waited for.
    let claim = [0, 1, 0xff, 0xff, 0xff, 0xff].to_vec();
    for (bytes, code) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), UNKNOWN_MESSAGE),
        (claim, MALFORMED),
        (spoilt().encode(), INVALID_BET),
    ] {
        let mut peer = server.connect();
        peer.send(&bytes);
        bets.push(Bet::losing(2, 1 + bets.len() as u32));
        bystander.store(&bets[bets.len() - 1..]);
        peer.expect_refusal(code);
    }
    let log = server.terminate().log;
    assert_eq!(server.bets(), rows(&bets));
    let unknown = "code: 1 | error: message type 18245 is unknown";
    assert_eq!(log.count(unknown), 1);
    let invalid = "action: apuesta_recibida | result: fail | cantidad: 3 | agencia: desconocida | \
        code: 2 | error: bet 2: number \"10000\" is not valid, expected";
    assert_eq!(log.count(invalid), 1, "{log:#?}");
}

#[test]
fn a_refusal_reaches_a_peer_that_sent_much_behind_the_refused_message() {
    let server = Server::lottery(2).start();
    let refused = Message::encode_all(&[Message::Hello(1), spoilt()]);
    let behind = RegisterBets(losing_bets(2, 100)).encode().repeat(200);
    for _ in 0..5 {
        let mut peer = server.connect();
        // The server stops reading at some point.
        let sender = peer.send_in_background([&refused[..], &behind].concat());
        peer.expect(Message::welcome(&[], 0));
        peer.expect_refusal(INVALID_BET);
        let _ = sender.join().unwrap();
    }
}
