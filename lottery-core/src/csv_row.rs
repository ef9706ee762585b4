//! One row of CSV, taken apart: what the store's files and the agencies' files have in common.
//!
//! A bet has no line breaks, so a line is a row, and a quote that somebody forgot to close spoils
//! that row alone.

use std::io::Read;

use csv::{ByteRecord, ReaderBuilder, Terminator};
use thiserror::Error;

/// A row has more or fewer fields than it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{found} fields, expected {expected}")]
pub struct WrongCount {
    /// Fields of the row.
    pub found: usize,
    /// Fields of a good row.
    pub expected: usize,
}

/// Splits a row, given without its end, into its `N` fields. Those of a row with quotes are put,
/// without them, into `unquoted`, which callers keep for the next row.
///
/// # Errors
///
/// When the row has another number of fields.
///
/// ```
/// use lottery_core::csv_row::fields;
/// let mut unquoted = csv::ByteRecord::new();
/// let [name, number] = fields(br#""Paz, hijo",7"#, &mut unquoted).unwrap();
/// assert_eq!((name, number), (&b"Paz, hijo"[..], &b"7"[..]));
/// ```
pub fn fields<'a, const N: usize>(
    row: &'a [u8],
    unquoted: &'a mut ByteRecord,
) -> Result<[&'a [u8]; N], WrongCount> {
    let mut fields = [&row[..0]; N];
    let mut commas = 0;
    let mut start = 0;
    // Fields are short, so looking at each byte once is faster than searching for the next comma.
    for (position, byte) in row.iter().enumerate() {
        match byte {
            b',' => {
                if let Some(field) = fields.get_mut(commas) {
                    *field = &row[start..position];
                }
                commas += 1;
                start = position + 1;
            }
            b'"' => return quoted_fields(row, unquoted),
            _ => {}
        }
    }
    if commas != N - 1 {
        return Err(WrongCount {
            found: commas + 1,
            expected: N,
        });
    }
    fields[commas] = &row[start..];
    Ok(fields)
}

/// Quotes are rare, so the whole of CSV's grammar is left to the library here, but for two things
/// that it knows of files and that are not so within a row: that a carriage return ends a row, and
/// that a byte order mark at the beginning means nothing. Behind an empty line it takes one for text.
fn quoted_fields<'a, const N: usize>(
    row: &[u8],
    unquoted: &'a mut ByteRecord,
) -> Result<[&'a [u8]; N], WrongCount> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .terminator(Terminator::Any(b'\n'))
        .buffer_capacity(row.len())
        .from_reader(b"\n".chain(row));
    // Reading bytes from memory into bytes cannot fail; if it did, the record would be empty.
    let _ = reader.read_byte_record(unquoted);
    if unquoted.len() != N {
        return Err(WrongCount {
            found: unquoted.len(),
            expected: N,
        });
    }
    Ok(std::array::from_fn(|index| &unquoted[index]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carriage_returns_and_byte_order_marks_are_text_with_quotes_and_without() {
        for (row, expected) in [
            ("a,b\rc,d", ["a", "b\rc", "d"]),
            ("\"a\",b\rc,d", ["a", "b\rc", "d"]),
            ("\r\"a\",b,c", ["\r\"a\"", "b", "c"]),
            ("\u{feff}a,b,c", ["\u{feff}a", "b", "c"]),
            ("\u{feff}a,\"b\",c", ["\u{feff}a", "b", "c"]),
        ] {
            let mut unquoted = ByteRecord::new();
            let fields = fields(row.as_bytes(), &mut unquoted).unwrap();
            assert_eq!(fields, expected.map(str::as_bytes), "{row:?}");
        }
    }
}
