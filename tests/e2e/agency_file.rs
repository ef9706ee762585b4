//! The agency's file.

use crate::kit::{Bet, Dataset, Program, Server, losing_bets, own_address};

/// A good row, which is no bet where it stands in the quotes of another.
const QUOTED: &str = "Eva,Sosa,7,1999-03-17,7\r\n";

/// Rows that are no bets, and how what is said of each begins. `LAST` stands for its last line.
const BAD_ROWS: [(&[u8], &str); 6] = [
    (b"Ana,Paz,1,1999-03-17", "4 fields, expected 5: first_name,"),
    (b"Ana,Paz,1,1999-02-30,1", "birthdate \"1999-02-30\" is not"),
    (b"Ana,Paz,1,1999-03-17,-1", "number \"-1\" is not valid"),
    // A value neither ends the log line nor begins another part of it.
    (b"A,P\tz,1,1999-03-17,1", "last_name \"P\\tz\" is not valid"),
    (b"A,P| a: \xe1,1,1999-03-17,1", "last_name \"P"),
    (&[b'x'; 1_000_000], "longer than 4096 bytes"),
];

/// These, and rows of several lines.
fn bad_rows() -> Vec<(Vec<u8>, &'static str)> {
    let in_quotes = format!("\"Ana\r\n{QUOTED}\"");
    let open_quote = format!("\"Ana,{}Eva,\"Sosa\",7", QUOTED.repeat(200));
    let mut rows: Vec<_> = BAD_ROWS.map(|(row, said)| (row.to_vec(), said)).into();
    let said = "a field in quotes goes on to line LAST, expected";
    rows.push((in_quotes.into_bytes(), said));
    let said = "a quote is not closed, so everything up to line LAST is left out";
    rows.push((open_quote.into_bytes(), said));
    rows
}

#[test]
fn bad_rows_are_reported_and_left_out_and_good_ones_may_end_in_any_way() {
    let mut bets = losing_bets(1, bad_rows().len() as u32);
    bets.push(Bet::winning(1, 102));
    let good = Dataset::of(1, bets);
    let server = Server::lottery(1).start();
    let agency = Program::agency(&good, server.address);
    let path = agency.folder().join("bets.csv");
    let failed = format!(
        "action: leer_apuesta | result: fail | archivo: {}",
        path.display()
    );

    let mut file = "\u{feff}".as_bytes().to_vec();
    let (mut line, mut reports) = (1, Vec::new());
    let ends = ["\n", "\r\n", "\n\n\r\n"].iter().cycle();
    for ((row, (bad, reason)), end) in good.file.lines().zip(bad_rows()).zip(ends) {
        file.extend([row.as_bytes(), end.as_bytes(), &bad, b"\r\n"].concat());
        line += end.matches('\n').count();
        let last_line = line + bad.iter().filter(|byte| **byte == b'\n').count();
        let reason = reason.replace("LAST", &last_line.to_string());
        reports.push(format!("{failed} | linea: {line} | error: {reason}"));
        line = last_line + 1;
    }
    // The last row is quoted and has no end.
    file.extend(b"\"Ana\",\"Paz\",\"102\",\"1999-03-17\",\"7574\"");
    std::fs::write(path, file).unwrap();

    // The second run finds everything stored and has the same to say.
    for _ in 0..2 {
        let ended = agency.run();
        assert_eq!((ended.code, &ended.complaints[..]), (Some(1), ""));
        assert_eq!(ended.winners(), [102]);
        let mut events = ended.log.events();
        events.retain(|event| event.starts_with("action: leer_apuesta"));
        assert_eq!(events.len(), reports.len());
        for (event, report) in events.iter().zip(&reports) {
            assert!(event.starts_with(report), "{event:?}, expected {report:?}");
        }
        let left_out = "action: filas_rechazadas | result: fail | cantidad: 8";
        assert_eq!(ended.log.count(left_out), 1);
        server.expect_stored(std::slice::from_ref(&good));
    }
}

#[test]
fn a_file_of_another_shape_finishes_nothing_and_one_without_rows_is_an_agency_without_bets() {
    let good = Dataset::losing(1, 6);
    let semicolons = good.file.replace(',', ";").into_bytes();
    let utf_16 = format!("\u{feff}{}", good.file);
    let utf_16 = utf_16.encode_utf16().flat_map(u16::to_le_bytes);
    let header = b"nombre,apellido,documento,nacimiento,numero,agencia\r\n".to_vec();
    let server = Server::lottery(2).start();
    let agency = Program::agency(&good, server.address);
    for (file, reason) in [
        (semicolons, "its fields are separated by ';', expected ','"),
        (utf_16.collect(), "it is UTF-16, expected UTF-8"),
        (header, "expected rows of first_name,last_name,document"),
    ] {
        agency.write("bets.csv", file);
        let ended = agency.run();
        ended.expect_complaint(1, &format!("no row of …bets.csv is a bet: …{reason}"));
        assert_eq!(ended.log.count("in_progress"), 0, "{ended:#?}");
    }
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
