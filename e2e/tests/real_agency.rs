//! The project's own agency beside agencies written by hand, at the project's own central.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use lottery_e2e::wire::{self, HandBet, WINNING_NUMBER, losing_bets};
use lottery_e2e::{Answer, ClientSetup, ServerSetup, log};

/// The agency's file is the store's without the first column.
fn data(bets: &[HandBet]) -> String {
    let rows = wire::rows(bets);
    rows.split_inclusive("\r\n")
        .map(|row| row.split_once(',').unwrap().1)
        .collect()
}

#[test]
fn a_real_agency_stores_the_bytes_that_one_written_by_hand_would_send() {
    let server = ServerSetup::lottery(2).start();
    let mut bets = losing_bets(1, 1_000);
    bets.push(HandBet::new(1, 101, WINNING_NUMBER).named("María José", "Núñez"));
    let client = ClientSetup::agency(1, server.address())
        .data(data(&bets))
        .flag("batch-max-amount", "7")
        .start();
    server.wait_for_line("agencia_lista | result: success | agencia: 1");
    let mut last = server.connect();
    assert_eq!(last.hello(2), Answer::welcome(&[], 0));
    last.finish();
    last.expect(Answer::Winners(vec![]));
    let ended = client.wait_for_end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let line = &ended.log[log::position(&ended.log, "action: consulta_ganadores")];
    assert_eq!(log::value(line, "cant_ganadores"), "1");
    let line = &ended.log[log::position(&ended.log, "action: ganadores")];
    assert_eq!(log::value(line, "dnis"), "101");
    assert_eq!(server.setup().bets_file(), wire::rows(&bets));
    assert!(
        matches!(server.connect().hello(1), Answer::Welcome { crc, .. } if crc == wire::crc(&bets))
    );
}

#[test]
fn a_real_agency_ends_by_signal_while_it_waits_for_the_draw() {
    let server = ServerSetup::lottery(2).start();
    let client = ClientSetup::agency(1, server.address())
        .data(data(&losing_bets(1, 10)))
        .start();
    server.wait_for_line("agencia_lista | result: success | agencia: 1");
    let ended = client.terminate();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let received = log::position(
        &ended.log,
        "action: signal_received | result: success | signal: SIGTERM",
    );
    let shut_down = log::position(&ended.log, "action: shutdown | result: success");
    assert!(received < shut_down);
    assert_eq!(shut_down, ended.log.len() - 1);
}
