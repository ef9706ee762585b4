//! A central that says what no central should: the agency distrusts it, says clearly why, and sends
//! nothing more.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use lottery_e2e::wire::{self, losing_bets};
use lottery_e2e::{Answer, Asked, ClientSetup, Dataset, HandCentral, HandLine, log};

const BETS: u32 = 6;

/// Serves an agency of six bets in three batches by `lie`, and expects that it ends at once with
/// one complaint that has this `reason`.
fn expect_distrust(lie: impl FnOnce(&mut HandLine), reason: &str) {
    let central = HandCentral::listen();
    let client = ClientSetup::with(&Dataset::of(1, &losing_bets(1, BETS)), central.address())
        .flag("batch-max-amount", "2")
        .start();
    let mut line = central.accept();
    line.expect(Asked::Hello { agency: 1 });
    lie(&mut line);
    let ended = client.wait_for_end();
    ended.expect_complaint(1, &[reason]);
    assert_eq!(log::count(&ended.log, "in_progress"), 0, "{ended:#?}");
    assert_eq!(log::count(&ended.log, "result: fail"), 1, "{ended:#?}");
    let last = ended.log.last().unwrap();
    assert!(last.contains(" | result: fail | "), "{last}");
    assert_eq!(log::count(&ended.log, "ganadores | result: success"), 0);
}

fn welcome() -> Answer {
    Answer::welcome(&[], 0)
}

/// Takes all that the agency has to say, until it asks for its winners; nothing is answered.
fn take_everything(line: &mut HandLine) {
    line.answer(&welcome());
    for _ in 0..3 {
        assert_eq!(line.expect_bets().len(), 2);
    }
    line.expect(Asked::AllBetsSent);
    line.expect(Asked::RequestWinners);
}

/// Serves well, but tells no winners.
fn serve_all_but_winners(line: &mut HandLine) {
    take_everything(line);
    for _ in 0..3 {
        line.answer(&Answer::Stored);
    }
}

/// InformWinners with this count and nothing behind it.
fn winners_claimed(count: u64) -> Vec<u8> {
    [&[0, 7][..], &count.to_be_bytes()].concat()
}

#[test]
fn more_winners_than_bets_are_not_believed_and_not_waited_for() {
    for count in [u64::from(BETS) + 1, 1 << 32, 1 << 60, 1 << 62, u64::MAX] {
        let lie = |line: &mut HandLine| {
            serve_all_but_winners(line);
            line.send(&winners_claimed(count));
        };
        expect_distrust(lie, "no valid message: a message of at least ");
    }
}

#[test]
fn messages_of_unknown_types_are_no_answers() {
    // 1, 4, 5, 6 and 8 are the agency's own to send.
    for message_type in [0_u16, 1, 4, 5, 6, 8, 10, 0x4854, u16::MAX] {
        let reason = format!("no valid message: message type {message_type} is unknown");
        let bytes = message_type.to_be_bytes();
        expect_distrust(|line| line.send(&bytes), &reason);
        let late = |line: &mut HandLine| {
            serve_all_but_winners(line);
            line.send(&bytes);
        };
        expect_distrust(late, &reason);
    }
}

#[test]
fn unknown_codes_and_states_are_no_answers() {
    for code in [0, 10, u16::MAX] {
        let reason = format!("no valid message: failure code {code} is unknown");
        expect_distrust(|line| line.answer(&Answer::Refused(code)), &reason);
    }
    for state in [3, u8::MAX] {
        let reason = format!("no valid message: agency state {state} is unknown");
        expect_distrust(|line| line.answer(&Answer::welcome(&[], state)), &reason);
    }
}

#[test]
fn a_welcome_that_is_not_of_the_agencys_first_bets_is_an_error_and_nothing_is_sent() {
    let bets = losing_bets(1, BETS);
    let wrong_crc = |count: usize| Answer::Welcome {
        bets: count as u64,
        crc: wire::crc(&bets[..count]) ^ 1,
        state: 0,
    };
    for lie in [
        wrong_crc(0),
        wrong_crc(1),
        wrong_crc(BETS as usize),
        // As many as it has, of others.
        Answer::welcome(&losing_bets(2, BETS), 0),
        Answer::welcome(&losing_bets(1, BETS + 1), 0),
        Answer::Welcome {
            bets: u64::MAX,
            crc: 0,
            state: 0,
        },
        Answer::welcome(&bets[1..], 1),
    ] {
        let tell = |line: &mut HandLine| {
            line.answer(&lie);
            line.expect_closed();
        };
        expect_distrust(tell, "nothing was sent; expected the same bets as before");
    }
}

#[test]
fn a_welcome_that_says_closed_with_fewer_bets_is_an_error_and_nothing_is_sent() {
    let bets = losing_bets(1, BETS);
    for state in [1, 2] {
        for stored in [0, BETS - 1] {
            let tell = |line: &mut HandLine| {
                line.answer(&Answer::welcome(&bets[..stored as usize], state));
                line.expect_closed();
            };
            let reason = format!("closed with the first {stored} bets, and there are more here");
            expect_distrust(tell, &reason);
        }
    }
}

#[test]
fn answers_to_what_was_not_asked_are_out_of_turn() {
    let lies: [fn(&mut HandLine); 7] = [
        |line| line.answer(&Answer::Stored),
        |line| line.answer(&Answer::Winners(vec![])),
        |line| {
            line.answer(&welcome());
            line.expect_bets();
            line.answer(&welcome());
        },
        |line| {
            serve_all_but_winners(line);
            line.answer(&Answer::Stored);
        },
        |line| {
            serve_all_but_winners(line);
            line.answer(&welcome());
        },
        |line| {
            take_everything(line);
            line.answer(&Answer::Winners(vec![]));
        },
        |line| {
            take_everything(line);
            line.answer(&Answer::Stored);
            line.answer(&Answer::Winners(vec![]));
        },
    ];
    for lie in lies {
        expect_distrust(lie, "out of turn");
    }
}

#[test]
fn a_refusal_is_said_with_its_code_and_not_tried_again() {
    for (code, meaning) in [
        (1, "unknown message"),
        (2, "a bet is invalid"),
        (3, "malformed or too large a message"),
        (4, "not this connection's agency"),
        (5, "betting is closed"),
        (6, "no such agency"),
        (8, "the draw was not held in time"),
        (9, "out of turn"),
    ] {
        let reason = format!("refused by the central with code {code}: {meaning}");
        expect_distrust(|line| line.answer(&Answer::Refused(code)), &reason);
        let late = |line: &mut HandLine| {
            serve_all_but_winners(line);
            line.answer(&Answer::Refused(code));
        };
        expect_distrust(late, &reason);
    }
}

#[test]
fn a_refused_batch_is_logged_with_its_bets() {
    let central = HandCentral::listen();
    let client = ClientSetup::with(&Dataset::of(1, &losing_bets(1, 5)), central.address())
        .flag("batch-max-amount", "3")
        .start();
    let mut line = central.greet(&welcome());
    line.expect_bets();
    line.answer(&Answer::Stored);
    line.answer(&Answer::Refused(2));
    let ended = client.wait_for_end();
    assert_eq!(ended.code, Some(1));
    let failed = "action: apuesta_enviada | result: fail | cantidad: 2 | error: a bet is invalid";
    assert_eq!(log::count(&ended.log, failed), 1, "{ended:#?}");
}
