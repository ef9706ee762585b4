//! The beginning of a message that arrives in pieces.

use super::Scan;

/// Keeps the beginning of a message, and gives out whole messages.
///
/// One lives as long as its connection. Messages that arrive whole are handed out where they lie in
/// the caller's buffer; only the piece at the end of a read is kept. The buffer is given back when it
/// is empty, so a quiet connection costs none.
#[derive(Debug, Default)]
pub struct Inbox {
    kept: Vec<u8>,
    /// Bytes at the front of `kept` that earlier messages took.
    taken: usize,
}

impl Inbox {
    /// The next whole message that `scan` finds, or `None` when more bytes are needed. Bytes are
    /// taken off the front of `input`; with `None` it is left empty.
    pub fn next_message<'a, 'i: 'a, E>(
        &'a mut self,
        input: &mut &'i [u8],
        mut scan: impl FnMut(&[u8]) -> Result<Scan, E>,
    ) -> Result<Option<&'a [u8]>, E> {
        while self.kept_bytes() > 0 {
            match scan(&self.kept[self.taken..])? {
                Scan::Whole(length) => {
                    let start = self.taken;
                    self.taken += length;
                    return Ok(Some(&self.kept[start..self.taken]));
                }
                Scan::Incomplete { .. } if input.is_empty() => return Ok(None),
                Scan::Incomplete { at_least } => self.keep_lacking(at_least, input),
            }
        }
        self.kept = Vec::new();
        self.taken = 0;
        if input.is_empty() {
            return Ok(None);
        }
        match scan(input)? {
            Scan::Whole(length) => {
                let (message, rest) = input.split_at(length);
                *input = rest;
                Ok(Some(message))
            }
            Scan::Incomplete { .. } => {
                self.keep(input);
                *input = &[];
                Ok(None)
            }
        }
    }

    /// Appends what the message still needs, or all input if its length is unknown.
    fn keep_lacking(&mut self, at_least: Option<usize>, input: &mut &[u8]) {
        self.kept.drain(..self.taken);
        self.taken = 0;
        let lacking = at_least.map_or(input.len(), |bytes| bytes - self.kept.len());
        let (needed, rest) = input.split_at(lacking.min(input.len()));
        self.kept.extend_from_slice(needed);
        *input = rest;
    }

    /// Keeps bytes that are not to be looked at yet; [`Inbox::next_message`] finds them.
    pub fn keep(&mut self, input: &[u8]) {
        self.kept.extend_from_slice(input);
    }

    /// Bytes that wait here.
    pub fn kept_bytes(&self) -> usize {
        self.kept.len() - self.taken
    }

    /// The bytes that wait here.
    pub fn kept(&self) -> &[u8] {
        &self.kept[self.taken..]
    }

    /// Bytes of memory that they take.
    pub fn memory_bytes(&self) -> usize {
        self.kept.capacity()
    }
}
