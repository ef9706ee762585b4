//! An agency's CSV file: each line is a bet, a complaint with the line's number, or empty; which, is
//! what the `csv` crate and the rules make of that line alone.

use std::cell::RefCell;

use client::bet_source::{BetSource, CsvFile, RowError, RowProblem};
use csv::{ByteRecord, ReaderBuilder, Terminator};
use lottery_core::bet::{Bet, BetText, Field};
use lottery_core::csv_row::WrongCount;
use lottery_core::protocol::bet_encoding;

use crate::TODAY;
use crate::scratch::with_file;

const AGENCY: u32 = 3;
const LINE_BYTES_MAX: usize = 4096;

/// A file of any contents.
pub fn check(contents: &[u8]) {
    let mut encodings = Vec::new();
    let mut complaints = Vec::new();
    for (line, number) in contents.split(|byte| *byte == b'\n').zip(1..) {
        match judge(line, number == 1) {
            None => {}
            Some(Ok(encoding)) => encodings.push(encoding),
            Some(Err(problem)) => complaints.push((number, problem)),
        }
    }
    let found = read(contents);
    assert_eq!(found.0, encodings);
    assert_eq!(found.1, complaints);
}

type Complaints = Vec<(u64, RowProblem)>;

/// What the source makes of the file: its bets, encoded, and its complaints.
fn read(contents: &[u8]) -> (Vec<Vec<u8>>, Complaints) {
    let complaints = RefCell::new(Vec::new());
    let encodings = with_file(contents, |path| {
        let report = |error: &RowError| {
            assert_eq!(error.path, path);
            let text = error.problem.to_string();
            assert!(!text.contains('\n') && text.len() < 1000, "{text:?}");
            complaints
                .borrow_mut()
                .push((error.line, error.problem.clone()));
        };
        let mut source = CsvFile::open(AGENCY, path, TODAY, report).unwrap();
        let first = encodings(&mut source);
        source.rewind().unwrap();
        assert_eq!(encodings(&mut source), first, "another time, other bets");
        assert_eq!(source.rejected(), complaints.borrow().len() as u64);
        first
    });
    (encodings, complaints.into_inner())
}

fn encodings(source: &mut impl BetSource) -> Vec<Vec<u8>> {
    let mut encodings = Vec::new();
    let mut encode = |bet: &Bet<'_>| {
        let mut encoding = Vec::new();
        bet_encoding::encode(bet, &mut encoding);
        assert_eq!(
            bet_encoding::decode(&encoding).unwrap().check(TODAY),
            Ok(*bet)
        );
        encodings.push(encoding);
    };
    while source.next_bet(&mut encode).unwrap().is_some() {}
    encodings
}

/// What is to be made of a line, given without its line feed: its bet, encoded, or the problem.
fn judge(line: &[u8], is_first: bool) -> Option<Result<Vec<u8>, RowProblem>> {
    if line.len() > LINE_BYTES_MAX {
        return Some(Err(RowProblem::TooLong));
    }
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let row = match line.strip_prefix("\u{feff}".as_bytes()) {
        Some(row) if is_first => row,
        _ => line,
    };
    if row.is_empty() {
        return None;
    }
    let fields = fields(row);
    if fields.len() != 5 {
        let found = fields.len();
        return Some(Err(WrongCount { found, expected: 5 }.into()));
    }
    let text = BetText {
        first_name: &fields[0],
        last_name: &fields[1],
        document: &fields[2],
        birthdate: &fields[3],
        number: &fields[4],
    };
    let names = [text.first_name, text.last_name];
    Some(match Bet::from_text(AGENCY, &text, TODAY) {
        Ok(bet) => {
            assert!(names.into_iter().all(is_name), "{bet:?}");
            for (name, bytes) in [bet.first_name, bet.last_name].into_iter().zip(names) {
                let needs_quotes = bytes.contains(&b',') || bytes.contains(&b'"');
                assert_eq!(name.needs_quotes(), needs_quotes, "{name}");
            }
            let mut encoding = Vec::new();
            bet_encoding::encode(&bet, &mut encoding);
            Ok(encoding)
        }
        Err(invalid) => {
            let is_about_a_name = matches!(invalid.field, Field::FirstName | Field::LastName);
            assert_eq!(
                is_about_a_name,
                !names.into_iter().all(is_name),
                "{invalid}"
            );
            Err(invalid.into())
        }
    })
}

/// The rule for names, said in another way than production says it.
fn is_name(bytes: &[u8]) -> bool {
    let has_control = |name: &str| name.chars().any(char::is_control);
    (1..=255).contains(&bytes.len())
        && std::str::from_utf8(bytes).is_ok_and(|name| !has_control(name))
}

/// The row behind another one, so that the library does not take it for the beginning of a file.
fn fields(row: &[u8]) -> ByteRecord {
    let rows = [b"first\n", row].concat();
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .terminator(Terminator::Any(b'\n'))
        .from_reader(&rows[..]);
    reader.byte_records().nth(1).unwrap().unwrap()
}
