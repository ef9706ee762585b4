//! The agency's file.

use crate::kit::{Dataset, Program, Server};

/// A good row, which is no bet where it stands in the quotes of another.
const QUOTED: &str = "Eva,Sosa,7,1999-03-17,7\r\n";

/// Where rows that are no bets begin, and how what is said of each does.
const REPORTS: [(usize, &str); 4] = [
    (1, "birthdate \"1999-02-30\" is not"),
    // A value neither ends the log line nor begins another part of it.
    (2, "last_name \"P\\t¦ z: "),
    (3, "a quoted field spans lines 3 to 5; a bet is one line"),
    (6, "unclosed quote; skipped up to line 206"),
];

#[test]
fn bad_rows_are_reported_and_left_out_and_the_exit_code_tells() {
    let good = Dataset::with_winner(1);
    let bad = [
        "Ana,Paz,1,1999-02-30,1",
        "A,P\t| z: á,1,1999-03-17,1",
        &format!("\"Ana\r\n{QUOTED}\""),
        &format!("\"Ana,{}Eva,\"Sosa\",7", QUOTED.repeat(200)),
    ];
    let server = Server::lottery(1).start();
    let agency = Program::agency(&good, server.address);
    let path = agency.write("bets.csv", bad.join("\r\n") + "\r\n" + &good.file);
    // The second run finds everything stored and has the same to say.
    for _ in 0..2 {
        let ended = agency.run();
        assert_eq!((ended.code, &ended.complaints[..]), (Some(1), ""));
        assert_eq!(ended.winners(), good.winners());
        let mut events = ended.log.events();
        events.retain(|event| event.starts_with("action: leer_apuesta"));
        assert_eq!(events.len(), REPORTS.len());
        for (event, (line, reason)) in events.iter().zip(REPORTS) {
            let place = format!("archivo: {} | linea: {line}", path.display());
            let report = format!("action: leer_apuesta | result: fail | {place} | error: {reason}");
            assert!(event.starts_with(&report), "{event:?}, expected {report:?}");
        }
        let left_out = "action: filas_rechazadas | result: fail | cantidad: 4";
        assert_eq!(ended.log.count(left_out), 1);
        server.expect_stored(std::slice::from_ref(&good));
    }
}

#[test]
fn a_file_of_another_shape_finishes_nothing_and_one_without_rows_is_an_agency_without_bets() {
    let good = Dataset::losing(1, 6);
    let server = Server::lottery(2).start();
    let agency = Program::agency(&good, server.address);
    agency.write("bets.csv", good.file.replace(',', ";"));
    let ended = agency.run();
    let reason = "no row of …bets.csv is a bet: …its fields are separated by ';', expected ','";
    ended.expect_complaint(1, reason);
    assert_eq!(ended.log.count("in_progress"), 0, "{ended:#?}");
    assert_eq!(server.log().count("agencia_lista"), 0);
    let empty = Program::agency(&Dataset::losing(2, 0), server.address);
    empty.write("bets.csv", "\r\n");
    let empty = empty.start();
    // Nothing stands in the way of the right file.
    agency.write("bets.csv", &good.file);
    agency.run().expect_success();
    empty.wait_for_end().expect_success();
    server.expect_stored(&[good, Dataset::losing(2, 0)]);
}
