//! Servers that are not there, vanish, stall or break off: the agency tries again for as long as it
//! may, goes on where it was, and says once that it has given up.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::net::SocketAddr;
use std::time::Duration;

use lottery_e2e::dataset::expect_all_stored;
use lottery_e2e::wire::{HandBet, losing_bets};
use lottery_e2e::{
    Answer, Asked, ClientProcess, ClientSetup, Dataset, Ended, HandCentral, HandLine, ServerSetup,
    log, nowhere,
};

/// An agency that gave up the central says so once, and before that only that it tries.
fn expect_given_up(ended: &Ended, retry_timeout: Duration) {
    ended.expect_complaint(1, &["connecting to "]);
    let tries = log::count(&ended.log, "action: connect | result: in_progress");
    assert!(tries > 0, "{ended:#?}");
    assert_eq!(log::count(&ended.log, "result: fail"), 1, "{ended:#?}");
    let last = ended.log.last().unwrap();
    assert!(last.contains("action: connect | result: fail | client_id: 1 | error: "));
    assert!(ended.took >= retry_timeout, "{:?}", ended.took);
}

#[test]
fn without_a_server_the_agency_gives_up_once_the_time_to_retry_is_over() {
    let dataset = Dataset::of(1, &losing_bets(1, 3));
    let retry_timeout = Duration::from_millis(400);
    for mode in ["lottery", "echo"] {
        let ended = ClientSetup::with(&dataset, nowhere())
            .flag("mode", mode)
            .flag("retry-timeout", "400ms")
            .start()
            .wait_for_end();
        let last = ended.log.last().unwrap();
        if mode == "lottery" {
            expect_given_up(&ended, retry_timeout);
        } else {
            assert!(last.contains("action: receive_message | result: fail | client_id: 1"));
            ended.expect_complaint(1, &["connecting to "]);
            assert!(ended.took >= retry_timeout, "{:?}", ended.took);
        }
        assert_eq!(log::count(&ended.log, "result: fail"), 1);
    }
}

#[test]
fn without_time_to_retry_the_first_failure_is_the_last() {
    let ended = ClientSetup::with(&Dataset::of(1, &[]), nowhere())
        .flag("retry-timeout", "0")
        .start()
        .wait_for_end();
    ended.expect_complaint(1, &["connecting to "]);
    assert_eq!(log::count(&ended.log, "in_progress"), 0);
    assert_eq!(log::count(&ended.log, "result: fail"), 1);
}

/// A server that does not wait for the disk each time, and can be found again.
fn quick_server() -> ServerSetup {
    ServerSetup::lottery(1)
        .with_own_address()
        .setting("DURABILITY", "no")
}

/// So many bets, one at a time, that an upload does not end while a test looks.
fn endless_upload(server: SocketAddr) -> (Dataset, ClientProcess) {
    let dataset = Dataset::of(1, &losing_bets(1, 2_000));
    let client = ClientSetup::with(&dataset, server)
        .flag("batch-max-amount", "1")
        .flag("batch-window", "1")
        .flag("retry-timeout", "500ms");
    (dataset, client.start())
}

#[test]
fn a_server_killed_in_mid_upload_that_never_comes_back_is_given_up() {
    let server = quick_server().start();
    let (_, client) = endless_upload(server.address());
    client.wait_for_lines("action: apuesta_enviada | result: success", 10);
    server.kill();
    let ended = client.wait_for_end();
    expect_given_up(&ended, Duration::from_millis(500));
}

#[test]
fn a_server_killed_in_mid_upload_that_comes_back_gets_the_rest() {
    let setup = quick_server();
    let server = setup.start();
    let (dataset, client) = endless_upload(server.address());
    client.wait_for_lines("action: apuesta_enviada | result: success", 10);
    server.kill();
    client.wait_for_line("action: connect | result: in_progress");
    let server = setup.start();
    let ended = client.wait_for_end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(log::count(&ended.log, "action: reanudar"), 1);
    assert_eq!(log::count(&ended.log, "result: fail"), 0);
    assert_eq!(server.terminate().code, Some(0));
    expect_all_stored(&setup, &[dataset]);
}

const BATCH: usize = 2;

fn bets() -> Vec<HandBet> {
    losing_bets(1, 3 * BATCH as u32)
}

/// The agency with those bets, in three batches.
fn agency(central: &HandCentral) -> ClientSetup {
    ClientSetup::with(&Dataset::of(1, &bets()), central.address())
        .flag("batch-max-amount", &BATCH.to_string())
}

/// Serves an agency as a good central does that has these of its bets stored.
fn serve_well(central: &HandCentral, stored: usize) {
    let mut line = central.greet(&Answer::welcome(&bets()[..stored], 0));
    for batch in bets()[stored..].chunks(BATCH) {
        let batch: Vec<Vec<u8>> = batch.iter().map(HandBet::encoded).collect();
        assert_eq!(line.expect_bets(), batch);
        line.answer(&Answer::Stored);
    }
    line.expect(Asked::AllBetsSent);
    line.expect(Asked::RequestWinners);
    line.answer(&Answer::Winners(vec![]));
    line.expect_closed();
}

/// Has a first connection go wrong after `stored` bets, and expects that all goes well on the next.
fn expect_recovery(
    setup: ClientSetup,
    central: &HandCentral,
    stored: usize,
    go_wrong: impl FnOnce(&HandCentral) -> HandLine,
) -> Ended {
    let client = setup.start();
    let wrong = go_wrong(central);
    client.wait_for_line("action: connect | result: in_progress");
    serve_well(central, stored);
    drop(wrong);
    let ended = client.wait_for_end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.winners(), []);
    assert_eq!(log::count(&ended.log, "result: fail"), 0);
    let resumed = log::count(&ended.log, "action: reanudar | result: success");
    assert_eq!(resumed, usize::from(stored > 0));
    ended
}

/// Greets, takes all batches, and answers the first.
fn answer_first_batch(central: &HandCentral) -> HandLine {
    let mut line = central.greet(&Answer::welcome(&[], 0));
    for _ in bets().chunks(BATCH) {
        line.expect_bets();
    }
    line.answer(&Answer::Stored);
    line
}

#[test]
fn a_connection_that_ends_at_any_stage_is_made_again_and_nothing_is_sent_twice() {
    let central = HandCentral::listen();
    let all = bets().len();
    // Whatever was not answered may have been stored or not; Welcome says.
    type Stage = fn(&HandCentral) -> HandLine;
    let stages: [(Stage, &[usize]); 4] = [
        (|central| central.accept(), &[0]),
        (|central| central.greet(&Answer::welcome(&[], 0)), &[0]),
        (answer_first_batch, &[2, 4, 6]),
        (
            |central| {
                let mut line = answer_first_batch(central);
                line.answer(&Answer::Stored);
                line.answer(&Answer::Stored);
                line.expect(Asked::AllBetsSent);
                line.expect(Asked::RequestWinners);
                line
            },
            &[all],
        ),
    ];
    for (stage, stored) in stages {
        for stored in stored {
            expect_recovery(agency(&central), &central, *stored, |central| {
                let mut line = stage(central);
                line.half_close();
                line
            });
        }
    }
}

#[test]
fn half_an_answer_and_then_the_end_is_no_answer() {
    let central = HandCentral::listen();
    for half in [
        &Answer::Stored.encoded()[..1],
        &Answer::welcome(&bets(), 0).encoded()[..14],
    ] {
        expect_recovery(agency(&central), &central, 2, |central| {
            let mut line = answer_first_batch(central);
            line.send(half);
            line.half_close();
            line
        });
    }
}

#[test]
fn half_an_answer_and_then_silence_is_given_up_after_the_socket_timeout() {
    let central = HandCentral::listen();
    for half in [
        &Answer::Stored.encoded()[..1],
        &Answer::Refused(3).encoded()[..3],
        &[],
    ] {
        let hasty = agency(&central).flag("socket-timeout", "300ms");
        let ended = expect_recovery(hasty, &central, 2, |central| {
            let mut line = answer_first_batch(central);
            line.send(half);
            line
        });
        let line = &ended.log[log::position(&ended.log, "in_progress")];
        assert!(line.contains("did not answer within 300ms"), "{line}");
    }
}

#[test]
fn a_connection_that_is_given_up_is_closed_before_the_next_is_made() {
    let central = HandCentral::listen();
    let client = agency(&central).flag("socket-timeout", "300ms").start();
    let mut line = central.accept();
    line.expect(Asked::Hello { agency: 1 });
    line.expect_closed();
    client.wait_for_line("action: connect | result: in_progress");
    serve_well(&central, 0);
    assert_eq!(client.wait_for_end().code, Some(0));
}

#[test]
fn the_wait_for_the_draw_may_be_longer_than_the_socket_timeout() {
    let central = HandCentral::listen();
    let hasty = agency(&central).flag("socket-timeout", "200ms");
    let client = hasty.start();
    let mut line = central.greet(&Answer::welcome(&bets(), 1));
    line.expect(Asked::RequestWinners);
    // Another begins to wait later and loses patience, because what it waits for is not the draw.
    let other = hasty.start();
    let mut silent = central.accept();
    other.wait_for_line("did not answer within 200ms");
    silent.expect(Asked::Hello { agency: 1 });
    silent.expect_closed();
    line.expect_nothing_yet();
    line.answer(&Answer::Winners(vec![7]));
    let ended = client.wait_for_end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.winners(), [7]);
    assert_eq!(log::count(&ended.log, "in_progress"), 0);
}

#[test]
fn an_agency_that_had_closed_asks_for_its_winners_and_does_not_close_again() {
    for state in [1, 2] {
        let central = HandCentral::listen();
        let client = agency(&central).start();
        let mut line = central.greet(&Answer::welcome(&bets(), state));
        line.expect(Asked::RequestWinners);
        line.answer(&Answer::Winners(vec![7]));
        line.expect_closed();
        assert_eq!(client.wait_for_end().winners(), [7]);
    }
}

#[test]
fn a_central_that_could_not_store_is_asked_again() {
    const COULD_NOT_BE_STORED: u16 = 7;
    let central = HandCentral::listen();
    let ended = expect_recovery(agency(&central), &central, 2, |central| {
        let mut line = answer_first_batch(central);
        line.answer(&Answer::Refused(COULD_NOT_BE_STORED));
        line
    });
    let line = &ended.log[log::position(&ended.log, "in_progress")];
    assert!(line.contains("code 7: could not be stored"), "{line}");
}

#[test]
fn a_central_that_does_not_read_is_given_up_after_the_socket_timeout() {
    let central = HandCentral::listen();
    // More than the system keeps for a peer that does not read.
    let bets = losing_bets(1, 150_000);
    let client = ClientSetup::with(&Dataset::of(1, &bets), central.address())
        .flag("batch-window", "4096")
        .flag("socket-timeout", "300ms")
        .flag("retry-timeout", "0")
        .start();
    let _line = central.greet(&Answer::welcome(&[], 0));
    let ended = client.wait_for_end();
    ended.expect_complaint(1, &["did not answer within 300ms"]);
    assert_eq!(log::count(&ended.log, "result: fail"), 1);
}

#[test]
fn answers_may_come_one_byte_at_a_time() {
    let central = HandCentral::listen();
    let client = agency(&central).start();
    let mut line = central.accept();
    line.expect(Asked::Hello { agency: 1 });
    trickle(&mut line, &Answer::welcome(&bets()[..BATCH], 0));
    for _ in bets()[BATCH..].chunks(BATCH) {
        line.expect_bets();
        trickle(&mut line, &Answer::Stored);
    }
    line.expect(Asked::AllBetsSent);
    line.expect(Asked::RequestWinners);
    trickle(&mut line, &Answer::Winners(vec![7, 8, 7]));
    let ended = client.wait_for_end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.winners(), [7, 8, 7]);
}

fn trickle(line: &mut HandLine, answer: &Answer) {
    for byte in answer.encoded() {
        line.send(&[byte]);
    }
}
