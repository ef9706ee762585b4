//! The agency's file.

use crate::kit::{Dataset, Program, Server, own_address};

/// A good row, which is no bet where it stands in the quotes of another.
const QUOTED: &str = "Eva,Sosa,7,1999-03-17,7\r\n";

/// Rows that are no bets, and how what is said of each begins. `LAST` stands for its last line.
fn bad_rows() -> [(String, &'static str); 4] {
    [
        (
            "Ana,Paz,1,1999-02-30,1".to_owned(),
            "birthdate \"1999-02-30\" is not",
        ),
        // A value neither ends the log line nor begins another part of it.
        (
            "A,P\t| z: á,1,1999-03-17,1".to_owned(),
            "last_name \"P\\t¦ z: ",
        ),
        (
            format!("\"Ana\r\n{QUOTED}\""),
            "a quoted field spans lines FIRST to LAST; a bet is one line",
        ),
        (
            format!("\"Ana,{}Eva,\"Sosa\",7", QUOTED.repeat(200)),
            "unclosed quote; skipped up to line LAST",
        ),
    ]
}

#[test]
fn bad_rows_are_reported_and_left_out_and_the_exit_code_tells() {
    let good = Dataset::with_winner(1);
    let server = Server::lottery(1).start();
    let agency = Program::agency(&good, server.address);
    let path = agency.folder().join("bets.csv");
    let path = path.display();
    let (mut rows, mut reports) = (String::new(), Vec::new());
    for (bad, reason) in bad_rows() {
        let line = 1 + rows.lines().count();
        rows += &format!("{bad}\r\n");
        let reason = reason.replace("LAST", &rows.lines().count().to_string());
        let reason = reason.replace("FIRST", &line.to_string());
        reports.push(format!(
            "action: leer_apuesta | result: fail | archivo: {path} | linea: {line} | error: {reason}"
        ));
    }
    agency.write("bets.csv", rows + &good.file);
    // The second run finds everything stored and has the same to say.
    for _ in 0..2 {
        let ended = agency.run();
        assert_eq!((ended.code, &ended.complaints[..]), (Some(1), ""));
        assert_eq!(ended.winners(), good.winners());
        let mut events = ended.log.events();
        events.retain(|event| event.starts_with("action: leer_apuesta"));
        assert_eq!(events.len(), reports.len());
        for (event, report) in events.iter().zip(&reports) {
            assert!(event.starts_with(report), "{event:?}, expected {report:?}");
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

#[test]
fn a_file_that_cannot_be_read_is_complained_of_in_one_line_with_exit_code_2() {
    // The path, and how it is told: with the agency's number where it says so.
    for (path, complaint) in [
        (
            "of-{id}/{id}.csv",
            "\"of-1/1.csv\"…No such file…a readable CSV…`make datasets AGENCIES=1`",
        ),
        (".", "\".\"…is a directory…a readable CSV"),
        ("", "\"\"…is not valid…a readable CSV"),
    ] {
        let agency = Program::agency_without_data(1, own_address()).set("CLI_DATA_PATH", path);
        let ended = agency.run();
        ended.expect_complaint(2, &format!("data.path…{complaint}"));
        assert_eq!(ended.log.count("action: connect"), 0);
    }
}
