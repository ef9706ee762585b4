//! The client at its central: batches within their bounds, a window of them without an answer, and
//! connections that fail.

use std::time::Duration;

use crate::kit::Message::*;
use crate::kit::{Central, Dataset, Ended, Message, Program, Server, losing_bets, own_address};

fn welcome() -> Message {
    Message::welcome(&[], 0)
}

#[test]
fn batches_are_as_large_as_they_may_be_and_no_message_exceeds_8192_bytes() {
    let datasets = ["A".to_owned(), "x".repeat(255)].map(|name| {
        let bets = losing_bets(1, 500).into_iter();
        Dataset::of(1, bets.map(|bet| bet.named(&name, &name)).collect())
    });
    for dataset in datasets {
        let server = Server::lottery(1).set("MAX_FRAME", "8KiB").start();
        let agency = Program::agency(&dataset, server.address);
        let ended = agency.set("CLI_BATCH_MAXAMOUNT", u32::MAX).run();
        ended.expect_success();
        let bet_bytes = 8 + dataset.bets[0].encode().len();
        let batches = dataset.bets.len().div_ceil((8192 - 2 - 4) / bet_bytes);
        assert_eq!(ended.log.count("action: apuesta_enviada"), batches);
        server.expect_stored(&[dataset]);
    }
}

#[test]
fn no_more_batches_than_the_window_are_without_an_answer() {
    for window in [1, 2, 5] {
        let central = Central::listen();
        let agency = Program::agency(&Dataset::losing(1, 8), central.address)
            .set("CLI_BATCH_MAXAMOUNT", 1)
            .set("CLI_BATCH_WINDOW", window)
            .start();
        let mut peer = central.greet(welcome());
        let bets = losing_bets(1, 8);
        let mut batches = bets.chunks(1);
        for batch in batches.by_ref().take(window) {
            peer.expect_bets(batch);
        }
        for (answered, batch) in (1..).zip(batches) {
            peer.expect_nothing_yet();
            peer.say(RegisterBetOk);
            // The log says that the answer was read and acted on.
            agency.wait_for_lines("action: apuesta_enviada | result: success", answered);
            peer.expect_bets(batch);
        }
        // Having nothing more to send, it says so without waiting for the last answers.
        peer.expect_finish();
        for _ in 0..window {
            peer.say(RegisterBetOk);
        }
        peer.say(InformWinners(vec![7]));
        assert_eq!(agency.wait_for_end().winners(), [7]);
    }
}

/// Expects that an agency gave up its central: it says so once, and before that only that it tries.
fn expect_given_up(ended: &Ended, action: &str, has_tried_again: bool) {
    ended.expect_complaint(1, "no server answers at ");
    let tries = ended.log.count("action: connect | result: in_progress");
    assert_eq!(tries > 0, has_tried_again, "{ended:#?}");
    assert_eq!(ended.log.count("result: fail"), 1, "{ended:#?}");
    let failed = format!("action: {action} | result: fail | client_id: 1 | error: ");
    assert!(ended.log.last().unwrap().contains(&failed), "{ended:#?}");
}

#[test]
fn a_central_that_is_not_there_is_given_up_when_the_time_to_retry_is_over() {
    for (mode, timeout_ms, action) in [
        ("lottery", 0, "connect"),
        ("lottery", 1_000, "connect"),
        ("echo", 1_000, "receive_message"),
    ] {
        let agency = Program::agency(&Dataset::losing(1, 3), own_address())
            .set("CLI_MODE", mode)
            .set("CLI_RETRY_TIMEOUT", format!("{timeout_ms}ms"));
        let ended = agency.run();
        expect_given_up(&ended, action, timeout_ms > 0);
        assert!(ended.took >= Duration::from_millis(timeout_ms));
    }
}

#[test]
fn a_central_that_goes_away_for_good_is_given_up() {
    let central = Central::listen();
    let agency = Program::agency(&Dataset::losing(1, 3), central.address);
    let agency = agency.set("CLI_RETRY_TIMEOUT", "1s").start();
    let peer = central.greet(welcome());
    drop((central, peer));
    expect_given_up(&agency.wait_for_end(), "connect", true);
}

#[test]
fn a_central_that_accepts_and_says_nothing_is_given_up_without_progress() {
    let central = Central::listen();
    let hasty = central.agency().set("CLI_SOCKET_TIMEOUT", "200ms");
    let ended = hasty.set("CLI_RETRY_TIMEOUT", "2s").run();
    ended.expect_complaint(1, "did not answer within 200ms");
    assert!(ended.took >= Duration::from_secs(2), "{:?}", ended.took);
    let tries = ended.log.count("action: connect | result: in_progress");
    assert!((2..=10).contains(&tries), "{ended:#?}");
}

#[test]
fn an_answer_has_to_be_there_as_a_whole_in_time_however_it_drips() {
    let bets = losing_bets(1, 200);
    let finished = Message::welcome(&bets, 1);
    for drips_welcome in [true, false] {
        let central = Central::listen();
        let agency = Program::agency(&Dataset::of(1, bets.clone()), central.address)
            .set("CLI_SOCKET_TIMEOUT", "1s")
            .set("CLI_RETRY_TIMEOUT", 0)
            .start();
        let drip = if drips_welcome {
            central.accept().drip(finished.clone())
        } else {
            let mut peer = central.greet(finished.clone());
            peer.expect(RequestWinners);
            peer.drip(InformWinners(vec![7; 200]))
        };
        let ended = agency.wait_for_end();
        ended.expect_complaint(1, "did not answer within 1s");
        drip.join().unwrap().unwrap_err();
    }
}

#[test]
fn two_programs_of_one_agency_are_told_of_each_other_and_this_one_ends() {
    const ANOTHER: &str = "another program runs as agency 1";
    let all = losing_bets(1, 6);
    // More bets are stored than this program sent.
    let central = Central::listen();
    let agency = central.agency().set("CLI_BATCH_WINDOW", 1).start();
    let mut peer = central.greet(welcome());
    peer.expect_bets(&all[..2]);
    drop(peer);
    let mut peer = central.greet(Message::welcome(&all[..4], 0));
    peer.expect_closed();
    agency.wait_for_end().expect_complaint(1, ANOTHER);
    // Connections are closed without a word: three times it is suspected, then certain.
    let agency = central.agency().start();
    for _ in 0..4 {
        let mut peer = central.greet(Message::welcome(&all, 1));
        peer.expect(RequestWinners);
        peer.half_close();
    }
    let ended = agency.wait_for_end();
    ended.expect_complaint(1, ANOTHER);
    let suspected = format!("error: the central closed the connection; it stopped, or {ANOTHER}");
    assert_eq!(ended.log.count(&suspected), 3, "{ended:#?}");
    assert_eq!(ended.log.count("result: fail"), 1, "{ended:#?}");
}

/// Serves that agency as a good central does that has these of its bets stored.
fn serve_well(central: &Central, stored: usize) {
    let bets = losing_bets(1, 6);
    let mut peer = central.accept();
    peer.expect(Message::Hello(1));
    peer.say(Message::welcome(&bets[..stored], 0));
    for batch in bets[stored..].chunks(2) {
        peer.expect_bets(batch);
        peer.say(RegisterBetOk);
    }
    peer.expect_finish();
    peer.say(InformWinners(vec![7, 8, 7]));
    peer.expect_closed();
}

#[test]
fn after_a_connection_that_failed_at_any_stage_nothing_is_sent_twice() {
    const SILENCE: &str = "did not answer within 1s";
    let refused = RegisterBetFailed(7).encode();
    // How many of the three batches are answered (or not even the Hello), what comes then, whether
    // the connection ends then, how many bets the next Welcome counts, and what the log says.
    let stages = [
        (None, &[][..], true, 0, "error: "),
        (None, &[], false, 0, SILENCE),
        // What was not answered may be stored or not.
        (Some(1), &[], true, 2, "error: "),
        (Some(1), &[], true, 4, "error: "),
        (Some(1), &[], true, 6, "error: "),
        (Some(3), &[], true, 6, "error: "),
        (Some(1), &[0], true, 2, "error: "),
        (Some(1), &[], false, 2, SILENCE),
        (Some(1), &[0, 3, 0], false, 2, SILENCE),
        (Some(1), &refused, false, 2, "code 7: could not be stored"),
    ];
    let central = Central::listen();
    for (answered, bytes, ends, stored, reason) in stages {
        let agency = central.agency().set("CLI_SOCKET_TIMEOUT", "1s");
        let agency = agency.start();
        let mut failing = central.meet(answered);
        failing.send(bytes);
        if ends {
            failing.half_close();
        }
        // It closes this connection before it makes the next.
        failing.rest();
        serve_well(&central, stored);
        let ended = agency.wait_for_end();
        ended.expect_success();
        assert_eq!(ended.winners(), [7, 8, 7]);
        let retry = &ended.log[ended.log.position("action: connect | result: in_progress")];
        assert!(retry.contains(reason), "{retry}");
        let resumed = ended.log.count("action: reanudar | result: success");
        assert_eq!(resumed, usize::from(stored > 0));
    }
}

#[test]
fn the_wait_for_the_draw_may_be_longer_than_the_socket_timeout() {
    let central = Central::listen();
    let hasty = central.agency().set("CLI_SOCKET_TIMEOUT", "1s");
    let agency = hasty.start();
    // It had finished before, so it only asks.
    let mut peer = central.greet(Message::welcome(&losing_bets(1, 6), 1));
    peer.expect(RequestWinners);
    // Another begins to wait later and loses patience, because it does not wait for the draw.
    let other = hasty.start();
    let mut silent = central.accept();
    other.wait_for_line("did not answer within 1s");
    silent.expect(Message::Hello(1));
    silent.expect_closed();
    peer.expect_nothing_yet();
    peer.say(InformWinners(vec![7]));
    let ended = agency.wait_for_end();
    assert_eq!(ended.winners(), [7]);
    assert_eq!(ended.log.count("in_progress"), 0);
}

#[test]
fn a_central_that_does_not_read_is_given_up_after_the_socket_timeout() {
    let central = Central::listen();
    // More than the system keeps for a peer that does not read.
    let agency = Program::agency(&Dataset::losing(1, 150_000), central.address)
        .set("CLI_BATCH_WINDOW", 4096)
        .set("CLI_SOCKET_TIMEOUT", "1s")
        .set("CLI_RETRY_TIMEOUT", 0)
        .start();
    let _peer = central.greet(welcome());
    let ended = agency.wait_for_end();
    ended.expect_complaint(1, "did not answer within 1s");
    assert_eq!(ended.log.count("result: fail"), 1);
}
