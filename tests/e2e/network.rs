//! The client at its central: batches within their bounds, a window of them without an answer, and
//! connections that fail.

use std::time::Duration;

use crate::kit::Message::*;
use crate::kit::{Central, Dataset, Message, Program, Server, losing_bets};

#[test]
fn batches_are_as_large_as_they_may_be_and_no_message_exceeds_8192_bytes() {
    for name in ["A", &*"x".repeat(255).leak()] {
        let bets = losing_bets(1, 500).into_iter();
        let dataset = Dataset::of(1, bets.map(|bet| bet.named(name, name)).collect());
        let server = Server::lottery(1).set("MAX_FRAME", "8KiB").start();
        let agency = Program::agency(&dataset, server.address);
        let ended = agency.set("CLI_BATCH_MAXAMOUNT", u32::MAX).run();
        ended.expect_success();
        // A message has its type, the number of bets, and the bets.
        let bet_bytes = RegisterBets(dataset.bets[..1].to_vec()).encode().len() - 6;
        let batches = dataset.bets.len().div_ceil((8192 - 6) / bet_bytes);
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
        let mut peer = central.greet(&[], 0);
        let bets = losing_bets(1, 8);
        let mut batches = bets.chunks(1);
        for batch in batches.by_ref().take(window) {
            peer.expect(RegisterBets(batch.to_vec()));
        }
        for (answered, batch) in (1..).zip(batches) {
            peer.expect_nothing_yet();
            peer.say(RegisterBetOk);
            // The log says that the answer was read and acted on.
            agency.wait_for_lines("action: apuesta_enviada | result: success", answered);
            peer.expect(RegisterBets(batch.to_vec()));
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

#[test]
fn a_central_that_is_not_there_or_goes_away_is_given_up_when_the_time_to_retry_is_over() {
    for (mode, timeout_ms, is_met, action) in [
        ("lottery", 0, false, "connect"),
        ("lottery", 1_000, false, "connect"),
        ("lottery", 1_000, true, "connect"),
        ("echo", 1_000, false, "receive_message"),
    ] {
        let central = Central::listen();
        let agency = central.agency().set("CLI_MODE", mode);
        let agency = agency.set("CLI_RETRY_TIMEOUT", format!("{timeout_ms}ms"));
        let agency = if is_met {
            let agency = agency.start();
            let peer = central.greet(&[], 0);
            drop((central, peer));
            agency
        } else {
            drop(central);
            agency.start()
        };
        let ended = agency.wait_for_end();
        ended.expect_complaint(1, "no server answers at ");
        assert!(ended.took >= Duration::from_millis(timeout_ms));
        let tries = ended.log.count("action: connect | result: in_progress");
        assert_eq!(tries > 0, timeout_ms > 0, "{ended:#?}");
        assert_eq!(ended.log.count("result: fail"), 1, "{ended:#?}");
        let failed = format!("action: {action} | result: fail | client_id: 1 | error: ");
        assert!(ended.log.last().unwrap().contains(&failed), "{ended:#?}");
    }
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
fn a_central_that_drips_an_answer_or_does_not_read_is_given_up_after_the_socket_timeout() {
    // The last are more than the system keeps for a peer that does not read.
    for (bets, drips) in [(200, "welcome"), (200, "winners"), (150_000, "nothing")] {
        let bets = losing_bets(1, bets);
        let central = Central::listen();
        let agency = Program::agency(&Dataset::of(1, bets.clone()), central.address)
            .set("CLI_BATCH_WINDOW", 4096)
            .set("CLI_SOCKET_TIMEOUT", "1s")
            .set("CLI_RETRY_TIMEOUT", 0)
            .start();
        let dripping = match drips {
            "welcome" => Ok(central.accept().drip(Welcome(bets, 1))),
            "winners" => {
                let mut peer = central.greet(&bets, 1);
                peer.expect(RequestWinners);
                Ok(peer.drip(InformWinners(vec![7; 200])))
            }
            _ => Err(central.greet(&[], 0)),
        };
        let ended = agency.wait_for_end();
        ended.expect_complaint(1, "did not answer within 1s");
        assert_eq!(ended.log.count("result: fail"), 1);
        // It has closed the connection before the whole answer was there.
        assert!(dripping.is_err() || dripping.is_ok_and(|drip| drip.join().unwrap().is_err()));
    }
}

#[test]
fn an_agency_of_which_more_is_stored_than_it_sent_says_that_another_program_runs_and_ends() {
    let all = losing_bets(1, 6);
    let central = Central::listen();
    let agency = central.agency().set("CLI_BATCH_WINDOW", 1).start();
    let mut peer = central.greet(&[], 0);
    peer.expect(RegisterBets(all[..2].to_vec()));
    drop(peer);
    central.greet(&all[..4], 0).expect_closed();
    let ended = agency.wait_for_end();
    ended.expect_complaint(1, "another program runs as agency 1");
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
    let (central, bets) = (Central::listen(), losing_bets(1, 6));
    for (answered, bytes, ends, stored, reason) in stages {
        let agency = central.agency().set("CLI_SOCKET_TIMEOUT", "1s").start();
        let mut failing = central.meet(answered);
        failing.send(bytes);
        if ends {
            failing.half_close();
        }
        // It closes this connection before it makes the next.
        failing.rest();
        let mut peer = central.greet(&bets[..stored], 0);
        for batch in bets[stored..].chunks(2) {
            peer.expect(RegisterBets(batch.to_vec()));
            peer.say(RegisterBetOk);
        }
        peer.expect_finish();
        peer.say(InformWinners(vec![7, 8, 7]));
        peer.expect_closed();
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
fn an_agency_that_is_lied_to_says_so_and_ends() {
    let other_bets = Welcome(losing_bets(2, 1), 0).encode();
    let refused = RegisterBetFailed(2).encode();
    // How many batches are answered before the lie, or not even the Hello.
    for (answered, lie, complaint) in [
        (None, &b"HTTP"[..], "no valid message: message type 18516"),
        (None, &other_bets, "use the file of the first run"),
        (Some(0), &refused, "with code 2: a bet is invalid"),
    ] {
        let central = Central::listen();
        let agency = central.agency().start();
        let mut peer = central.meet(answered);
        peer.send(lie);
        peer.expect_closed();
        let ended = agency.wait_for_end();
        ended.expect_complaint(1, complaint);
        assert_eq!(ended.log.count("in_progress"), 0, "{ended:#?}");
        assert_eq!(ended.log.count("result: fail"), 1, "{ended:#?}");
        assert_eq!(ended.log.count("ganadores | result: success"), 0);
        let refused = "apuesta_enviada | result: fail | cantidad: 2 | error: a bet is invalid";
        assert_eq!(ended.log.count(refused) > 0, answered.is_some());
    }
}

#[test]
fn the_wait_for_the_draw_may_be_longer_than_the_socket_timeout() {
    let central = Central::listen();
    let hasty = central.agency().set("CLI_SOCKET_TIMEOUT", "1s");
    let agency = hasty.start();
    // It had finished before, so it only asks.
    let mut peer = central.greet(&losing_bets(1, 6), 1);
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
