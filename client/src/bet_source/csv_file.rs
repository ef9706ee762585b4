//! Bets from a CSV file: `first_name,last_name,document,birthdate,number`, no header.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use lottery_core::bet::Bet;
use lottery_core::csv_row::{NoRow, Quoting, Splitter};
use lottery_core::lines::{Line, Lines};
use lottery_program::files::open_regular;
use memchr::memchr;
use thiserror::Error;

use super::{BetSource, SourceError};
use crate::signals::Signals;

/// The longest line that is parsed; the longest valid row has some 1,100 bytes. A row of several lines,
/// which is no bet, is followed for as many bytes: a quote that is still open after them was not meant
/// to open a field.
const LINE_BYTES_MAX: usize = 4096;

/// Some programs mark a file as UTF-8 with these bytes at its beginning.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

const FIELDS: &str = "first_name,last_name,document,birthdate,number";

/// What some programs write between fields instead of a comma.
const OTHER_SEPARATORS: [char; 3] = [';', '\t', '|'];

/// An invalid row: where it is and what is wrong with it.
#[derive(Clone, Debug, Error)]
#[error("{} line {line}: {problem}", path.display())]
pub struct RowError {
    /// The file.
    pub path: PathBuf,
    /// The line where the row begins, from 1.
    pub line: u64,
    /// What is wrong.
    pub problem: String,
}

/// An agency's file, read as it is needed and never held whole.
///
/// Rows are those that Python's `csv` sees: lines end in LF or CRLF, empty ones are skipped, and a
/// quoted field may span several lines, which makes these one row, and no bet. When a quote is still
/// open at the end of a line, more than 4096 bytes after the row's beginning, everything up to and
/// including the next line with a quote is skipped as one row. A carriage return alone ends no row; it
/// is a control character like any other.
pub struct CsvFile<R> {
    agency: u32,
    path: PathBuf,
    signals: Signals,
    lines: Lines<File>,
    splitter: Splitter,
    /// Rows that begin up to this line were reported when they were read before.
    reported_to: u64,
    rejected: u64,
    has_bets: bool,
    report: R,
}

impl<R: FnMut(&RowError)> CsvFile<R> {
    /// Opens the file of `agency`; `report` gets each invalid row once. Fails when it is not a regular
    /// file, or cannot be read.
    pub fn open(agency: u32, path: &Path, report: R) -> io::Result<CsvFile<R>> {
        Ok(CsvFile {
            agency,
            path: path.to_owned(),
            signals: Signals::none(),
            lines: Lines::new(open_regular(path)?, LINE_BYTES_MAX),
            splitter: Splitter::default(),
            reported_to: 0,
            rejected: 0,
            has_bets: false,
            report,
        })
    }

    /// These signals end the reading, however long the file is.
    pub fn heeding(self, signals: Signals) -> CsvFile<R> {
        CsvFile { signals, ..self }
    }

    fn find_bet<T>(&mut self, take: impl FnOnce(&Bet<'_>) -> T) -> io::Result<Option<T>> {
        loop {
            let is_first = self.lines.number() == 0;
            let Some((piece, is_cut)) = next_piece(&mut self.lines, &self.signals)? else {
                return Ok(None);
            };
            let row = match piece.strip_prefix(BYTE_ORDER_MARK) {
                Some(row) if is_first => row,
                _ => piece,
            };
            let bytes = row.len();
            if is_cut {
                let quoting = Quoting::default().after(row);
                self.skip_row(quoting, is_cut, bytes)?;
                continue;
            }
            let row = row.strip_suffix(b"\r").unwrap_or(row);
            if row.is_empty() {
                continue;
            }
            let problem = match self.splitter.fields(row) {
                Ok(fields) => match Bet::from_text(self.agency, fields) {
                    Ok(bet) => {
                        self.has_bets = true;
                        return Ok(Some(take(&bet)));
                    }
                    Err(invalid) => invalid.to_string(),
                },
                Err(NoRow::Open { .. }) => {
                    self.skip_row(Quoting::Open, is_cut, bytes)?;
                    continue;
                }
                Err(count) => format!("{count}: {FIELDS}"),
            };
            self.reject(self.lines.number(), problem);
        }
    }

    /// Skips to the end of an invalid row, `bytes` bytes of which were read, and rejects it.
    fn skip_row(
        &mut self,
        mut quoting: Quoting,
        mut is_cut: bool,
        mut bytes: usize,
    ) -> io::Result<()> {
        let first_line = self.lines.number();
        let mut last_line = first_line;
        let mut is_lost = false;
        while is_cut || quoting.is_open() {
            is_lost |= !is_cut && bytes > LINE_BYTES_MAX;
            let Some((piece, is_piece_cut)) = next_piece(&mut self.lines, &self.signals)? else {
                break;
            };
            if !is_lost {
                quoting = quoting.after(piece);
            } else if memchr(b'"', piece).is_some() {
                quoting = Quoting::Plain;
            }
            bytes += piece.len();
            is_cut = is_piece_cut;
            last_line = self.lines.number();
        }
        let problem = if is_lost || quoting.is_open() {
            format!("unclosed quote; skipped up to line {last_line}")
        } else if last_line > first_line {
            format!("a quoted field spans lines {first_line} to {last_line}; a bet is one line")
        } else {
            format!("longer than {LINE_BYTES_MAX} bytes")
        };
        self.reject(first_line, problem);
        Ok(())
    }

    fn reject(&mut self, line: u64, problem: String) {
        if line > self.reported_to {
            self.reported_to = line;
            self.rejected += 1;
            let path = self.path.clone();
            (self.report)(&RowError {
                path,
                line,
                problem,
            });
        }
    }
}

impl<R: FnMut(&RowError)> BetSource for CsvFile<R> {
    fn rewind(&mut self) -> Result<(), SourceError> {
        let result = self.lines.rewind();
        result.map_err(|error| SourceError::Read(self.path.clone(), error))
    }

    /// A file that has rows and no bet is not that of an agency without bets, and an error.
    fn next_bet<T>(&mut self, take: impl FnOnce(&Bet<'_>) -> T) -> Result<Option<T>, SourceError> {
        let result = match self.find_bet(take) {
            Ok(None) if !self.has_bets && self.rejected > 0 => match what_is_wrong(&self.path) {
                Ok(what) => return Err(SourceError::NoBets(self.path.clone(), what)),
                Err(error) => Err(error),
            },
            result => result,
        };
        result.map_err(|error| SourceError::Read(self.path.clone(), error))
    }

    fn rejected(&self) -> u64 {
        self.rejected
    }

    fn offset(&self) -> u64 {
        self.lines.offset()
    }
}

/// The next line, or a piece of one that is too long, and whether more of the line follows.
fn next_piece<'a>(
    lines: &'a mut Lines<File>,
    signals: &Signals,
) -> io::Result<Option<(&'a [u8], bool)>> {
    signals.check()?;
    Ok(lines.next_line()?.map(|line| match line {
        Line::Whole(piece) | Line::Unended(piece) => (piece, false),
        Line::Cut(piece) => (piece, true),
    }))
}

/// What is wrong with a file that has rows and no bet, by its beginning.
fn what_is_wrong(path: &Path) -> io::Result<String> {
    let mut beginning = Vec::new();
    let mut file = open_regular(path)?.take(LINE_BYTES_MAX as u64);
    file.read_to_end(&mut beginning)?;
    let is_marked = beginning.starts_with(b"\xff\xfe") || beginning.starts_with(b"\xfe\xff");
    if is_marked || memchr(0, &beginning).is_some() {
        return Ok("it is UTF-16, expected UTF-8".to_owned());
    }
    let text = String::from_utf8_lossy(&beginning);
    let row = text.lines().find(|line| !line.is_empty());
    let row = row.unwrap_or_default();
    let is_separator = |separator: &char| row.matches(*separator).count() == 4;
    Ok(match OTHER_SEPARATORS.into_iter().find(is_separator) {
        Some(separator) => format!("its fields are separated by {separator:?}, expected ','"),
        None => format!("expected rows of {FIELDS}"),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The documents of the bets in a file, and then what was reported: a line, and its problem. Or what is
    /// wrong with the file.
    fn outcome(bytes: &[u8]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agency-3.csv");
        fs::write(&path, bytes).unwrap();
        let mut reported = Vec::new();
        let report = |error: &RowError| reported.push(format!("{} {}", error.line, error.problem));
        let mut source = CsvFile::open(3, &path, report).unwrap();
        let mut documents = Vec::new();
        // Twice, because a row is reported once however often it is read.
        for _ in 0..2 {
            source.rewind().unwrap();
            documents.clear();
            loop {
                match source.next_bet(|bet| bet.document.to_string()) {
                    Ok(Some(document)) => documents.push(document),
                    Ok(None) => break,
                    Err(SourceError::NoBets(_, reason)) => return vec![reason],
                    Err(error) => panic!("{error}"),
                }
            }
        }
        let rejected = source.rejected();
        drop(source);
        assert_eq!(rejected, reported.len() as u64);
        [documents, reported].concat()
    }

    /// Expects an outcome, of whose parts the beginnings are given.
    fn expect(file: &[u8], expected: &str) {
        let found = outcome(file);
        let expected: Vec<_> = expected.split_terminator(" | ").collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        let mut parts = found.iter().zip(&expected);
        let is_right = parts.all(|(found, expected)| found.starts_with(expected));
        assert!(is_right, "{found:?}, expected {expected:?}");
    }

    /// A file, where `¶` is a line feed and `←` a carriage return, `@` and `#` are bets of DNI 1 and 2, `Z` is
    /// as much as fits into a line, `^` marks UTF-8; and the outcome.
    const FILES: &str = r##"
Ends of lines, and empty ones.
 =>
←¶¶ =>
@¶#¶ => 1 | 2
@←¶←¶¶#←¶←¶ => 1 | 2
@¶#← => 1 | 2
^@¶# => 1 | 2
A carriage return alone ends no row, and two bets are made of it neither.
@¶#←#¶# => 1 | 2 | 2 9 fields
@¶^#¶few,fields¶#,¶ => 1 | 2 | 3 2 fields | 4 6 fields
@¶Ana,Paz,1,1999-02-30,7 => 1 | 2 birthdate
@¶Ana,,1,1999-03-17,7¶# => 1 | 2 | 2 last_name
@¶Ana,Paz,,1999-03-17,7¶# => 1 | 2 | 2 document
The first half of a long row would be a bet, on another number.
@¶Ana,Paz,1,1999-03-17,00ZZ7¶# => 1 | 2 | 2 longer than 4096 bytes
^Ana,Paz,1,1999-03-17,Z7¶#,ZZZ¶#¶Z => 2 | 1 longer than 4096 bytes | 2 longer than 4096 bytes | 4 1 fields
Quotes that are closed in their line, or open no field.
"Ana ""la""","Paz, hija",2,1999-03-17,"7"¶ => 2
@¶Eva "la,#¶"Eva""",#¶"Eva" "la,#¶# => 1 | 2 | 2 6 fields | 3 6 fields | 4 6 fields
One row of several lines, no part of which is a bet.
@¶"Ana¶#¶"¶# => 1 | 2 | 2 a quoted field spans lines 2 to 4;
@¶Ana,Paz,1,1999-03-17,"7←¶"←¶# => 1 | 2 | 2 a quoted field spans lines 2 to 3;
@¶"""←¶#¶"",¶"x¶# => 1 | 2 | 2 a quoted field spans lines 2 to 5;
@¶x←"¶#¶"¶# => 1 | 2 | 2 a quoted field spans lines 2 to 4;
^"Ana¶#"¶# => 2 | 1 a quoted field spans lines 1 to 2;
Open for too long, up to the next quote, or to the end of the file.
@¶"Z¶#¶#,"la¶# => 1 | 2 | 2 unclosed quote; skipped up to line 4
@¶"ZZ¶#¶ZZ"Z,"¶# => 1 | 2 | 2 unclosed quote; skipped up to line 4
@¶ZZ,"¶#¶"¶# => 1 | 2 | 2 unclosed quote; skipped up to line 4
@¶"# => 1 | 2 unclosed quote; skipped up to line 2
@¶"Z¶#¶#¶ => 1 | 2 unclosed quote; skipped up to line 4
Another file than was meant.
Ana;Paz;1;1999-03-17;7 => its fields are separated by ';', expected ','
¶Ana→Paz→1→1999-03-17→7 => its fields are separated by '\t', expected ','
¶¶name,number¶ => expected rows of first_name,last_name,document,birthdate,number"##;

    /// Rows are those of Python 3.11's `csv.reader`, but where a quote is open for too long.
    #[test]
    fn a_row_that_is_no_bet_is_reported_once_with_its_lines_and_without_a_bet_the_file_is_wrong() {
        for (file, expected) in FILES.lines().filter_map(|case| case.split_once(" =>")) {
            let file = file.replace('Z', &"0".repeat(LINE_BYTES_MAX));
            let file = file.replace('¶', "\n").replace('←', "\r");
            let file = file.replace('→', "\t").replace('^', "\u{feff}");
            let file = file.replace('@', "Ana,Paz,1,1999-03-17,7");
            let file = file.replace('#', "Eva,Paz,2,1999-03-17,7");
            expect(file.as_bytes(), expected.trim_start());
        }
        expect(
            b"An\xff,Paz,1,1999-03-17,7\nEva,Paz,2,1999-03-17,7",
            "2 | 1 first_name",
        );
        for utf_16 in [&b"A\0n\0a\0"[..], b"\xfe\xff\x4e\x2d"] {
            expect(utf_16, "it is UTF-16, expected UTF-8");
        }
    }
}
