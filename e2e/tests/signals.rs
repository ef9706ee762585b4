//! SIGTERM and SIGINT, whatever the server is at: it ends in good order, soon, and loses nothing.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use lottery_e2e::wire::{self, HandBet, WINNING_NUMBER, losing_bets};
use lottery_e2e::{Answer, ENDING_SIGNALS, Ended, ServerProcess, ServerSetup, log};

/// Brings a fresh server to a stage with each of the signals in turn, and checks how it ends.
///
/// `stage` gives the connections to keep, and the bets that must be stored.
fn end_at<C>(agencies: u32, stage: impl Fn(&ServerProcess) -> (C, Vec<HandBet>)) {
    for (name, signal) in ENDING_SIGNALS {
        let setup = ServerSetup::lottery(agencies);
        let server = setup.start();
        let (connections, bets) = stage(&server);
        let ended = server.end_by(signal);
        expect_good_order(&ended, name);
        assert_eq!(setup.bets_file(), wire::rows(&bets));
        drop(connections);
        // What was stored is as good as it looks.
        let server = setup.start();
        let line = server.wait_for_line("action: open_storage | result: success");
        assert_eq!(log::value(&line, "apuestas"), bets.len().to_string());
        assert_eq!(log::count(&server.log(), "recuperacion"), 0);
    }
}

fn expect_good_order(ended: &Ended, signal: &str) {
    let closed = ended.expect_good_order(signal);
    assert_eq!(closed[0], "action: close_listener | result: success");
}

#[test]
fn a_server_that_nobody_has_connected_to_ends_in_good_order() {
    end_at(5, |_| ((), Vec::new()));
}

#[test]
fn a_server_with_silent_connections_ends_and_closes_them() {
    end_at(5, |server| {
        let mut connections: Vec<_> = (0..10).map(|_| server.connect()).collect();
        for (number, connection) in (1..=5).zip(&mut connections) {
            assert_eq!(connection.hello(number), Answer::welcome(&[], 0));
        }
        (connections, Vec::new())
    });
}

#[test]
fn every_connection_that_is_closed_has_its_line() {
    let server = ServerSetup::lottery(3)
        .setting("LOGGING_LEVEL", "INFO")
        .start();
    let mut connections: Vec<_> = (0..3).map(|_| server.connect()).collect();
    for (number, connection) in (1..).zip(&mut connections) {
        assert_eq!(connection.hello(number), Answer::welcome(&[], 0));
    }
    let ended = server.terminate();
    expect_good_order(&ended, "SIGTERM");
    assert_eq!(
        log::count(
            &ended.log,
            "close_connection | result: success | ip: 127.0.0.1"
        ),
        3
    );
    assert_eq!(log::count(&ended.log, "close_storage | result: success"), 1);
    for mut connection in connections {
        connection.expect_closed();
    }
}

#[test]
fn a_server_in_the_middle_of_a_batch_keeps_the_batches_before_it() {
    end_at(1, |server| {
        let bets = losing_bets(1, 50);
        let mut agency = server.connect();
        agency.store(&bets);
        // The answer to Hello says that the piece behind it was read too.
        let half = &wire::register_bets(&bets)[..100];
        agency.send(&[&wire::hello(1, 1), half].concat());
        agency.expect(Answer::welcome(&bets, 0));
        (agency, bets)
    });
}

#[test]
fn a_server_with_parked_agencies_ends_in_good_order() {
    end_at(3, |server| {
        let bets = [
            HandBet::new(1, 101, WINNING_NUMBER),
            HandBet::new(2, 201, 1),
        ];
        let connections = bets
            .clone()
            .map(|bet| server.parked(bet.agency, std::slice::from_ref(&bet)));
        (connections, bets.to_vec())
    });
}

#[test]
fn a_server_that_has_held_the_draw_ends_in_good_order() {
    end_at(1, |server| {
        let bets = vec![HandBet::new(1, 101, WINNING_NUMBER)];
        let mut agency = server.connect();
        agency.store(&bets);
        agency.finish();
        agency.expect(Answer::Winners(vec![101]));
        (agency, bets)
    });
}

#[test]
fn a_server_under_load_has_stored_every_batch_that_it_answered() {
    for _ in 0..3 {
        let setup = ServerSetup::lottery(1).setting("LOGGING_LEVEL", "INFO");
        let server = setup.start();
        let bets = losing_bets(1, 20_000);
        let mut agency = server.connect();
        let mut stream = agency.stream().try_clone().unwrap();
        let messages: Vec<u8> = bets.chunks(10).flat_map(wire::register_bets).collect();
        let sender = std::thread::spawn(move || {
            use std::io::Write;
            // The server ends before all of it is sent.
            let _ = stream.write_all(&messages);
        });
        agency.expect(Answer::Stored);
        let ended = server.terminate();
        expect_good_order(&ended, "SIGTERM");
        sender.join().unwrap();
        let mut answered = 1;
        while matches!(agency.try_answer(), Some(Answer::Stored)) {
            answered += 1;
        }
        let file = setup.bets_file();
        assert!(wire::rows(&bets).starts_with(&file));
        let stored = file.lines().count();
        assert_eq!(stored % 10, 0, "batches are stored whole");
        assert!(
            stored >= answered * 10,
            "{stored} stored, {answered} batches answered"
        );
    }
}

#[test]
fn an_echo_server_ends_in_good_order() {
    for (name, signal) in ENDING_SIGNALS {
        let server = ServerSetup::echo().start();
        let mut half = server.connect();
        half.send(b"half a mess");
        server.wait_for_line("action: accept_connections");
        expect_good_order(&server.end_by(signal), name);
    }
}

#[test]
fn a_server_that_is_still_starting_ends_in_good_order() {
    let setup = ServerSetup::lottery(1);
    // So many bets that reading them all would take seconds.
    let rows = wire::rows(&losing_bets(1, 100_000)).repeat(20);
    std::fs::create_dir(setup.storage()).unwrap();
    std::fs::write(setup.storage().join("bets.csv"), &rows).unwrap();
    let ended = setup.terminate_at("action: config");
    ended.expect_good_order("SIGTERM");
    assert_eq!(
        log::count(&ended.log, "action: open_storage"),
        0,
        "it had been opened"
    );
    assert!(setup.bets_file() == rows);
}

#[test]
fn a_server_whose_agency_does_not_read_its_answers_ends_in_good_order() {
    let server = ServerSetup::lottery(1)
        .setting("LOGGING_LEVEL", "INFO")
        .start();
    let mut deaf = server.newcomer(1);
    let mut stream = deaf.stream().try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        use std::io::Write;
        // The server ends before all of it is sent.
        while stream.write_all(&wire::hello(1, 1).repeat(1_000)).is_ok() {}
    });
    let ended = server.terminate();
    expect_good_order(&ended, "SIGTERM");
    sender.join().unwrap();
}
