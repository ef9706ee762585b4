//! SIGTERM and SIGINT, whatever the client is at: it ends in good order, and soon.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::net::SocketAddr;

use lottery_e2e::wire::losing_bets;
use lottery_e2e::{
    Answer, Asked, ClientProcess, ClientSetup, Dataset, ENDING_SIGNALS, HandCentral, nowhere,
};

/// Brings a fresh client to a stage with each of the signals in turn, and checks how it ends.
///
/// `stage` waits until the client is there and gives what to keep until it has ended. A connection
/// that it has there, and no other, has its line when it is closed.
fn end_at<K>(
    server: SocketAddr,
    set_up: impl Fn(ClientSetup) -> ClientSetup,
    line: Line,
    stage: impl Fn(&ClientProcess) -> K,
) {
    let dataset = Dataset::of(1, &losing_bets(1, 4));
    let setup = set_up(ClientSetup::with(&dataset, server));
    for (name, signal) in ENDING_SIGNALS {
        let client = setup.start();
        let kept = stage(&client);
        let ended = client.end_by(signal);
        let closed = ended.expect_good_order(name);
        let closing = "action: close_connection | result: success | client_id: 1";
        let is_closed = closed.contains(&closing);
        assert_eq!(is_closed, line == Line::Up, "{closed:?}");
        assert_eq!(ended.complaints, [""; 0]);
        drop(kept);
    }
}

/// Whether a client has a connection at the stage.
#[derive(Clone, Copy, PartialEq)]
enum Line {
    Up,
    Down,
}

fn as_it_is(setup: ClientSetup) -> ClientSetup {
    setup
}

fn echo(setup: ClientSetup) -> ClientSetup {
    setup.flag("mode", "echo").flag("loop-period", "1h")
}

#[test]
fn a_client_that_has_just_begun_ends_in_good_order() {
    let central = HandCentral::overrun();
    for mode in [as_it_is, echo] {
        end_at(central.address(), mode, Line::Down, |client| {
            client.wait_for_line("action: config")
        });
    }
}

#[test]
fn a_client_that_connects_to_a_server_that_does_not_answer_ends_in_good_order() {
    let central = HandCentral::overrun();
    for mode in [as_it_is, echo] {
        end_at(central.address(), mode, Line::Down, |_| {
            central.wait_for_attempt()
        });
    }
}

#[test]
fn a_client_that_pauses_before_it_connects_again_ends_in_good_order() {
    for mode in [as_it_is, echo] {
        end_at(nowhere(), mode, Line::Down, |client| {
            // By the third time the pauses are long enough to be met.
            client.wait_for_lines("action: connect | result: in_progress", 3);
        });
    }
}

#[test]
fn a_client_that_waits_for_an_answer_ends_in_good_order() {
    let central = HandCentral::listen();
    end_at(central.address(), as_it_is, Line::Up, |_| {
        let mut line = central.accept();
        line.expect(Asked::Hello { agency: 1 });
        line
    });
    end_at(central.address(), as_it_is, Line::Up, |_| {
        let mut line = central.greet(&Answer::welcome(&[], 0));
        line.expect_bets();
        line
    });
    end_at(central.address(), as_it_is, Line::Up, |_| {
        let mut line = central.greet(&Answer::welcome(&[], 0));
        line.expect_bets();
        // Half an answer.
        line.send(&[0]);
        line
    });
    end_at(central.address(), echo, Line::Up, |_| {
        let mut line = central.accept();
        assert_eq!(line.take(), *b"[CLIENT 1] Message N");
        line
    });
}

#[test]
fn a_client_whose_server_does_not_read_ends_in_good_order() {
    let central = HandCentral::listen();
    // More than the system keeps for a peer that does not read.
    let bets = Dataset::of(1, &losing_bets(1, 150_000));
    let set_up = |setup: ClientSetup| setup.data(bets.file()).flag("batch-window", "4096");
    end_at(central.address(), set_up, Line::Up, |_| {
        let mut line = central.greet(&Answer::welcome(&[], 0));
        line.expect_bets();
        line
    });
}

#[test]
fn a_client_that_waits_for_the_draw_ends_in_good_order() {
    let central = HandCentral::listen();
    end_at(central.address(), as_it_is, Line::Up, |_| {
        let mut line = central.greet(&Answer::welcome(&[], 0));
        line.expect_bets();
        line.expect(Asked::AllBetsSent);
        line.expect(Asked::RequestWinners);
        line.answer(&Answer::Stored);
        line
    });
}

#[test]
fn an_echo_client_that_pauses_between_messages_ends_in_good_order() {
    let central = HandCentral::listen();
    end_at(central.address(), echo, Line::Down, |client| {
        let mut line = central.accept();
        line.send(b"[CLIENT 1] Message N\xc2\xb01\n");
        client.wait_for_line("action: receive_message | result: success");
        line
    });
}
