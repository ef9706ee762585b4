//! The rows of the two files, as Python's `csv.writer` writes them with its defaults: fields
//! joined by commas, a field in quotes only when it must be, CRLF at the end.
//!
//! A valid bet has no control characters, so the quotes are needed for a comma or a quote alone,
//! and a line break always ends a row.

use super::tally::Tally;
use crate::bet::{Bet, BetText, Field, InvalidBet, parse_decimal};
use crate::csv_row::{Splitter, WrongCount};
use crate::date::{self, Date};
use crate::name::{NAME_BYTES_MAX, Name};

/// What ends a row.
pub const ROW_END: &[u8] = b"\r\n";

/// The most bytes of a row without its end: numbers of 10, 10 and 4 digits, a date, five commas, and
/// two names of nothing but quotes.
pub const ROW_BYTES_MAX: usize = 10 + 10 + 4 + date::ISO_BYTES + 5 + 2 * (2 * NAME_BYTES_MAX + 2);

/// Appends `agency,first_name,last_name,document,birthdate,number` and the row's end.
pub fn write_bet(bet: &Bet<'_>, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    out.extend_from_slice(digits.format(bet.agency).as_bytes());
    out.push(b',');
    write_name(bet.first_name, out);
    out.push(b',');
    write_name(bet.last_name, out);
    out.push(b',');
    out.extend_from_slice(digits.format(bet.document).as_bytes());
    out.push(b',');
    date::write_iso(bet.birthdate, out);
    out.push(b',');
    out.extend_from_slice(digits.format(bet.number).as_bytes());
    out.extend_from_slice(ROW_END);
}

fn write_name(name: Name<'_>, out: &mut Vec<u8>) {
    if !name.needs_quotes() {
        out.extend_from_slice(name.as_bytes());
        return;
    }
    out.push(b'"');
    for byte in name.as_bytes() {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

/// Reads rows; one lives as long as a file is read, for the sake of its buffer.
#[derive(Debug, Default)]
pub struct RowReader {
    splitter: Splitter,
    /// The last row as its values are written.
    canonical: Vec<u8>,
}

/// Why a row is none that this store wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRow {
    /// The row has another number of fields.
    #[error(transparent)]
    Fields(#[from] WrongCount),
    /// A field of a bet is not valid.
    #[error(transparent)]
    Bet(#[from] InvalidBet),
    /// A field of a closing is no number, or the agency is none.
    #[error("{field} {value:?} is not valid, expected a whole number")]
    Closing {
        /// The field's name.
        field: &'static str,
        /// Its value.
        value: String,
    },
    /// The values are fine, but not written as this store writes them.
    #[error("not written as expected, which is {expected:?}")]
    Form {
        /// The row that the values make.
        expected: String,
    },
}

const BET_FIELDS: usize = 6;
const CLOSING_FIELDS: usize = 3;

impl RowReader {
    /// The bet in a row of `bets.csv`, given without its end, as the program would write it.
    ///
    /// # Errors
    ///
    /// When the row is none that [`write_bet`] makes.
    pub fn read_bet<'a>(&'a mut self, row: &'a [u8]) -> Result<Bet<'a>, InvalidRow> {
        let RowReader {
            splitter,
            canonical,
        } = self;
        let [agency, first_name, last_name, document, birthdate, number] =
            splitter.fields::<BET_FIELDS>(row)?;
        let agency_number = parse_decimal(agency)
            .filter(|agency| *agency >= 1)
            .ok_or_else(|| InvalidBet::new(Field::Agency, agency))?;
        let text = BetText {
            first_name,
            last_name,
            document,
            birthdate,
            number,
        };
        // The day was checked when the bet was taken; a clock set back must not refuse the file.
        let bet = Bet::from_text(agency_number, &text, Date::MAX)?;
        let fields = [agency, first_name, last_name, document, birthdate, number];
        let needs_quotes = bet.first_name.needs_quotes() || bet.last_name.needs_quotes();
        if !needs_quotes && is_plain(row, &fields) {
            return Ok(bet);
        }
        canonical.clear();
        write_bet(&bet, canonical);
        expect_form(row, canonical)?;
        Ok(bet)
    }
}

/// Whether these fields are in the row as they stand, and no number of them has a zero in front: such
/// a row, and most are, is as the program writes it, which for the others takes writing it.
fn is_plain(row: &[u8], fields: &[&[u8]; BET_FIELDS]) -> bool {
    let [agency, _, _, document, _, number] = fields;
    let has_zero_in_front = |digits: &[u8]| digits.len() > 1 && digits[0] == b'0';
    let bytes: usize = fields.iter().map(|field| field.len()).sum();
    row.len() == bytes + BET_FIELDS - 1
        && ![agency, document, number]
            .into_iter()
            .any(|digits| has_zero_in_front(digits))
}

/// A row of `closings.csv`: an agency that has sent everything, and what that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    /// The agency.
    pub agency: u32,
    /// Its bets.
    pub tally: Tally,
}

impl Closing {
    /// Appends `agency,bets,crc32`, all in decimal, and the row's end.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut digits = itoa::Buffer::new();
        out.extend_from_slice(digits.format(self.agency).as_bytes());
        out.push(b',');
        out.extend_from_slice(digits.format(self.tally.bets).as_bytes());
        out.push(b',');
        out.extend_from_slice(digits.format(self.tally.crc).as_bytes());
        out.extend_from_slice(ROW_END);
    }

    /// The closing in a row of `closings.csv`, given without its end.
    ///
    /// # Errors
    ///
    /// When the row is none that [`Closing::write`] makes.
    pub fn read(row: &[u8]) -> Result<Closing, InvalidRow> {
        let mut splitter = Splitter::default();
        let [agency, bets, crc] = splitter
            .fields::<CLOSING_FIELDS>(row)?
            .map(|field| String::from_utf8_lossy(field).into_owned());
        let invalid = |field, value: &str| InvalidRow::Closing {
            field,
            value: value.into(),
        };
        let agency = parse_decimal(agency.as_bytes())
            .filter(|agency| *agency >= 1)
            .ok_or_else(|| invalid("agency", &agency))?;
        let closing = Closing {
            agency,
            tally: Tally {
                bets: bets.parse().map_err(|_| invalid("bets", &bets))?,
                crc: crc.parse().map_err(|_| invalid("crc32", &crc))?,
            },
        };
        let mut canonical = Vec::new();
        closing.write(&mut canonical);
        expect_form(row, &canonical)?;
        Ok(closing)
    }
}

/// Says that `row` is, to the byte, what its values are written as.
fn expect_form(row: &[u8], canonical: &[u8]) -> Result<(), InvalidRow> {
    let canonical = canonical.strip_suffix(ROW_END).unwrap_or(canonical);
    if row == canonical {
        return Ok(());
    }
    Err(InvalidRow::Form {
        expected: String::from_utf8_lossy(canonical).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    fn bet<'a>(first_name: &'a str, last_name: &'a str) -> Bet<'a> {
        Bet {
            agency: 3,
            first_name: Name::new(first_name.as_bytes()).unwrap(),
            last_name: Name::new(last_name.as_bytes()).unwrap(),
            document: 30_904_465,
            birthdate: date!(1999 - 03 - 17),
            number: 7,
        }
    }

    fn written(bet: &Bet<'_>) -> Vec<u8> {
        let mut row = Vec::new();
        write_bet(bet, &mut row);
        row
    }

    /// The expected rows are what Python 3.11's `csv.writer` wrote for the same fields.
    #[test]
    fn rows_are_those_of_pythons_csv_writer() {
        for (first_name, last_name, row) in [
            ("Ana", "Paz", "3,Ana,Paz,30904465,1999-03-17,7\r\n"),
            (
                "María José",
                "Núñez",
                "3,María José,Núñez,30904465,1999-03-17,7\r\n",
            ),
            (
                "Juan",
                "García, hijo",
                "3,Juan,\"García, hijo\",30904465,1999-03-17,7\r\n",
            ),
            (
                "Juan \"Tito\"",
                "Paz",
                "3,\"Juan \"\"Tito\"\"\",Paz,30904465,1999-03-17,7\r\n",
            ),
            ("\"", ",", "3,\"\"\"\",\",\",30904465,1999-03-17,7\r\n"),
            (
                " Ana ",
                "D'Angelo",
                "3, Ana ,D'Angelo,30904465,1999-03-17,7\r\n",
            ),
            ("#Ana", "a;b|c", "3,#Ana,a;b|c,30904465,1999-03-17,7\r\n"),
        ] {
            let bet = bet(first_name, last_name);
            assert_eq!(String::from_utf8(written(&bet)).unwrap(), row);
            let row = row.strip_suffix("\r\n").unwrap().as_bytes();
            assert_eq!(RowReader::default().read_bet(row), Ok(bet));
        }
    }

    #[test]
    fn the_longest_row_is_as_long_as_its_constant_says() {
        let quotes = "\"".repeat(NAME_BYTES_MAX);
        let longest = Bet {
            agency: u32::MAX,
            document: u32::MAX,
            number: 9999,
            ..bet(&quotes, &quotes)
        };
        assert_eq!(written(&longest).len(), ROW_BYTES_MAX + ROW_END.len());
    }

    #[test]
    fn rows_that_this_store_does_not_write_are_refused_with_the_reason() {
        for (row, reason) in [
            ("", "1 fields, expected 6"),
            ("3,Ana,Paz,30904465,1999-03-17", "5 fields, expected 6"),
            ("3,Ana,Paz,30904465,1999-03-17,7,8", "7 fields, expected 6"),
            ("3,\"Ana\",Paz,1,1999-03-17,7,8", "7 fields, expected 6"),
            ("3,\"Ana\",Paz,1,1999-03-17", "5 fields, expected 6"),
            (
                "0,Ana,Paz,30904465,1999-03-17,7",
                "agency \"0\" is not valid",
            ),
            (
                "3,Ana,Paz,30904465,1999-02-30,7",
                "birthdate \"1999-02-30\" is not valid",
            ),
            (
                "3,Ana,Paz,30904465,1999-03-17,10000",
                "number \"10000\" is not valid",
            ),
            (
                "3,Ana,Paz,30904465,1999-03-17,07",
                "not written as expected",
            ),
            (
                "3,\"Ana\",Paz,30904465,1999-03-17,7",
                "not written as expected",
            ),
            (
                "3,Ju\"an,Paz,30904465,1999-03-17,7",
                "not written as expected",
            ),
            ("3,\"Ana,Paz,30904465,1999-03-17,7", "2 fields, expected 6"),
        ] {
            let complaint = RowReader::default().read_bet(row.as_bytes()).unwrap_err();
            assert!(
                complaint.to_string().starts_with(reason),
                "{row}: {complaint}"
            );
        }
    }

    #[test]
    fn closings_are_read_as_written_and_in_no_other_form() {
        let closing = Closing {
            agency: 12,
            tally: Tally {
                bets: 26_936,
                crc: 0xcbf4_3926,
            },
        };
        let mut row = Vec::new();
        closing.write(&mut row);
        assert_eq!(row, b"12,26936,3421780262\r\n");
        assert_eq!(Closing::read(b"12,26936,3421780262"), Ok(closing));
        for row in [
            "",
            "12,26936",
            "12,26936,3421780262,",
            "x,1,2",
            "1,-1,2",
            "1,1,4294967296",
            "01,1,2",
            "0,0,0",
        ] {
            assert!(Closing::read(row.as_bytes()).is_err(), "{row}");
        }
    }
}
