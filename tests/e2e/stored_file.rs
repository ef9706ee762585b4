//! `bets.csv`, as the course's `store_bets` writes it and its `load_bets` reads it.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::kit::{Bet, Server, has_python};

/// First and last names, and both as Python's `csv.writer` writes them.
const NAMES: &[(&str, &str, &str)] = &[
    ("María José", "Núñez Ñandú", "María José,Núñez Ñandú"),
    ("Juan", "García, hijo", "Juan,\"García, hijo\""),
    ("Juan \"Tito\"", "Paz", "\"Juan \"\"Tito\"\"\",Paz"),
    ("\"\"", ",\",", "\"\"\"\"\"\",\",\"\",\""),
    (" Ana ", "  ", " Ana ,  "),
    ("#D'Angelo", "=1+1;b|c\\n", "#D'Angelo,=1+1;b|c\\n"),
    ("日本 🎲", "\u{a0}\u{2028}", "日本 🎲,\u{a0}\u{2028}"),
];

/// Copies a CSV file as the course's Python reads and writes it.
const COPY: &str = "import csv, io, sys
rows = csv.reader(io.TextIOWrapper(sys.stdin.buffer, 'utf-8', newline=''))
out = io.TextIOWrapper(sys.stdout.buffer, 'utf-8', newline='')
csv.writer(out, quoting=csv.QUOTE_MINIMAL).writerows(rows)
out.flush()";

#[test]
fn any_name_is_written_as_python_writes_and_reads_it() {
    let server = Server::lottery(1).start();
    let bet = |names: &(&str, &str, &str)| Bet::losing(1, 7).named(names.0, names.1);
    let bets: Vec<Bet> = NAMES.iter().map(bet).collect();
    server.connect().store(&bets);
    let row = |names: &(&str, &str, &str)| format!("1,{},7,1999-03-17,1234\r\n", names.2);
    assert_eq!(server.bets(), NAMES.iter().map(row).collect::<String>());
    if !has_python() {
        return;
    }
    let mut python = Command::new("python3");
    python.args(["-c", COPY]).stdin(Stdio::piped());
    let mut python = python.stdout(Stdio::piped()).spawn().unwrap();
    let mut input = python.stdin.take().unwrap();
    input.write_all(server.bets().as_bytes()).unwrap();
    drop(input);
    let copied = python.wait_with_output().unwrap().stdout;
    assert_eq!(String::from_utf8(copied).unwrap(), server.bets());
}
