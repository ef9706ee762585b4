//! How agencies send: batches within their two bounds, and a window of them without an answer.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use lottery_e2e::dataset::expect_all_stored;
use lottery_e2e::wire::{HandBet, LOSING_NUMBER, WINNING_NUMBER, losing_bets};
use lottery_e2e::{Answer, Asked, ClientSetup, Dataset, HandCentral, HandLine, ServerSetup, log};

/// What no message of an agency exceeds.
const MESSAGE_BYTES_MAX: usize = 8192;

const HUGE: &str = "4294967295";

/// A central that serves one agency to its end and gives the messages with bets: how many bets and
/// how many bytes each had. All bets must be there, in order.
fn batches_of(bets: &[HandBet], max_amount: &str, window: &str) -> Vec<(usize, usize)> {
    let central = HandCentral::listen();
    let client = ClientSetup::with(&Dataset::of(1, bets), central.address())
        .flag("batch-max-amount", max_amount)
        .flag("batch-window", window)
        .start();
    let mut line = central.greet(&Answer::welcome(&[], 0));
    let mut batches = Vec::new();
    let mut received = Vec::new();
    loop {
        match line.asked() {
            Asked::Bets {
                bets,
                message_bytes,
            } => {
                batches.push((bets.len(), message_bytes));
                received.extend(bets);
                line.answer(&Answer::Stored);
            }
            Asked::AllBetsSent => break,
            other => panic!("{other:?}"),
        }
    }
    line.expect(Asked::RequestWinners);
    line.answer(&Answer::Winners(vec![]));
    let ended = client.wait_for_end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    line.expect_closed();
    let sent: Vec<Vec<u8>> = bets.iter().map(HandBet::encoded).collect();
    assert!(received == sent, "these are not the bets of the file");
    let confirmed = "action: apuesta_enviada | result: success";
    assert_eq!(log::count(&ended.log, confirmed), batches.len());
    batches
}

#[test]
fn batches_have_as_many_bets_as_they_may_and_the_last_has_the_rest() {
    for (max_amount, expected) in [
        ("1", vec![1; 10]),
        ("3", vec![3, 3, 3, 1]),
        ("5", vec![5, 5]),
        ("10", vec![10]),
        ("11", vec![10]),
    ] {
        for window in ["1", "2", "64"] {
            let batches = batches_of(&losing_bets(1, 10), max_amount, window);
            let bets: Vec<usize> = batches.iter().map(|(bets, _)| *bets).collect();
            assert_eq!(
                bets, expected,
                "batches of {max_amount}, window of {window}"
            );
        }
    }
}

#[test]
fn no_message_exceeds_8192_bytes_whatever_the_batches_are_set_to() {
    for name in ["A", "María José", &"ñ".repeat(127), &"x".repeat(255)] {
        let bets: Vec<HandBet> = (1..=1_000)
            .map(|document| HandBet::new(1, document, LOSING_NUMBER).named(name, name))
            .collect();
        let bet_bytes = 4 + bets[0].encoded().len();
        for max_amount in ["1000", HUGE] {
            let batches = batches_of(&bets, max_amount, "4096");
            let (_, full) = batches.split_last().unwrap();
            assert!(!full.is_empty());
            for (_, bytes) in &batches {
                assert!(*bytes <= MESSAGE_BYTES_MAX, "{bytes} bytes");
            }
            for (_, bytes) in full {
                assert!(bytes + bet_bytes > MESSAGE_BYTES_MAX, "room for another");
            }
        }
    }
}

/// Expects that the agency sends no more for now.
fn expect_pause(line: &mut HandLine, client: &lottery_e2e::ClientProcess) {
    line.expect_nothing_yet();
    assert!(!client.has_ended());
}

#[test]
fn no_more_batches_than_the_window_are_without_an_answer() {
    const BATCHES: usize = 12;
    for window in [1, 2, 5] {
        let central = HandCentral::listen();
        let dataset = Dataset::of(1, &losing_bets(1, BATCHES as u32));
        let client = ClientSetup::with(&dataset, central.address())
            .flag("batch-max-amount", "1")
            .flag("batch-window", &window.to_string())
            .start();
        let mut line = central.greet(&Answer::welcome(&[], 0));
        for _ in 0..window {
            line.expect_bets();
        }
        expect_pause(&mut line, &client);
        for answered in 1..BATCHES {
            line.answer(&Answer::Stored);
            // The log says that the answer was read and acted on.
            client.wait_for_lines("action: apuesta_enviada | result: success", answered);
            if answered + window <= BATCHES {
                line.expect_bets();
                if answered + window < BATCHES {
                    expect_pause(&mut line, &client);
                }
            }
        }
        // Having nothing more to send, it has said so without waiting for the last answer.
        line.expect(Asked::AllBetsSent);
        line.expect(Asked::RequestWinners);
        line.answer(&Answer::Stored);
        line.answer(&Answer::Winners(vec![7]));
        let ended = client.wait_for_end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_eq!(ended.winners(), [7]);
    }
}

#[test]
fn the_server_stores_the_same_at_every_pace() {
    let mut bets = losing_bets(1, 1_500);
    bets.insert(700, HandBet::new(1, 101, WINNING_NUMBER));
    for (max_amount, window) in [("1", "1"), ("1", "4096"), (HUGE, "1"), (HUGE, "4096")] {
        let dataset = Dataset::of(1, &bets);
        let server = ServerSetup::lottery(1)
            .setting("LOGGING_LEVEL", "INFO")
            .setting("DURABILITY", "no")
            .start();
        let ended = ClientSetup::with(&dataset, server.address())
            .flag("batch-max-amount", max_amount)
            .flag("batch-window", window)
            .start()
            .wait_for_end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_eq!(ended.winners(), [101]);
        let sent = "action: apuesta_enviada | result: success";
        assert_eq!(log::sum(&ended.log, sent, "cantidad"), 1_501);
        expect_all_stored(server.setup(), &[dataset]);
        let log = server.terminate().log;
        // A bet that came alone is in the log with its DNI.
        let alone = if max_amount == "1" { 1_501 } else { 0 };
        assert_eq!(log::count(&log, "action: apuesta_almacenada"), alone);
    }
}
