//! Bets from a CSV file: `first_name,last_name,document,birthdate,number`, no header.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use lottery_core::bet::{Bet, BetText, InvalidBet};
use lottery_core::csv_row::{Splitter, WrongCount};
use lottery_core::date::Date;
use lottery_core::lines::{Line, Lines};
use thiserror::Error;

use super::{BetSource, SourceError};
use crate::interruption::Interruption;

/// The longest line that is looked at; the longest valid row has some 1,100 bytes.
const LINE_BYTES_MAX: usize = 4096;

/// Lines after which it is asked whether a signal came: some milliseconds' work.
const LINES_BETWEEN_CHECKS: u64 = 4096;

/// Some programs mark a file as UTF-8 with these bytes at its beginning.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A row that is no valid bet: where it is and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{} line {line}: {problem}", path.display())]
pub struct RowError {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: u64,
    /// What is wrong.
    pub problem: RowProblem,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RowProblem {
    /// It has another number of fields.
    #[error("{0}: first_name,last_name,document,birthdate,number")]
    Fields(#[from] WrongCount),
    /// A field is not valid.
    #[error(transparent)]
    Field(#[from] InvalidBet),
    /// It is longer than any bet.
    #[error("longer than {LINE_BYTES_MAX} bytes")]
    TooLong,
}

/// An agency's file, read as it is needed and never held whole. A line is a row; lines end in LF or
/// CRLF, and empty ones are skipped.
pub struct CsvFile<R> {
    agency: u32,
    path: PathBuf,
    today: Date,
    interruption: Interruption,
    lines: Lines<File>,
    splitter: Splitter,
    /// Lines up to this one were reported when they were read before.
    reported_to: u64,
    rejected: u64,
    report: R,
}

impl<R: FnMut(&RowError)> CsvFile<R> {
    /// Opens the file of `agency`; its bets are checked against the day `today`, and `report` is
    /// told of each row that is no valid bet, once.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened.
    pub fn open(agency: u32, path: &Path, today: Date, report: R) -> io::Result<CsvFile<R>> {
        let metadata = fs::metadata(path)?;
        // A folder can be opened, and only reading it fails; a device may have no end.
        let kind = metadata.file_type();
        if kind.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !kind.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is no regular file",
            ));
        }
        // Opened after that look at it, because opening a pipe waits for who writes into it.
        let file = File::open(path)?;
        Ok(CsvFile {
            agency,
            path: path.to_owned(),
            today,
            interruption: Interruption::never(),
            lines: Lines::new(file, LINE_BYTES_MAX),
            splitter: Splitter::default(),
            reported_to: 0,
            rejected: 0,
            report,
        })
    }

    /// Has a signal that `interruption` notes end the reading, however long the file is.
    pub fn heeding(self, interruption: Interruption) -> CsvFile<R> {
        CsvFile {
            interruption,
            ..self
        }
    }

    fn reject(&mut self, problem: RowProblem) {
        let line = self.lines.number();
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
        result.map_err(|error| unreadable(&self.path, error))
    }

    fn next_bet<T>(&mut self, take: impl FnOnce(&Bet<'_>) -> T) -> Result<Option<T>, SourceError> {
        loop {
            let lines_before = self.lines.number();
            if lines_before.is_multiple_of(LINES_BETWEEN_CHECKS) {
                self.interruption.check()?;
            }
            let line = self.lines.next_line();
            let line = line.map_err(|error| unreadable(&self.path, error))?;
            let row = match line {
                None => return Ok(None),
                Some(Line::Whole(row) | Line::Unended(row)) => row,
                Some(Line::TooLong) => {
                    self.reject(RowProblem::TooLong);
                    continue;
                }
            };
            let row = match row.strip_prefix(BYTE_ORDER_MARK) {
                Some(row) if lines_before == 0 => row,
                _ => row,
            };
            let row = row.strip_suffix(b"\r").unwrap_or(row);
            if row.is_empty() {
                continue;
            }
            match read_row(self.agency, row, &mut self.splitter, self.today) {
                Ok(bet) => return Ok(Some(take(&bet))),
                Err(problem) => self.reject(problem),
            }
        }
    }

    fn rejected(&self) -> u64 {
        self.rejected
    }
}

fn unreadable(path: &Path, error: io::Error) -> SourceError {
    SourceError::Read {
        path: path.to_owned(),
        error,
    }
}

fn read_row<'a>(
    agency: u32,
    row: &'a [u8],
    splitter: &'a mut Splitter,
    today: Date,
) -> Result<Bet<'a>, RowProblem> {
    let [first_name, last_name, document, birthdate, number] = splitter.fields(row)?;
    let text = BetText {
        first_name,
        last_name,
        document,
        birthdate,
        number,
    };
    Ok(Bet::from_text(agency, &text, today)?)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use time::macros::date;

    const TODAY: Date = date!(2026 - 11 - 21);
    const ANA: &str = "Ana,Paz,1,1999-03-17,7";

    /// The documents of the bets in a file of these bytes, and the complaints, by line.
    fn read(bytes: impl AsRef<[u8]>) -> (Vec<u32>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agency-3.csv");
        fs::write(&path, bytes).unwrap();
        let complaints = RefCell::new(Vec::new());
        let report = |error: &RowError| {
            let line = format!("{}: {}", error.line, error.problem);
            complaints.borrow_mut().push(line);
        };
        let mut source = CsvFile::open(3, &path, TODAY, report).unwrap();
        let mut documents = Vec::new();
        // Twice, because a row is complained about once however often it is read.
        for _ in 0..2 {
            source.rewind().unwrap();
            documents.clear();
            while let Some(document) = source.next_bet(|bet| bet.document).unwrap() {
                documents.push(document);
            }
        }
        let rejected = source.rejected();
        drop(source);
        let complaints = complaints.into_inner();
        assert_eq!(rejected, complaints.len() as u64);
        (documents, complaints)
    }

    #[test]
    fn lines_may_end_in_lf_or_crlf_or_with_the_file_and_empty_ones_are_skipped() {
        for bytes in [
            format!("{ANA}\n{ANA}\n"),
            format!("{ANA}\r\n{ANA}\r\n"),
            format!("{ANA}\n\n{ANA}"),
            format!("{ANA}\r\n{ANA}\r"),
            format!("\u{feff}{ANA}\r\n{ANA}\r\n\r\n"),
        ] {
            assert_eq!(read(bytes), (vec![1, 1], vec![]));
        }
        assert_eq!(read(""), (vec![], vec![]));
    }

    #[test]
    fn a_row_that_is_no_bet_is_reported_with_line_field_and_reason_and_the_rest_goes_on() {
        for (row, complaint) in [
            ("Ana,Paz,1,1999-03-17", "2: 4 fields, expected 5"),
            ("Ana,Paz,1,1999-03-17,7,8", "2: 6 fields, expected 5"),
            (
                "Ana,Paz,1,1999-02-30,7",
                "2: birthdate \"1999-02-30\" is not valid, expected a real date",
            ),
            (
                "Ana,Paz,1,1999-03-17,10000",
                "2: number \"10000\" is not valid",
            ),
            ("Ana,Paz,,1999-03-17,7", "2: document \"\" is not valid"),
            (",Paz,1,1999-03-17,7", "2: first_name \"\" is not valid"),
            ("\"Ana,Paz,1,1999-03-17,7", "2: 1 fields, expected 5"),
        ] {
            let (documents, complaints) = read(format!("{ANA}\r\n{row}\r\n{ANA}\r\n"));
            assert_eq!(documents, [1, 1], "{row}");
            assert_eq!(complaints.len(), 1, "{row}");
            assert!(complaints[0].starts_with(complaint), "{complaints:?}");
        }
    }

    #[test]
    fn broken_utf_8_spoils_its_row_alone() {
        let bytes = [
            ANA.as_bytes(),
            b"\nAn\xff,Paz,1,1999-03-17,7\n",
            ANA.as_bytes(),
        ]
        .concat();
        let (documents, complaints) = read(bytes);
        assert_eq!(documents, [1, 1]);
        assert!(complaints[0].starts_with("2: first_name \"An\u{fffd}\" is not valid"));
    }

    #[test]
    fn a_line_without_end_is_reported_and_not_kept() {
        let endless = "x".repeat(1_000_000);
        let (documents, complaints) = read(format!("{ANA}\n{endless}\n{ANA}\n{endless}"));
        assert_eq!(documents, [1, 1]);
        assert_eq!(
            complaints,
            ["2: longer than 4096 bytes", "4: longer than 4096 bytes"]
        );
    }

    /// The beginning of the line alone would be a bet, on another number.
    #[test]
    fn a_line_that_is_too_long_is_no_bet_even_if_its_beginning_is_one() {
        let zeros = "0".repeat(5000);
        for beginning in ["", "\u{feff}"] {
            let (documents, complaints) = read(format!("{beginning}Ana,Paz,1,1999-03-17,{zeros}7"));
            assert_eq!(documents, []);
            assert_eq!(complaints, ["1: longer than 4096 bytes"]);
        }
    }

    #[test]
    fn what_follows_a_carriage_return_in_a_row_is_not_left_out_in_silence() {
        let (documents, complaints) = read("\"Ana\",Paz,1,1999-03-17,7\rEva,Paz,2,1999-03-17,7\n");
        assert_eq!(documents, []);
        assert_eq!(complaints.len(), 1);
    }

    #[test]
    fn quoted_fields_may_hold_commas_and_quotes() {
        assert_eq!(
            read("\"Ana \"\"la\"\"\",\"Paz, hija\",2,1999-03-17,7\n"),
            (vec![2], vec![])
        );
    }
}
