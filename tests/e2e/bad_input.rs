//! Bytes that are no proper request.

use crate::kit::Message::*;
use crate::kit::{Bet, Message, Server, losing_bets, rows};

const UNKNOWN_MESSAGE: u16 = 1;
const INVALID_BET: u16 = 2;
const MALFORMED: u16 = 3;
const WRONG_AGENCY: u16 = 4;
const BETTING_CLOSED: u16 = 5;
const NO_SUCH_AGENCY: u16 = 6;
const OUT_OF_TURN: u16 = 9;

fn batch(bets: &[Bet]) -> Vec<u8> {
    RegisterBets(bets.to_vec()).encode()
}

/// A good bet, one that `change` makes bad, and another good one.
fn spoilt(change: fn(&mut Bet)) -> Vec<u8> {
    let mut bets = losing_bets(1, 3);
    change(&mut bets[1]);
    batch(&bets)
}

/// The first bytes of RegisterBets of one bet, with another number at `position`.
fn cut(position: usize, number: u32, bytes: usize) -> Vec<u8> {
    let mut message = batch(&losing_bets(1, 1));
    message[position..position + 4].copy_from_slice(&number.to_be_bytes());
    message.truncate(bytes);
    message
}

fn behind_hello(bytes: &[u8]) -> Vec<u8> {
    [&Message::hello(1).encode(), bytes].concat()
}

/// What is sent, what is answered before the refusal, and its code.
fn refused() -> Vec<(Vec<u8>, Option<Message>, u16)> {
    let welcome = || Some(Message::welcome(&[], 0));
    let after_the_end = behind_hello(&[AllBetsSent.encode(), batch(&losing_bets(1, 1))].concat());
    let hello = |version, agency| Hello { version, agency }.encode();
    let of_agency = |agency| batch(&losing_bets(agency, 1));
    vec![
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), None, UNKNOWN_MESSAGE),
        (hello(2, 1), None, UNKNOWN_MESSAGE),
        // The count, the bet's length and the first name's. What claims gigabytes is not waited for.
        (cut(2, u32::MAX, 6), None, MALFORMED),
        (cut(10, u32::MAX, 14), None, MALFORMED),
        (cut(18, 4, usize::MAX), None, MALFORMED),
        (spoilt(|bet| bet.birthdate = i64::MAX), None, INVALID_BET),
        (spoilt(|bet| bet.number = 10_000), None, INVALID_BET),
        (behind_hello(&of_agency(2)), welcome(), WRONG_AGENCY),
        (hello(1, 0), None, NO_SUCH_AGENCY),
        (RequestWinners.encode(), None, OUT_OF_TURN),
        (after_the_end, welcome(), BETTING_CLOSED),
    ]
}

#[test]
fn each_kind_is_refused_with_its_code_and_a_bystander_is_served_all_along() {
    let mut server = Server::lottery(3).start();
    let mut bystander = server.connect();
    let mut bets = Vec::new();
    for (document, (bytes, answer, code)) in (1..).zip(refused()) {
        let mut peer = server.connect();
        peer.send(&bytes);
        bets.push(Bet::losing(2, document));
        bystander.store(&bets[bets.len() - 1..]);
        answer.into_iter().for_each(|answer| peer.expect(answer));
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
    let refused = behind_hello(&spoilt(|bet| bet.number = 10_000));
    let behind = batch(&losing_bets(2, 100)).repeat(200);
    for _ in 0..5 {
        let mut peer = server.connect();
        // The server stops reading at some point.
        let sender = peer.send_in_background([&refused[..], &behind].concat());
        peer.expect(Message::welcome(&[], 0));
        peer.expect_refusal(INVALID_BET);
        let _ = sender.join().unwrap();
    }
}
