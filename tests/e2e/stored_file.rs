//! `bets.csv`, as the course's `store_bets` writes it and its `load_bets` reads it.

use std::fs::File;
use std::process::Command;

use crate::kit::{Bet, Server, has_python, losing_bets, rows};

const NAMES: [(&str, &str); 7] = [
    ("María José", "Núñez Ñandú"),
    ("Juan", "García, hijo"),
    ("Juan \"Tito\"", "Paz"),
    ("\"\"", ",\","),
    (" Ana ", "  "),
    ("#D'Angelo", "=1+1;b|c\\n"),
    ("日本 🎲", "\u{a0}\u{2028}"),
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
    let bets = losing_bets(1, 7).into_iter().zip(NAMES);
    let bets: Vec<Bet> = bets
        .map(|(bet, names)| bet.named(names.0, names.1))
        .collect();
    server.connect().store(&bets);
    assert_eq!(server.bets(), rows(&bets));
    if !has_python() {
        return;
    }
    let mut python = Command::new("python3");
    python.args(["-c", COPY]);
    python.stdin(File::open(server.path("bets.csv")).unwrap());
    let copied = python.output().unwrap().stdout;
    assert_eq!(String::from_utf8(copied).unwrap(), server.bets());
}
