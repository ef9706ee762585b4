//! The agency's file: rows that are no bets, line ends, and files that cannot be read.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::fs;
use std::path::Path;

use lottery_e2e::dataset::expect_all_stored;
use lottery_e2e::wire::{HandBet, WINNING_NUMBER, losing_bets};
use lottery_e2e::{ClientSetup, Dataset, ServerSetup, log, nowhere};

const FIELDS: &str = "fields, expected 5: first_name,last_name,document,birthdate,number";
const NAME: &str = "1 to 255 bytes of UTF-8 without control characters";
const DATE: &str = "a real date, YYYY-MM-DD, from 1900-01-01 to today";
const DOCUMENT: &str = "a whole number from 1 to 4294967295";
const NUMBER: &str = "a whole number from 0 to 9999";

/// Rows that are no bets, and what is said of each.
fn bad_rows() -> Vec<(Vec<u8>, String)> {
    let mut rows = Vec::new();
    for (row, fields) in [
        ("Ana", 1),
        ("Ana,Paz,101,1999-03-17", 4),
        ("Ana,Paz,101,1999-03-17,7574,7574", 6),
        (" ", 1),
        ("\"Ana,Paz,101,1999-03-17,7574", 1),
        ("Ana,\"Paz,101,1999-03-17,7574", 2),
    ] {
        rows.push((row.into(), format!("{fields} {FIELDS}")));
    }
    let long_name = "x".repeat(256);
    for (field, value, said, expected) in [
        ("birthdate", "1999-02-30", "1999-02-30", DATE),
        ("birthdate", "1900-02-29", "1900-02-29", DATE),
        ("birthdate", "1899-12-31", "1899-12-31", DATE),
        ("birthdate", "9999-12-31", "9999-12-31", DATE),
        ("birthdate", "17/03/1999", "17/03/1999", DATE),
        ("number", "10000", "10000", NUMBER),
        ("number", "-1", "-1", NUMBER),
        ("number", " 7574", " 7574", NUMBER),
        ("number", "", "", NUMBER),
        ("document", "0", "0", DOCUMENT),
        ("document", "4294967296", "4294967296", DOCUMENT),
        ("first_name", "", "", NAME),
        ("first_name", &long_name, &long_name[..64], NAME),
        // What a value says cannot end the line or begin another part of it.
        ("last_name", "P\tz", "P\\tz", NAME),
        ("last_name", "", "", NAME),
    ] {
        let value_of = |name, usual| if name == field { value } else { usual };
        let row = [
            value_of("first_name", "A|na|"),
            value_of("last_name", "Paz"),
            value_of("document", "101"),
            value_of("birthdate", "1999-03-17"),
            value_of("number", "7574"),
        ];
        let reason = format!("{field} \"{said}\" is not valid, expected {expected}");
        rows.push((row.join(",").into(), reason));
    }
    let not_text = format!("last_name \"P\u{fffd}z\" is not valid, expected {NAME}");
    rows.push((b"Ana,P\xe1z,101,1999-03-17,7574".to_vec(), not_text));
    rows.push((vec![b'x'; 1_000_000], "longer than 4096 bytes".to_owned()));
    rows
}

#[test]
fn rows_that_are_no_bets_are_reported_with_file_line_field_and_reason_and_the_rest_goes_on() {
    let bad_rows = bad_rows();
    let mut bets = losing_bets(1, bad_rows.len() as u32);
    bets.push(HandBet::new(1, 102, WINNING_NUMBER));
    let good = Dataset::of(1, &bets);
    // A bad row after each good one but the last.
    let mut file = Vec::new();
    let mut bad = bad_rows.iter();
    for row in good.file().split_inclusive("\r\n") {
        file.extend_from_slice(row.as_bytes());
        if let Some((row, _)) = bad.next() {
            file.extend_from_slice(row);
            file.extend_from_slice(b"\r\n");
        }
    }
    let server = ServerSetup::lottery(1).start();
    let setup = ClientSetup::agency(1, server.address()).data(file);
    let expected: Vec<String> = bad_rows
        .iter()
        .zip(1..)
        .map(|((_, reason), bad_row)| {
            format!(
                "action: leer_apuesta | result: fail | archivo: {} | linea: {} | error: {reason}",
                setup.data_path().display(),
                2 * bad_row,
            )
        })
        .collect();
    // The second run finds everything stored and has the same to say.
    for _ in 0..2 {
        let ended = setup.start().wait_for_end();
        assert_eq!(ended.code, Some(1), "{ended:#?}");
        assert_eq!(ended.complaints, [""; 0]);
        assert_eq!(ended.winners(), [102]);
        let reported: Vec<&str> = ended
            .log
            .iter()
            .map(|line| log::event(line))
            .filter(|event| event.starts_with("action: leer_apuesta"))
            .collect();
        assert_eq!(reported, expected);
        let left_out = "action: filas_rechazadas | result: fail";
        let left_out = &ended.log[log::position(&ended.log, left_out)];
        assert_eq!(log::value(left_out, "cantidad"), bad_rows.len().to_string());
        expect_all_stored(server.setup(), std::slice::from_ref(&good));
    }
    assert_eq!(log::count(&server.terminate().log, "result: fail"), 0);
}

#[test]
fn a_file_with_no_good_row_is_an_agency_without_bets() {
    let server = ServerSetup::lottery(1).start();
    let ended = ClientSetup::agency(1, server.address())
        .data("first_name,last_name,document,birthdate,number\r\n")
        .start()
        .wait_for_end();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert_eq!(ended.winners(), []);
    expect_all_stored(server.setup(), &[Dataset::of(1, &[])]);
}

#[test]
fn lines_may_end_in_any_way_and_may_be_empty_and_quotes_are_kept_where_they_must_be() {
    let stored = "Ana,\"Paz, \"\"Ñata\"\"\",7,1999-03-17,7574\r\nEva,Sosa,8,2000-02-29,0\r\n";
    let rows: Vec<&str> = stored.lines().collect();
    let (ana, eva) = (rows[0], rows[1]);
    for file in [
        format!("{ana}\r\n{eva}\r\n"),
        format!("{ana}\n{eva}\n"),
        format!("{ana}\r\n{eva}"),
        format!("\r\n{ana}\n\n\r\n{eva}\n\n"),
        format!("\u{feff}{ana}\n{eva}\n"),
        format!("{ana}\n\"Eva\",\"Sosa\",\"8\",\"2000-02-29\",\"0\"\n"),
    ] {
        let server = ServerSetup::lottery(1).start();
        let ended = ClientSetup::agency(1, server.address())
            .data(&file)
            .start()
            .wait_for_end();
        assert_eq!(ended.code, Some(0), "{file:?}: {ended:#?}");
        assert_eq!(ended.winners(), [7], "{file:?}");
        let expected = format!("1,{ana}\r\n1,{eva}\r\n");
        assert_eq!(server.setup().bets_file(), expected, "{file:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_complained_of_in_one_line_with_exit_code_2() {
    let setup = ClientSetup::agency(1, nowhere());
    fs::create_dir(setup.folder().join("folder")).unwrap();
    fs::write(setup.folder().join("file"), "").unwrap();
    for (path, reason) in [
        ("missing.csv", "No such file"),
        ("folder", "is a directory"),
        ("file/bets.csv", "Not a directory"),
        ("", "is not valid"),
    ] {
        let ended = setup.clone().flag("data-path", path).start().wait_for_end();
        let quoted = format!("{path:?}");
        ended.expect_complaint(2, &["data.path", &quoted, reason, "a readable CSV"]);
        assert_eq!(log::count(&ended.log, "action: connect"), 0);
    }
}

#[test]
fn the_agencys_number_stands_where_the_path_says_id() {
    let server = ServerSetup::lottery(7).start();
    for (path, flag) in [
        (".data/agency-7.csv", None),
        ("bets/7/of-7.csv", Some("bets/{id}/of-{id}.csv")),
    ] {
        let mut setup = ClientSetup::agency(7, server.address());
        let path = setup.folder().join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).unwrap();
        fs::write(&path, Dataset::of(7, &losing_bets(7, 3)).file()).unwrap();
        if let Some(flag) = flag {
            setup = setup.flag("data-path", flag);
        }
        let client = setup.start();
        server.wait_for_closing(7);
        // The second time there is nothing to close, so its own log says that it came that far.
        if flag.is_some() {
            client.wait_for_line("action: reanudar | result: success | apuestas: 3");
        }
        assert_eq!(client.terminate().code, Some(0));
    }
}
