//! One row of CSV, taken apart: what the store's files and the agencies' files have in common.
//!
//! A bet has no line breaks, so its row is a line. A row of several lines, which only a field in
//! quotes can make, is never a bet; [`Quoting`] finds its end.

use memchr::memchr;
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

/// Why a line is no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoRow {
    /// It has too few or too many fields.
    #[error(transparent)]
    WrongCount(#[from] WrongCount),
    /// It is the beginning of a row of several lines.
    #[error("unclosed quote")]
    Open {
        /// Fields so far, the one with the quote included.
        found: usize,
    },
}

/// Where in a row a reader is, as far as quotes matter; rows begin with the default.
///
/// A quote opens a quoted field only at the beginning of a field, and two quotes inside one stand
/// for a quote, as Python's `csv` and the `csv` crate have it.
///
/// ```
/// use lottery_core::csv_row::Quoting;
/// let quoting = Quoting::default().after(b"Ana,\"Paz");
/// assert!(quoting.is_open());
/// assert!(!quoting.after(b"\n\"\"\",1").is_open());
/// assert!(!Quoting::default().after(b"An\"a,Paz").is_open());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quoting {
    /// At the beginning of a field.
    #[default]
    FieldStart,
    /// In a field that is not in quotes, or after the quotes of one that was.
    Plain,
    /// Inside quotes, where a line break does not end the row.
    Open,
    /// Behind a quote inside quotes: the last one, or the first of two.
    Closed,
}

impl Quoting {
    /// Where the reader is after these bytes more of the row.
    #[must_use]
    pub fn after(self, bytes: &[u8]) -> Quoting {
        bytes.iter().fold(self, |quoting, byte| match quoting {
            Quoting::Open if *byte == b'"' => Quoting::Closed,
            Quoting::Open => Quoting::Open,
            Quoting::FieldStart | Quoting::Closed if *byte == b'"' => Quoting::Open,
            // For some readers a carriage return alone ends a row.
            _ if matches!(byte, b',' | b'\r') => Quoting::FieldStart,
            _ => Quoting::Plain,
        })
    }

    /// Whether the row goes on after a line break here.
    pub fn is_open(self) -> bool {
        self == Quoting::Open
    }
}

/// Splits `text` at every `separator`, into `N` fields.
#[inline(always)]
pub(crate) fn split<const N: usize>(text: &[u8], separator: u8) -> Result<[&[u8]; N], WrongCount> {
    let mut fields = [&text[..0]; N];
    let mut found = 0;
    for field in text.split(|byte| *byte == separator) {
        if let Some(place) = fields.get_mut(found) {
            *place = field;
        }
        found += 1;
    }
    check_count(found, N)?;
    Ok(fields)
}

/// Takes rows apart, and keeps the fields of the last one that had quotes, without them.
#[derive(Debug, Default)]
pub struct Splitter {
    unquoted: Vec<u8>,
}

impl Splitter {
    /// Splits a row, given without its end, into its `N` fields, without their quotes.
    ///
    /// ```
    /// use lottery_core::csv_row::Splitter;
    /// let mut splitter = Splitter::default();
    /// let [name, number] = splitter.fields(br#""Paz, hijo",7"#).unwrap();
    /// assert_eq!((name, number), (&b"Paz, hijo"[..], &b"7"[..]));
    /// ```
    #[inline(always)]
    pub fn fields<'a, const N: usize>(&'a mut self, row: &'a [u8]) -> Result<[&'a [u8]; N], NoRow> {
        match memchr(b'"', row) {
            None => Ok(split(row, b',')?),
            Some(_) => self.quoted_fields(row),
        }
    }

    fn quoted_fields<const N: usize>(&mut self, row: &[u8]) -> Result<[&[u8]; N], NoRow> {
        self.unquoted.clear();
        let mut ends = [0; N];
        let mut commas = 0;
        let mut quoting = Quoting::default();
        for byte in row {
            let before = quoting;
            quoting = before.after(&[*byte]);
            match byte {
                b',' if !before.is_open() => {
                    ends[commas.min(N - 1)] = self.unquoted.len();
                    commas += 1;
                }
                b'"' if before == Quoting::FieldStart || quoting == Quoting::Closed => {}
                _ => self.unquoted.push(*byte),
            }
        }
        let found = commas + 1;
        if quoting.is_open() {
            return Err(NoRow::Open { found });
        }
        check_count(found, N)?;
        ends[N - 1] = self.unquoted.len();
        let mut start = 0;
        Ok(ends.map(|end| {
            let field = &self.unquoted[start..end];
            start = end;
            field
        }))
    }
}

fn check_count(found: usize, expected: usize) -> Result<(), WrongCount> {
    if found == expected {
        Ok(())
    } else {
        Err(WrongCount { found, expected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_carriage_return_is_text_with_quotes_and_without() {
        let mut splitter = Splitter::default();
        for row in ["a,b\rc,d", "\"a\",b\rc,d"] {
            let fields = splitter.fields(row.as_bytes()).unwrap();
            assert_eq!(fields, [&b"a"[..], b"b\rc", b"d"]);
        }
    }

    proptest! {
        #[test]
        fn rows_are_split_as_the_csv_crate_splits_them(
            rows in prop::collection::vec("[ab,\"]{0,12}(,[a\"]){0,9}", 1..4)
        ) {
            let mut splitter = Splitter::default();
            for row in &rows {
                let mut reader = csv::ReaderBuilder::new()
                    .has_headers(false)
                    .flexible(true)
                    .from_reader(row.as_bytes());
                let mut record = csv::ByteRecord::new();
                if !reader.read_byte_record(&mut record).unwrap() {
                    record.push_field(b"");
                }
                match splitter.fields::<3>(row.as_bytes()) {
                    Ok(fields) => prop_assert_eq!(&record, &fields[..]),
                    Err(NoRow::WrongCount(WrongCount { found, .. })) => {
                        prop_assert_eq!(found, record.len());
                        prop_assert_ne!(found, 3);
                    }
                    Err(NoRow::Open { found }) => {
                        prop_assert_eq!(found, record.len());
                        prop_assert!(Quoting::default().after(row.as_bytes()).is_open());
                    }
                }
            }
        }
    }
}
