//! A file as lines, read in large pieces and never held whole.

use std::io::{self, ErrorKind, Read, Seek};

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
    /// The first bytes of a line that is longer than the bound; the rest of it comes next.
    Cut(&'a [u8]),
}

/// Gives the lines of a file one after the other, where they lie in its buffer.
///
/// ```
/// use lottery_core::lines::{Line, Lines};
/// let mut lines = Lines::new(&b"one\nhundred\nthree"[..], 5);
/// assert_eq!(lines.next_line()?, Some(Line::Whole(b"one")));
/// assert_eq!(lines.next_line()?, Some(Line::Cut(b"hundr")));
/// assert_eq!(lines.next_line()?, Some(Line::Whole(b"ed")));
/// assert_eq!(lines.next_line()?, Some(Line::Unended(b"three")));
/// assert_eq!(lines.next_line()?, None);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    buffer: Box<[u8]>,
    /// The part of the buffer that was read and not given out yet.
    start: usize,
    end: usize,
    /// Whether that part begins inside a line.
    is_cut: bool,
    line_bytes_max: usize,
    /// Bytes before what was given last.
    offset: u64,
    /// Bytes of what was given last, its line feed included.
    given_bytes: u64,
    number: u64,
}

impl<R: Read> Lines<R> {
    /// The lines of `input`; one of more than `line_bytes_max` bytes comes in pieces of as many.
    pub fn new(input: R, line_bytes_max: usize) -> Lines<R> {
        assert!(line_bytes_max < READ_BYTES, "a line fits the buffer");
        Lines {
            input,
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            is_cut: false,
            line_bytes_max,
            offset: 0,
            given_bytes: 0,
            number: 0,
        }
    }

    /// The next line or piece of one, or `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.offset += self.given_bytes;
        self.given_bytes = 0;
        self.number += u64::from(!self.is_cut);
        let most = self.line_bytes_max + 1;
        let mut searched = 0;
        let (length, has_end) = loop {
            let unread = &self.buffer[self.start..self.end];
            let within = &unread[..unread.len().min(most)];
            if let Some(length) = memchr(b'\n', &within[searched..]) {
                break (searched + length, true);
            }
            searched = within.len();
            if searched == most || !self.refill()? {
                break (searched.min(self.line_bytes_max), false);
            }
        };
        self.is_cut = searched == most && !has_end;
        if length == 0 && !has_end {
            return Ok(None);
        }
        let line = &self.buffer[self.start..][..length];
        let given = length + usize::from(has_end);
        self.start += given;
        self.given_bytes = given as u64;
        Ok(Some(match (has_end, self.is_cut) {
            (true, _) => Line::Whole(line),
            (false, true) => Line::Cut(line),
            (false, false) => Line::Unended(line),
        }))
    }

    /// The number of the line given last, from 1; at the end, of the one that would follow.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Where what was given last begins, in bytes from the first line; at the end, where that is.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads more behind what is unread; says whether there was any.
    fn refill(&mut self) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => {
                    let read = result?;
                    self.end += read;
                    return Ok(read > 0);
                }
            }
        }
    }
}

impl<R: Seek> Lines<R> {
    /// Goes back to the first line.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    pub fn rewind(&mut self) -> io::Result<()> {
        self.input.rewind()?;
        (self.start, self.end) = (0, 0);
        self.is_cut = false;
        (self.offset, self.given_bytes, self.number) = (0, 0, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// Gives its bytes out one at a time, so that every line is cut everywhere.
    struct Trickle(Cursor<Vec<u8>>);

    impl Read for Trickle {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let room = buffer.len().min(1);
            self.0.read(&mut buffer[..room])
        }
    }

    impl Seek for Trickle {
        fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }

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
    fn lines_come_with_number_and_offset_however_they_are_cut_and_a_second_time_alike() {
        let cases: [(&str, &[&str]); 7] = [
            ("", &["1@0"]),
            ("a\n", &["1@0 a.", "2@2"]),
            ("\n\nb", &["1@0 .", "2@1 .", "3@2 b", "4@3"]),
            (
                "12345\n123456\nc\n",
                &["1@0 12345.", "2@6 12345…", "2@11 6.", "3@13 c.", "4@15"],
            ),
            ("a\n12345678", &["1@0 a.", "2@2 12345…", "2@7 678", "3@10"]),
            ("1234567890", &["1@0 12345…", "1@5 67890", "2@10"]),
            (
                "12345678901\n",
                &["1@0 12345…", "1@5 67890…", "1@10 1.", "2@12"],
            ),
        ];
        for (text, expected) in cases {
            let mut whole = Lines::new(Cursor::new(text), 5);
            let mut cut = Lines::new(Trickle(Cursor::new(text.into())), 5);
            for _ in 0..2 {
                assert_eq!(told(&mut whole), expected);
                assert_eq!(told(&mut cut), expected);
                whole.rewind().unwrap();
                cut.rewind().unwrap();
            }
        }
    }

    #[test]
    fn a_line_across_the_end_of_the_buffer_is_given_whole() {
        let line = "x".repeat(1000);
        let text = format!("{line}\n").repeat(2 * READ_BYTES / 1000);
        let mut lines = Lines::new(text.as_bytes(), 1000);
        while let Some(given) = lines.next_line().unwrap() {
            assert_eq!(given, Line::Whole(line.as_bytes()));
        }
        assert_eq!(lines.offset(), text.len() as u64);
    }
}
