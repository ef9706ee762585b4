//! One row of CSV, taken apart: what the store's files and the agencies' files have in common.
//!
//! A bet has no line breaks, so its row is a line. A row of several lines, which only a field in
//! quotes can make, is never a bet; [`Quoting`] finds its end.

use csv_core::ReadRecordResult;
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
    /// In a field that is not in quotes, or behind the quotes of one that was.
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

    /// Whether the row goes on behind a line break here.
    pub fn is_open(self) -> bool {
        self == Quoting::Open
    }
}

/// Takes rows apart. One lives as long as a file is read: the grammar of quoted fields is a table,
/// and made anew for the 1.3 % of the bundled rows that have quotes it was half of the reading.
#[derive(Debug, Default)]
pub struct Splitter {
    grammar: Grammar,
    /// The fields of the last row that had quotes, without them.
    unquoted: Vec<u8>,
}

#[derive(Debug)]
struct Grammar(csv_core::Reader);

impl Default for Grammar {
    fn default() -> Grammar {
        let line_feed = csv_core::Terminator::Any(b'\n');
        Grammar(csv_core::ReaderBuilder::new().terminator(line_feed).build())
    }
}

impl Splitter {
    /// Splits a row, given without its end, into its `N` fields, without their quotes.
    ///
    /// # Errors
    ///
    /// When the row has another number of fields.
    ///
    /// ```
    /// use lottery_core::csv_row::Splitter;
    /// let mut splitter = Splitter::default();
    /// let [name, number] = splitter.fields(br#""Paz, hijo",7"#).unwrap();
    /// assert_eq!((name, number), (&b"Paz, hijo"[..], &b"7"[..]));
    /// ```
    pub fn fields<'a, const N: usize>(
        &'a mut self,
        row: &'a [u8],
    ) -> Result<[&'a [u8]; N], WrongCount> {
        let mut ends = [0; N];
        let mut commas = 0;
        for position in memchr::memchr2_iter(b',', b'"', row) {
            if row[position] == b'"' {
                return self.quoted_fields(row);
            }
            ends[commas.min(N - 1)] = position;
            commas += 1;
        }
        expect_count(commas + 1, N)?;
        ends[N - 1] = row.len();
        let mut start = 0;
        Ok(ends.map(|end| {
            let field = &row[start..end];
            start = end + 1;
            field
        }))
    }

    /// Quotes are rare, so the whole of CSV's grammar is left to the library here.
    fn quoted_fields<const N: usize>(&mut self, row: &[u8]) -> Result<[&[u8]; N], WrongCount> {
        let Splitter {
            grammar: Grammar(grammar),
            unquoted,
        } = self;
        unquoted.resize(row.len() + 1, 0);
        let mut ends = [0; N];
        let mut surplus_ends = [0; 8];
        let mut found = 0;
        let mut written = 0;
        grammar.reset();
        // Behind a line feed, what looks like a byte order mark is text.
        grammar.read_record(b"\n", unquoted, &mut surplus_ends);
        let mut input = row;
        loop {
            let ends = ends.get_mut(found..).filter(|ends| !ends.is_empty());
            let (result, read, wrote, ended) = grammar.read_record(
                input,
                &mut unquoted[written..],
                ends.unwrap_or(&mut surplus_ends),
            );
            input = &input[read..];
            written += wrote;
            found += ended;
            // An empty input, after the last of the row, ends the record.
            if matches!(result, ReadRecordResult::Record | ReadRecordResult::End) {
                break;
            }
        }
        expect_count(found, N)?;
        let mut start = 0;
        Ok(ends.map(|end| {
            let field = &unquoted[start..end];
            start = end;
            field
        }))
    }
}

fn expect_count(found: usize, expected: usize) -> Result<(), WrongCount> {
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
    fn carriage_returns_and_byte_order_marks_are_text_with_quotes_and_without() {
        for (row, expected) in [
            ("a,b\rc,d", ["a", "b\rc", "d"]),
            ("\"a\",b\rc,d", ["a", "b\rc", "d"]),
            ("\r\"a\",b,c", ["\r\"a\"", "b", "c"]),
            ("\u{feff}a,b,c", ["\u{feff}a", "b", "c"]),
            ("\u{feff}a,\"b\",c", ["\u{feff}a", "b", "c"]),
        ] {
            let mut splitter = Splitter::default();
            let fields = splitter.fields(row.as_bytes()).unwrap();
            assert_eq!(fields, expected.map(str::as_bytes), "{row:?}");
        }
    }

    #[test]
    fn another_number_of_fields_is_told() {
        let mut splitter = Splitter::default();
        for (row, found) in [
            ("", 1),
            ("\"\"", 1),
            ("a,b", 2),
            ("\"a\",b,c,d", 4),
            (
                "\"a\",1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20",
                21,
            ),
            ("\"a,b,c", 1),
            ("a\",b", 2),
        ] {
            let complaint = splitter.fields::<3>(row.as_bytes()).unwrap_err();
            assert_eq!(complaint, WrongCount { found, expected: 3 }, "{row}");
        }
    }

    proptest! {
        #[test]
        fn rows_are_split_as_the_csv_crate_splits_them(
            rows in prop::collection::vec("[ab,\"]{0,12}", 1..4)
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
                    Err(complaint) => {
                        prop_assert_eq!(complaint.found, record.len());
                        prop_assert_ne!(complaint.found, 3);
                    }
                }
            }
        }
    }
}
