//! What the server leaves on the disk: what the course's `store_bets` writes, to the byte.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::io::Write;
use std::process::{Command, Stdio};

use lottery_e2e::dataset::rows_of;
use lottery_e2e::wire::{self, ALL_BETS_SENT, HandBet, losing_bets};
use lottery_e2e::{Answer, ServerSetup};

/// First and last names, and both as Python's `csv.writer` writes them.
const NAMES: &[(&str, &str, &str)] = &[
    ("Santiago Lionel", "Lorca", "Santiago Lionel,Lorca"),
    ("María José", "Núñez Ñandú", "María José,Núñez Ñandú"),
    ("Juan", "García, hijo", "Juan,\"García, hijo\""),
    ("Juan \"Tito\"", "Paz", "\"Juan \"\"Tito\"\"\",Paz"),
    ("\"", ",", "\"\"\"\",\",\""),
    ("\"\"", ",\",", "\"\"\"\"\"\",\",\"\",\""),
    (" Ana ", "  ", " Ana ,  "),
    ("D'Angelo", "`x`", "D'Angelo,`x`"),
    ("#Ana", "=1+1", "#Ana,=1+1"),
    ("a;b|c", "\\n", "a;b|c,\\n"),
    ("Zoë", "日本 🎲", "Zoë,日本 🎲"),
    ("e\u{301}", "\u{a0}\u{2028}", "e\u{301},\u{a0}\u{2028}"),
];

/// The file that a server writes for bets under all of [`NAMES`].
fn stored_file() -> String {
    let server = ServerSetup::lottery(1).start();
    let bets: Vec<HandBet> = NAMES
        .iter()
        .map(|(first_name, last_name, _)| HandBet::new(1, 1, 7).named(first_name, last_name))
        .collect();
    server.connect().store(&bets);
    assert_eq!(server.connect().hello(1), Answer::welcome(&bets, 0));
    server.setup().bets_file()
}

#[test]
fn bets_are_written_as_pythons_csv_writer_writes_them() {
    let rows = NAMES
        .iter()
        .map(|(.., names)| format!("1,{names},1,1999-03-17,7\r\n"));
    assert_eq!(stored_file(), rows.collect::<String>());
}

#[test]
fn bets_are_written_as_the_python_of_this_machine_writes_them() {
    const SCRIPT: &str = "import csv, sys
names = sys.stdin.buffer.read().decode().split('\\n')
out = open(sys.stdout.fileno(), 'w', newline='', encoding='utf-8', closefd=False)
writer = csv.writer(out, quoting=csv.QUOTE_MINIMAL)
for first, last in zip(names[::2], names[1::2]):
    writer.writerow([1, first, last, '1', '1999-03-17', 7])
out.flush()
";
    let can_run = Command::new("python3").args(["-c", "import csv"]).status();
    if !can_run.is_ok_and(|status| status.success()) {
        eprintln!("skipped: python3 cannot be run here");
        return;
    }
    let mut python = Command::new("python3")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let names: Vec<&str> = NAMES
        .iter()
        .flat_map(|(first_name, last_name, _)| [*first_name, *last_name])
        .collect();
    let mut input = python.stdin.take().unwrap();
    input.write_all(names.join("\n").as_bytes()).unwrap();
    drop(input);
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(stored_file(), String::from_utf8(output.stdout).unwrap());
}

#[test]
fn a_closing_is_the_agency_its_count_and_its_crc_in_decimal() {
    let server = ServerSetup::lottery(3).start();
    let mut expected = String::new();
    // An agency without bets closes too.
    for (agency, count) in [(2, 5), (1, 300), (3, 0)] {
        let bets = losing_bets(agency, count);
        let mut connection = server.connect();
        connection.hello(agency);
        connection.store(&bets);
        connection.send(&ALL_BETS_SENT);
        server.wait_for_closing(agency);
        expected += &format!("{agency},{count},{}\r\n", wire::crc(&bets));
    }
    assert_eq!(server.setup().closings_file(), expected);
}

#[test]
fn each_agencys_bets_are_in_the_order_in_which_it_sent_them() {
    let server = ServerSetup::lottery(3).start();
    let mut agencies: Vec<_> = (1..=3)
        .map(|number| (server.connect(), losing_bets(number, 200)))
        .collect();
    for batch in 0..20 {
        for (connection, bets) in &mut agencies {
            connection.send(&wire::register_bets(&bets[batch * 10..][..10]));
        }
    }
    for (connection, _) in &mut agencies {
        for _ in 0..20 {
            connection.expect(Answer::Stored);
        }
    }
    let file = server.setup().bets_file();
    for (number, (_, bets)) in (1..).zip(&agencies) {
        assert_eq!(rows_of(&file, number), wire::rows(bets));
    }
}
