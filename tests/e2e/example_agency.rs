//! `examples/agency.py`, an agency in another language, at the real central.

use crate::kit::Message::InformWinners;
use crate::kit::{Dataset, Ended, Program, Server, has_python};

/// A lottery that takes no message that is larger than agencies should send.
fn lottery(agencies: u32) -> Server {
    let server = Server::lottery(agencies);
    server.set("MAX_FRAME", "8KiB").start()
}

/// It ended with this code and told of these winners, in the form of the client's log.
fn expect_winners(ended: &Ended, code: i32, winners: &[u32]) {
    assert_eq!(ended.code, Some(code), "{ended:#?}");
    let count = winners.len();
    let winners: Vec<String> = winners.iter().map(u32::to_string).collect();
    let winners = winners.join(",");
    let expected = [
        format!("action: consulta_ganadores | result: success | cant_ganadores: {count}"),
        format!("action: ganadores | result: success | dnis: {winners}"),
    ];
    assert!(ended.log.ends_with(&expected), "{ended:#?}");
}

#[test]
fn every_bet_is_stored_and_each_agency_learns_its_own_winners_although_the_server_was_killed() {
    if !has_python() {
        return;
    }
    let datasets = [1, 2, 3, 4, 5].map(Dataset::bundled);
    let mut server = lottery(5);
    let start = |dataset: &Dataset| Program::example_agency(dataset, server.address).start();
    let agencies = datasets.each_ref().map(start);
    server.wait_for_lines("action: apuesta_recibida | result: success", 10);
    server.kill();
    server.restart();
    for (agency, dataset) in agencies.into_iter().zip(&datasets) {
        let ended = agency.wait_for_end();
        expect_winners(&ended, 0, &dataset.winners());
        assert_eq!(ended.complaints, "");
    }
    server.expect_stored(&datasets);
    server.terminate().expect_success();
}

#[test]
fn it_ends_by_a_signal_while_it_waits_and_goes_on_with_the_bets_that_are_stored_only() {
    if !has_python() {
        return;
    }
    let dataset = Dataset::with_winner(1);
    let mut server = lottery(2);
    let example = Program::example_agency(&dataset, server.address);
    let agency = example.start();
    server.wait_for_finish(1);
    assert_eq!(agency.terminate().code, Some(0));
    let agency = example.start();
    server.wait_for_lines("action: accept_connections", 2);
    server.kill();
    server.restart();
    server.parked(2, &[]).expect(InformWinners(vec![]));
    expect_winners(&agency.wait_for_end(), 0, &[101]);
    // Its file is another one, or none.
    example.write("bets.csv", Dataset::losing(1, 600).file);
    let reason = "501 bets of this agency that are not the first ones here";
    example.run().expect_complaint(1, reason);
    std::fs::remove_file(example.folder().join("bets.csv")).unwrap();
    assert_eq!(example.run().code, Some(2));
    server.expect_stored(&[dataset, Dataset::losing(2, 0)]);
}

#[test]
fn rows_that_are_no_bets_are_reported_and_left_out_and_the_exit_code_tells() {
    if !has_python() {
        return;
    }
    let good = "\"Ana \"\"la Ñ\"\"\",\"Paz, hija\",101,1999-03-17,7574\r\n";
    let bad = "Ana,Paz,0,1999-03-17,1
Ana,Paz,+1,1999-03-17,1
Ana,Paz,1,1999-02-30,1
Ana,Paz,1,19990317,1
Ana,Paz,1,1999-W11-3,1
Ana,Paz,1,1899-12-31,1
Ana,Paz,1,1999-03-17,10000
Ana,Paz,1,1999-03-17,
Ana,Paz,1,1999-03-17
Ana,Paz,1,1999-03-17,1,1
,Paz,1,1999-03-17,1
Ana,P\u{85}z,1,1999-03-17,1
\"Ana,Paz,1,1999-03-17,1";
    let long_name = "a".repeat(256);
    let server = lottery(1);
    let example = Program::example_agency(&Dataset::losing(1, 0), server.address);
    let file = format!("{good}{bad}\n\n{long_name},Paz,1,1999-03-17,1\n{good}");
    let not_utf_8 = b"An\xff,Paz,1,1999-03-17,1\n";
    example.write("bets.csv", [file.as_bytes(), not_utf_8].concat());
    let ended = example.run();
    expect_winners(&ended, 1, &[101, 101]);
    assert_eq!(ended.complaints.lines().count(), bad.lines().count() + 2);
    assert_eq!(server.bets(), format!("1,{good}1,{good}"));
}
