//! `examples/agency.py`, an agency in another language, at the real central.

use crate::kit::{Dataset, Ended, Program, Server, has_python, wait_until};

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
fn every_bet_is_stored_once_and_winners_are_told_although_server_and_agency_are_ended() {
    if !has_python() {
        return;
    }
    let datasets = [1, 2, 3, 4, 5].map(Dataset::bundled);
    let mut server = lottery(5);
    let programs = datasets.each_ref();
    let programs = programs.map(|dataset| Program::example_agency(dataset, server.address));
    let mut agencies: Vec<_> = programs[..4].iter().map(Program::start).collect();
    server.wait_for_lines("action: apuesta_recibida | result: success", 10);
    server.kill();
    server.restart();
    server.wait_for_lines("action: accept_connections", 4);
    // One is ended by a signal while it waits, and asks again, and again when the server is back.
    wait_until(|| server.closings().lines().any(|row| row.starts_with("1,")));
    assert_eq!(agencies.remove(0).terminate().code, Some(0));
    agencies.insert(0, programs[0].start());
    server.wait_for_lines("action: accept_connections", 5);
    server.kill();
    server.restart();
    agencies.push(programs[4].start());
    for (agency, dataset) in agencies.into_iter().zip(&datasets) {
        let ended = agency.wait_for_end();
        expect_winners(&ended, 0, &dataset.winners());
        assert_eq!(ended.complaints, "");
    }
    server.expect_stored(&datasets);
    // The file of an agency is another one now, or none.
    programs[4].write("bets.csv", Dataset::losing(5, 600).file);
    let bets = datasets[4].bets.len();
    let reason = format!("{bets} bets of this agency that are not the first ones here");
    programs[4].run().expect_complaint(1, &reason);
    std::fs::remove_file(programs[4].folder().join("bets.csv")).unwrap();
    assert_eq!(programs[4].run().code, Some(2));
    server.terminate();
}

#[test]
fn rows_that_are_no_bets_are_reported_and_left_out_and_the_exit_code_tells() {
    if !has_python() {
        return;
    }
    let good = "\"Ana \"\"la Ñ\"\"\",\"Paz, hija\",101,1999-03-17,7574\r\n";
    let bad = "Ana,Paz,1,1999-02-30,1
Ana,Paz,1,1999-03-17
\"Ana,Paz,1,1999-03-17,1";
    let server = lottery(1);
    let example = Program::example_agency(&Dataset::losing(1, 0), server.address);
    example.write("bets.csv", format!("{good}{bad}\n\n{good}"));
    let ended = example.run();
    expect_winners(&ended, 1, &[101, 101]);
    assert_eq!(ended.complaints.lines().count(), bad.lines().count());
    assert_eq!(server.bets(), format!("1,{good}1,{good}"));
}
