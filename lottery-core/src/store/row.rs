//! The rows of the three files, as Python's `csv.writer` writes them with its defaults: fields
//! joined by commas, a field in quotes only when it must be, CRLF at the end.
//!
//! A valid bet has no control characters, so the quotes are needed for a comma or a quote alone,
//! and a line break always ends a row.

use super::BETS_FILE;
use crate::bet::{Bet, Field, InvalidBet, parse_decimal};
use crate::csv_row::{self, NoRow, Splitter, WrongCount};
use crate::date;
use crate::encoding::Tally;
use crate::name::{NAME_BYTES_MAX, Name};

/// What ends a row.
pub const ROW_END: &[u8] = b"\r\n";

/// The most bytes of a row without its end: numbers of 10, 10 and 4 digits, a date, five commas, and
/// two names of nothing but quotes.
pub const ROW_BYTES_MAX: usize = 10 + 10 + 4 + date::ISO_BYTES + 5 + 2 * (2 * NAME_BYTES_MAX + 2);

/// The most bytes of a row with its end.
pub const LINE_BYTES_MAX: usize = ROW_BYTES_MAX + ROW_END.len();

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

/// Why a row is invalid.
#[derive(Debug, thiserror::Error)]
pub enum InvalidRow {
    #[error(transparent)]
    Fields(#[from] NoRow),
    #[error(transparent)]
    Bet(#[from] InvalidBet),
    #[error("{0} {1:?} is not valid, expected a whole number")]
    Number(&'static str, String),
    #[error("not written as expected, which is {0:?}")]
    Form(String),
    #[error("a second row for the same")]
    Twice,
    #[error(
        "agency {agency} finished with {} bets of CRC {}, but {BETS_FILE} has {} of CRC {}",
        closed.bets, closed.crc, stored.bets, stored.crc
    )]
    ClosingMismatch {
        agency: u32,
        closed: Tally,
        stored: Tally,
    },
    #[error("expected a row of at most {ROW_BYTES_MAX} bytes and CRLF")]
    End,
}

impl RowReader {
    /// The bet in a row of `bets.csv`, given without its end, if [`write_bet`] makes that row of it.
    pub fn read_bet<'a>(&'a mut self, row: &'a [u8]) -> Result<Bet<'a>, InvalidRow> {
        let [agency, text @ ..] = self.splitter.fields::<6>(row)?;
        let number = parse_decimal(agency).ok_or_else(|| InvalidBet::new(Field::Agency, agency))?;
        let bet = Bet::from_text(number, text)?;
        let needs_quotes = bet.first_name.needs_quotes() || bet.last_name.needs_quotes();
        if needs_quotes || !is_plain(row, agency, text) {
            self.canonical.clear();
            write_bet(&bet, &mut self.canonical);
            check_form(row, &self.canonical)?;
        }
        Ok(bet)
    }
}

/// Whether these fields are in the row as they stand, and no number of them has a zero in front. Such a
/// row, and most are, is canonical. Others are written again and compared.
fn is_plain(row: &[u8], agency: &[u8], text: [&[u8]; 5]) -> bool {
    let [_, _, document, _, number] = text;
    let bytes: usize = text.iter().map(|field| 1 + field.len()).sum();
    let mut numbers = [agency, document, number].into_iter();
    row.len() == agency.len() + bytes && numbers.all(|digits| digits == b"0" || digits[0] != b'0')
}

/// Whether the bytes are the beginning of a row that [`write_bet`] makes, as a crash in the middle of
/// an append leaves it: if some ending makes a good row of them.
pub fn is_beginning_of_bet(bytes: &[u8]) -> bool {
    const REST_OF_FIELD: [&str; 7] = ["", "1", "x", "\"", "\"\"", ",\"", "\",\""];
    const DAYS: [&str; 3] = ["1999-01-01", "2000-10-10", "1999-01-30"];
    const LATER_FIELDS: [&str; 6] = [
        ",x,x,1,1999-01-01,0",
        ",x,1,1999-01-01,0",
        ",1,1999-01-01,0",
        ",1999-01-01,0",
        ",0",
        "",
    ];
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    // A character of a name may have been torn too.
    let whole = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => &bytes[..error.valid_up_to()],
        _ => bytes,
    };
    let mut reader = RowReader::default();
    let fields = match reader.splitter.fields::<6>(whole) {
        Ok(_) => 6,
        Err(NoRow::WrongCount(WrongCount { found, .. }) | NoRow::Open { found }) => found,
    };
    let Some(later) = LATER_FIELDS.get(fields - 1) else {
        return false;
    };
    let rest_of_day = DAYS
        .iter()
        .flat_map(|day| (0..day.len()).map(|at| &day[at..]));
    REST_OF_FIELD.into_iter().chain(rest_of_day).any(|rest| {
        let row = [whole, rest.as_bytes(), later.as_bytes()].concat();
        reader.read_bet(&row).is_ok()
    })
}

/// As [`is_beginning_of_bet`], for a row of `N` numbers: of `closings.csv` or `draw.csv`.
pub fn is_beginning_of_numbers<const N: usize>(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let fields = bytes.split(|byte| *byte == b',').count();
    let later = ",0".repeat(N.saturating_sub(fields));
    ["", "0"].into_iter().any(|rest| {
        let row = [bytes, rest.as_bytes(), later.as_bytes()].concat();
        read_numbers(&row, [""; N]).is_ok()
    })
}

/// A row of `closings.csv`: an agency that has finished, and what it had sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closing {
    pub agency: u32,
    pub tally: Tally,
}

impl Closing {
    /// Appends `agency,bets,crc32`, all in decimal, and the row's end.
    pub fn write(&self, out: &mut Vec<u8>) {
        let Tally { bets, crc } = self.tally;
        write_numbers([self.agency.into(), bets, crc.into()], out);
    }

    /// The closing in a row, given without its end, if [`Closing::write`] makes that row.
    pub fn read(row: &[u8]) -> Result<Closing, InvalidRow> {
        let [agency, bets, crc] = read_numbers(row, ["agency", "bets", "crc32"])?;
        if agency == 0 {
            return Err(InvalidRow::Number("agency", "0".into()));
        }
        Ok(Closing {
            agency: narrow("agency", agency)?,
            tally: Tally {
                bets,
                crc: narrow("crc32", crc)?,
            },
        })
    }
}

/// The row of `draw.csv`: the draw was held, over these bets of these agencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrawRecord {
    /// The number drawn.
    pub winning_number: u32,
    /// Agencies 1 to this one took part.
    pub agencies: u32,
    /// Their bets.
    pub bets: u64,
    /// Bets that won.
    pub winners: u64,
}

impl DrawRecord {
    /// Appends `number,agencies,bets,winners`, all in decimal, and the row's end.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let [number, agencies] = [self.winning_number, self.agencies].map(u64::from);
        write_numbers([number, agencies, self.bets, self.winners], out);
    }

    /// The record in a row, given without its end, if [`DrawRecord::write`] makes that row.
    pub(super) fn read(row: &[u8]) -> Result<DrawRecord, InvalidRow> {
        let names = ["number", "agencies", "bets", "winners"];
        let [number, agencies, bets, winners] = read_numbers(row, names)?;
        Ok(DrawRecord {
            winning_number: narrow("number", number)?,
            agencies: narrow("agencies", agencies)?,
            bets,
            winners,
        })
    }
}

fn write_numbers<const N: usize>(numbers: [u64; N], out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    for (index, number) in numbers.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(digits.format(number).as_bytes());
    }
    out.extend_from_slice(ROW_END);
}

fn read_numbers<const N: usize>(
    row: &[u8],
    names: [&'static str; N],
) -> Result<[u64; N], InvalidRow> {
    let fields = csv_row::split::<N>(row, b',').map_err(NoRow::from)?;
    let mut numbers = [0; N];
    for ((number, field), name) in numbers.iter_mut().zip(fields).zip(names) {
        let text = String::from_utf8_lossy(field);
        let invalid = |_| InvalidRow::Number(name, text.to_string());
        *number = text.parse().map_err(invalid)?;
    }
    let mut canonical = Vec::new();
    write_numbers(numbers, &mut canonical);
    check_form(row, &canonical)?;
    Ok(numbers)
}

fn narrow(field: &'static str, number: u64) -> Result<u32, InvalidRow> {
    u32::try_from(number).map_err(|_| InvalidRow::Number(field, number.to_string()))
}

/// Checks that `row` is, to the byte, what its values are written as.
fn check_form(row: &[u8], canonical: &[u8]) -> Result<(), InvalidRow> {
    let canonical = canonical.strip_suffix(ROW_END).unwrap_or(canonical);
    match row == canonical {
        true => Ok(()),
        false => Err(InvalidRow::Form(String::from_utf8_lossy(canonical).into())),
    }
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

    /// The expected fields are what Python 3.11's `csv.writer` wrote for the same names.
    #[test]
    fn rows_are_those_of_pythons_csv_writer() {
        for (name, field) in [
            ("Ana", "Ana"),
            ("María José", "María José"),
            ("García, hijo", "\"García, hijo\""),
            ("Juan \"Tito\"", "\"Juan \"\"Tito\"\"\""),
            ("\"", "\"\"\"\""),
            (",", "\",\""),
            (" D'Angelo ", " D'Angelo "),
            ("#a;b|c", "#a;b|c"),
        ] {
            for (bet, names) in [
                (bet(name, "Paz"), format!("{field},Paz")),
                (bet("Ana", name), format!("Ana,{field}")),
            ] {
                let row = format!("3,{names},30904465,1999-03-17,7");
                assert_eq!(written(&bet), format!("{row}\r\n").into_bytes());
                let mut reader = RowReader::default();
                assert_eq!(reader.read_bet(row.as_bytes()).unwrap(), bet);
            }
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
        assert_eq!(written(&longest).len(), LINE_BYTES_MAX);
    }
}
