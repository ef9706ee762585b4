//! `examples/agency.py`, an agency in another language, at the real central.

use std::fs::File;
use std::process::Command;

use rustix::process::Signal;

use crate::kit::{Bet, Dataset, Ended, Program, Server, has_python, rows, rows_of, wait_until};

/// A lottery that takes no message that is larger than agencies should send.
fn lottery(agencies: u32) -> Server {
    let server = Server::lottery(agencies);
    server.set("MAX_FRAME", "8KiB").start()
}

/// It ended with this code and told of these winners, in the form of the client's log.
fn expect_winners(ended: &Ended, code: i32, winners: &[u32]) {
    assert_eq!(ended.code, Some(code), "{ended:#?}");
    let count = winners.len();
    let winners = format!("{winners:?}").replace(['[', ' ', ']'], "");
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
    server.end_by(Signal::KILL);
    server.restart();
    server.wait_for_lines("action: accept_connections", 4);
    // One is ended by a signal while it waits, and asks again, and again when the server is back.
    wait_until(|| !rows_of(&server.file("closings.csv"), 1).is_empty());
    assert_eq!(agencies.remove(0).terminate().code, Some(0));
    agencies.insert(0, programs[0].start());
    server.wait_for_lines("action: accept_connections", 5);
    server.end_by(Signal::KILL);
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

const NAMES: &str = "María José Ñandú/García, hijo/Juan \"Tito\"/\"\"/,\",/ Ana /=1+1;b|c\\n/日本 🎲/\u{a0}\u{2028}";

/// Copies a CSV file as the course's `load_bets` reads and its `store_bets` writes it.
const COPY: &str = "import csv, sys; csv.writer(sys.stdout).writerows(csv.reader(sys.stdin))";

#[test]
fn any_name_is_stored_as_python_writes_and_reads_it_and_rows_that_are_no_bets_are_reported() {
    if !has_python() {
        return;
    }
    let names = NAMES.split('/');
    let good = names.map(|name| Bet::winning(1, 7).named(name, name));
    let good = Dataset::of(1, good.collect());
    let bad = "Ana,Paz,1,1999-02-30,1\nAna,Paz,1,1999-03-17\n\"Ana,Paz,1,1999-03-17,1";
    let server = lottery(1);
    let example = Program::example_agency(&good, server.address);
    example.write("bets.csv", format!("{0}{bad}\n\n{0}", good.file));
    let ended = example.run();
    expect_winners(&ended, 1, &[7; 18]);
    assert_eq!(ended.complaints.lines().count(), bad.lines().count());
    assert_eq!(server.bets(), rows(&good.bets).repeat(2));
    let mut python = Command::new("python3");
    python.args(["-X", "utf8", "-c", COPY]);
    python.stdin(File::open(server.path("bets.csv")).unwrap());
    assert_eq!(python.output().unwrap().stdout, server.bets().as_bytes());
}
