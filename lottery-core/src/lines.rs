//! A file as lines, read in large pieces and never held whole.

use std::io::{self, BufRead, BufReader, Read, Seek};

use memchr::memchr;

/// Bytes read at once.
const READ_BYTES: usize = 256 * 1024;

/// A line of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A line without the line feed that ends it; a carriage return before that is still there.
    Whole(&'a [u8]),
    /// What follows the last line feed of the file.
    Unended(&'a [u8]),
    /// The first bytes, one more than the bound, of a longer line; the rest of it comes next.
    Cut(&'a [u8]),
}

/// Gives the lines of a file one after the other.
#[derive(Debug)]
pub struct Lines<R> {
    input: BufReader<R>,
    line_bytes_max: usize,
    /// Bytes of `input`'s buffer that were given last, its line feed included.
    given: usize,
    /// What was given last, if it did not lie in the buffer as a whole.
    line: Vec<u8>,
    /// Whether more of that line comes next.
    is_cut: bool,
    offset: u64,
    number: u64,
}

impl<R: Read> Lines<R> {
    /// The lines of `input`; one of more than `line_bytes_max` bytes comes in pieces.
    pub fn new(input: R, line_bytes_max: usize) -> Lines<R> {
        Lines {
            input: BufReader::with_capacity(READ_BYTES, input),
            line_bytes_max,
            given: 0,
            line: Vec::new(),
            is_cut: false,
            offset: 0,
            number: 0,
        }
    }

    /// The next line or piece of one, or `None` at the end of the file.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.offset += (self.given + self.line.len()) as u64;
        self.number += u64::from(!self.is_cut);
        self.input.consume(self.given);
        self.line.clear();
        let within = self.line_bytes_max + 1;
        let buffered = self.input.buffer();
        let line_end = memchr(b'\n', &buffered[..buffered.len().min(within)]);
        self.given = line_end.map_or(0, |end| end + 1);
        let line = if self.given > 0 {
            &self.input.buffer()[..self.given]
        } else {
            let mut input = (&mut self.input).take(within as u64);
            input.read_until(b'\n', &mut self.line)?;
            &self.line
        };
        let whole = line.strip_suffix(b"\n");
        self.is_cut = line.len() == within && whole.is_none();
        Ok(match whole {
            Some(line) => Some(Line::Whole(line)),
            None if line.is_empty() => None,
            None if self.is_cut => Some(Line::Cut(line)),
            None => Some(Line::Unended(line)),
        })
    }

    /// The number of the line given last, from 1; at the end, of the one that would follow.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Where what was given last begins, in bytes from the first line; at the end, where that is.
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

impl<R: Seek> Lines<R> {
    /// Goes back to the first line.
    pub fn rewind(&mut self) -> io::Result<()> {
        self.input.rewind()?;
        self.given = 0;
        self.line.clear();
        self.is_cut = false;
        (self.offset, self.number) = (0, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// Each line's number, offset and bytes, in text.
    fn told(lines: &mut Lines<impl Read>) -> Vec<String> {
        let mut told = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            let line = match line {
                Line::Whole(line) => format!("{}.", String::from_utf8_lossy(line)),
                Line::Unended(line) => String::from_utf8_lossy(line).into_owned(),
                Line::Cut(piece) => format!("{}…", String::from_utf8_lossy(piece)),
            };
            told.push(format!("{}@{} {line}", lines.number(), lines.offset()));
        }
        told.push(format!("{}@{}", lines.number(), lines.offset()));
        told
    }

    #[test]
    fn lines_come_with_number_and_offset_and_a_second_time_alike() {
        for (text, expected) in [
            ("", "1@0"),
            ("a\n", "1@0 a., 2@2"),
            ("\n\nb", "1@0 ., 2@1 ., 3@2 b, 4@3"),
            (
                "12345\n123456\nc\n",
                "1@0 12345., 2@6 123456…, 2@12 ., 3@13 c., 4@15",
            ),
            ("a\n12345678", "1@0 a., 2@2 123456…, 2@8 78, 3@10"),
            ("1234567890", "1@0 123456…, 1@6 7890, 2@10"),
            ("1234567890123\n", "1@0 123456…, 1@6 789012…, 1@12 3., 2@14"),
        ] {
            let mut lines = Lines::new(Cursor::new(text), 5);
            for _ in 0..2 {
                assert_eq!(told(&mut lines).join(", "), expected);
                lines.rewind().unwrap();
            }
        }
    }
}
