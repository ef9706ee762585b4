//! A file as lines, read in large pieces and never held whole.

use std::io;

use memchr::memchr;

use super::disk::DiskFile;

/// Bytes read at once.
const READ_BYTES: usize = 256 * 1024;

/// A line that ends in a line feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The line's number, from 1.
    pub number: u64,
    /// The line without its line feed; a carriage return before it is still there.
    pub bytes: &'a [u8],
}

/// Gives the lines of a file one after the other.
///
/// It ends at the last line feed; what follows that is told by [`Lines::offset`], up to which the
/// lines given reach.
#[derive(Debug)]
pub struct Lines<'f, F> {
    file: &'f F,
    buffer: Vec<u8>,
    /// The part of the buffer that was read and not given out yet.
    start: usize,
    end: usize,
    /// Where `start` is in the file.
    offset: u64,
    number: u64,
    line_bytes_max: usize,
}

/// Why the next line cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// More bytes without a line feed than any line may have.
    #[error("no end within {line_bytes_max} bytes")]
    TooLong {
        /// The bound that was set.
        line_bytes_max: usize,
    },
    /// The file could not be read.
    #[error(transparent)]
    Read(#[from] io::Error),
}

impl<'f, F: DiskFile> Lines<'f, F> {
    /// The lines of `file` from its beginning, none longer than `line_bytes_max` bytes.
    pub fn new(file: &'f F, line_bytes_max: usize) -> Lines<'f, F> {
        assert!(line_bytes_max < READ_BYTES, "a line fits the buffer");
        Lines {
            file,
            buffer: vec![0; READ_BYTES],
            start: 0,
            end: 0,
            offset: 0,
            number: 0,
            line_bytes_max,
        }
    }

    /// The next line, or `None` when no line feed is left.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or a line is longer than the bound.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>, LineError> {
        let mut searched = 0;
        let length = loop {
            let unread = &self.buffer[self.start..self.end];
            if let Some(length) = memchr(b'\n', &unread[searched..]) {
                break searched + length;
            }
            searched = unread.len();
            if searched > self.line_bytes_max {
                return Err(LineError::TooLong {
                    line_bytes_max: self.line_bytes_max,
                });
            }
            if !self.refill()? {
                return Ok(None);
            }
        };
        if length > self.line_bytes_max {
            return Err(LineError::TooLong {
                line_bytes_max: self.line_bytes_max,
            });
        }
        let line_start = self.start;
        self.start += length + 1;
        self.offset += length as u64 + 1;
        self.number += 1;
        let bytes = &self.buffer[line_start..line_start + length];
        Ok(Some(Line {
            number: self.number,
            bytes,
        }))
    }

    /// Where the line after the last one given begins, in bytes from the file's beginning.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The number of the line after the last one given.
    pub fn next_number(&self) -> u64 {
        self.number + 1
    }

    fn refill(&mut self) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let at = self.offset + self.end as u64;
        let read = self.file.read_at(at, &mut self.buffer[self.end..])?;
        self.end += read;
        Ok(read > 0)
    }
}
