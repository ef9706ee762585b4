//! Agencies that come back, and a server that does: Hello and Welcome, takeover, restarts.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::fs;

use lottery_e2e::wire::{
    self, ALL_BETS_SENT, HandBet, REQUEST_WINNERS, WINNING_NUMBER, losing_bets,
};
use lottery_e2e::{Answer, ServerSetup, log};

#[test]
fn welcome_says_how_many_bets_are_stored_and_their_crc() {
    let server = ServerSetup::lottery(2).start();
    let mut agency = server.connect();
    assert_eq!(
        agency.hello(1),
        Answer::Welcome {
            bets: 0,
            crc: 0,
            state: 0
        }
    );
    let mut bets = losing_bets(1, 3);
    bets.push(HandBet::new(1, 104, 1).named("María José", "Núñez, \"Ñata\""));
    let mut stored = Vec::new();
    for bet in bets {
        // Bets of another agency in between change nothing.
        server.connect().store(&losing_bets(2, 1));
        agency.store(std::slice::from_ref(&bet));
        stored.push(bet);
        assert_eq!(server.connect().hello(1), Answer::welcome(&stored, 0));
        agency = server.connect();
    }
}

#[test]
fn welcome_says_whether_the_agency_has_closed_and_whether_the_draw_was_held() {
    let server = ServerSetup::lottery(2).start();
    let mut one = server.connect();
    let mut two = server.connect();
    assert_eq!(one.hello(1), Answer::welcome(&[], 0));
    one.send(&ALL_BETS_SENT);
    assert_eq!(one.hello(1), Answer::welcome(&[], 1));
    assert_eq!(two.hello(2), Answer::welcome(&[], 0));
    two.finish();
    two.expect(Answer::Winners(vec![]));
    assert_eq!(one.hello(1), Answer::welcome(&[], 2));
    assert_eq!(two.hello(2), Answer::welcome(&[], 2));
}

#[test]
fn a_new_hello_takes_over_and_closes_the_old_connection() {
    let server = ServerSetup::lottery(1).start();
    let bets = losing_bets(1, 2);
    let mut old = server.newcomer(1);
    old.store(&bets);
    let mut new = server.connect();
    assert_eq!(new.hello(1), Answer::welcome(&bets, 0));
    old.expect_closed();
    new.finish();
    new.expect(Answer::Winners(vec![]));
    server.wait_for_line("action: takeover | result: success | agencia: 1");
}

#[test]
fn a_parked_agency_that_comes_back_is_informed_on_its_new_connection() {
    let server = ServerSetup::lottery(2).start();
    let mut old = server.parked(1, &[HandBet::new(1, 101, WINNING_NUMBER)]);
    let mut new = server.connect();
    assert!(matches!(
        new.hello(1),
        Answer::Welcome {
            bets: 1,
            state: 1,
            ..
        }
    ));
    old.expect_closed();
    new.send(&REQUEST_WINNERS);
    server.parked(2, &[]).expect(Answer::Winners(vec![]));
    new.expect(Answer::Winners(vec![101]));
}

#[test]
fn a_killed_server_goes_on_where_it_was_while_agencies_bet() {
    let setup = ServerSetup::lottery(2);
    let bets = losing_bets(1, 30);
    let server = setup.start();
    server.connect().store(&bets[..10]);
    server.kill();
    let server = setup.start();
    let mut agency = server.connect();
    assert_eq!(agency.hello(1), Answer::welcome(&bets[..10], 0));
    agency.store(&bets[10..20]);
    server.kill();
    let server = setup.start();
    let line = server.wait_for_line("action: open_storage | result: success");
    assert_eq!(log::value(&line, "apuestas"), "20");
    assert_eq!(log::value(&line, "agencias_listas"), "0");
    let mut agency = server.connect();
    assert_eq!(agency.hello(1), Answer::welcome(&bets[..20], 0));
    agency.store(&bets[20..]);
    assert_eq!(setup.bets_file(), wire::rows(&bets));
}

#[test]
fn a_killed_server_still_knows_who_had_closed() {
    let setup = ServerSetup::lottery(2);
    let bets = [HandBet::new(1, 101, WINNING_NUMBER)];
    let server = setup.start();
    let mut agency = server.connect();
    agency.store(&bets);
    agency.send(&ALL_BETS_SENT);
    assert_eq!(agency.hello(1), Answer::welcome(&bets, 1));
    server.kill();
    let server = setup.start();
    let line = server.wait_for_line("action: open_storage | result: success");
    assert_eq!(log::value(&line, "agencias_listas"), "1");
    let mut agency = server.connect();
    assert_eq!(agency.hello(1), Answer::welcome(&bets, 1));
    agency.send(&REQUEST_WINNERS);
    server.parked(2, &[]).expect(Answer::Winners(vec![]));
    agency.expect(Answer::Winners(vec![101]));
    let line = server.wait_for_line("agencia_lista");
    assert_eq!(log::value(&line, "faltan"), "0");
}

#[test]
fn a_restarted_server_tells_the_winners_of_a_draw_that_was_held_before() {
    let setup = ServerSetup::lottery(1);
    let server = setup.start();
    let mut agency = server.connect();
    agency.store(&[HandBet::new(1, 101, WINNING_NUMBER)]);
    agency.finish();
    agency.expect(Answer::Winners(vec![101]));
    assert_eq!(server.terminate().code, Some(0));
    let server = setup.start();
    let mut agency = server.connect();
    assert!(matches!(agency.hello(1), Answer::Welcome { bets: 1, .. }));
    agency.send(&REQUEST_WINNERS);
    agency.expect(Answer::Winners(vec![101]));
    assert!(matches!(agency.hello(1), Answer::Welcome { state: 2, .. }));
    let mut late = server.connect();
    late.send(&wire::register_bets(&losing_bets(1, 1)));
    late.expect_refusal(5);
    // It was announced by the server that held it.
    assert_eq!(log::count(&server.terminate().log, "action: sorteo"), 0);
}

/// A store with bets of one agency, closed, that no server has open.
fn store_with(bets: &[HandBet]) -> ServerSetup {
    let setup = ServerSetup::lottery(2);
    let server = setup.start();
    let mut agency = server.connect();
    agency.store(bets);
    agency.send(&ALL_BETS_SENT);
    assert_eq!(agency.hello(1), Answer::welcome(bets, 1));
    assert_eq!(server.terminate().code, Some(0));
    setup
}

#[test]
fn a_torn_last_record_is_cut_with_a_warning_that_says_how_many_bytes() {
    let bets = losing_bets(1, 2);
    let setup = store_with(&bets);
    let closings = setup.closings_file();
    let torn_bet = "2,Juan,Pérez,1234";
    let torn_closing = "2,1";
    fs::write(
        setup.storage().join("bets.csv"),
        wire::rows(&bets) + torn_bet,
    )
    .unwrap();
    fs::write(
        setup.storage().join("closings.csv"),
        closings.clone() + torn_closing,
    )
    .unwrap();
    let server = setup.start();
    for (file, torn) in [("bets.csv", torn_bet), ("closings.csv", torn_closing)] {
        let line = server.wait_for_line(&format!("archivo: {file}"));
        assert!(line.contains(" WARN"), "{line}");
        assert_eq!(log::value(&line, "bytes_cortados"), torn.len().to_string());
    }
    assert_eq!(server.connect().hello(1), Answer::welcome(&bets, 1));
    assert_eq!(server.connect().hello(2), Answer::welcome(&[], 0));
    assert_eq!(setup.bets_file(), wire::rows(&bets));
    assert_eq!(setup.closings_file(), closings);
}

#[test]
fn damage_is_refused_with_the_file_and_the_line() {
    let bets = losing_bets(1, 3);
    let setup = store_with(&bets);
    let rows = wire::rows(&bets);
    let closings = setup.closings_file();
    for (bets_file, closings_file, place) in [
        (
            rows.replacen("10000001", "x", 1),
            &closings,
            "bets.csv line 2",
        ),
        // What the closing covers is no longer all there.
        (bets[0].row(), &closings, "closings.csv line 1"),
        (rows, &closings.repeat(2), "closings.csv line 2"),
    ] {
        fs::write(setup.storage().join("bets.csv"), &bets_file).unwrap();
        fs::write(setup.storage().join("closings.csv"), closings_file).unwrap();
        let ended = setup.run();
        ended.expect_complaint(1, &[&format!("{place}: ")]);
        // Whoever has to mend it finds it as it was.
        assert_eq!(setup.bets_file(), bets_file);
        assert_eq!(&setup.closings_file(), closings_file);
    }
}

#[test]
fn a_folder_that_another_server_uses_is_refused_and_left_alone() {
    let setup = ServerSetup::lottery(1);
    let server = setup.start();
    let mut agency = server.connect();
    let bets = losing_bets(1, 2);
    agency.store(&bets);
    let refused = setup.run();
    refused.expect_complaint(1, &["another process has it open"]);
    assert_eq!(agency.hello(1), Answer::welcome(&bets, 0));
}
