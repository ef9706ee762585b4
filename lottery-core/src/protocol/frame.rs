//! From a stream of bytes, cut anywhere, to whole frames.

use thiserror::Error;

/// What a [`Scanner`] found at the front of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// A frame of this many bytes.
    Whole(usize),
    /// No whole frame yet; it has at least `at_least` bytes, more than there are.
    Incomplete {
        /// A lower bound on the frame's bytes, from the lengths seen so far.
        at_least: usize,
    },
}

impl Scan {
    /// What a frame of `length` bytes is, when `bytes` is what there is of it.
    pub(super) fn of_length(length: usize, bytes: &[u8]) -> Scan {
        if bytes.len() < length {
            Scan::Incomplete { at_least: length }
        } else {
            Scan::Whole(length)
        }
    }
}

/// Why no frame can be made of the bytes, now or ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The first two bytes are no type that this side receives.
    #[error("message type {0} is unknown")]
    UnknownType(u16),
    /// The frame's own lengths put it beyond the bound.
    #[error("a message of at least {claimed} bytes, where at most {max} are accepted")]
    TooLarge {
        /// Bytes that the frame would have at least.
        claimed: u64,
        /// The bound that was set.
        max: usize,
    },
}

/// Finds where the first frame ends, without building anything.
///
/// A scanner remembers what it has seen of an incomplete frame: called again with the same bytes
/// and more behind them, it goes on where it stopped.
pub trait Scanner {
    /// Looks for a whole frame at the front of `bytes`. After [`Scan::Whole`] the scanner is ready
    /// for the next frame.
    ///
    /// # Errors
    ///
    /// When the bytes cannot become a frame; the scanner is of no further use then.
    fn scan(&mut self, bytes: &[u8]) -> Result<Scan, FrameError>;
}

/// Keeps the beginning of a frame that arrives in pieces, and gives out whole frames.
///
/// One lives as long as its connection. Frames that arrive whole are handed out where they lie;
/// only the piece at the end of a read is kept, and the next read adds to it no more than that
/// frame lacks. The buffer is given back when it is empty, so a quiet connection costs none.
#[derive(Debug)]
pub struct FrameAssembler<S> {
    scanner: S,
    kept: Vec<u8>,
    /// Bytes at the front of `kept` that earlier frames took.
    taken: usize,
}

/// Where a whole frame lies.
enum Place {
    Kept(usize),
    Input(usize),
}

impl<S: Scanner> FrameAssembler<S> {
    /// An assembler for a new connection.
    pub fn new(scanner: S) -> FrameAssembler<S> {
        FrameAssembler {
            scanner,
            kept: Vec::new(),
            taken: 0,
        }
    }

    /// The next whole frame, or `None` when more bytes are needed. Bytes are taken off the front of
    /// `input`; with `None` it is left empty.
    ///
    /// # Errors
    ///
    /// As [`Scanner::scan`].
    pub fn next_frame<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<&'a [u8]>, FrameError> {
        match self.find_frame(input)? {
            None => Ok(None),
            Some(Place::Kept(length)) => {
                let start = self.taken;
                self.taken += length;
                Ok(Some(&self.kept[start..self.taken]))
            }
            Some(Place::Input(length)) => {
                let (frame, rest) = input.split_at(length);
                *input = rest;
                Ok(Some(frame))
            }
        }
    }

    /// Puts aside bytes that are not to be looked at yet; [`FrameAssembler::next_frame`] finds them.
    pub fn keep(&mut self, input: &[u8]) {
        self.kept.extend_from_slice(input);
    }

    /// The scanner, for one whose bounds change as the conversation goes on.
    pub fn scanner_mut(&mut self) -> &mut S {
        &mut self.scanner
    }

    /// Bytes that wait here: of a frame that is incomplete, or put aside.
    pub fn kept_bytes(&self) -> usize {
        self.kept.len() - self.taken
    }

    fn find_frame(&mut self, input: &mut &[u8]) -> Result<Option<Place>, FrameError> {
        loop {
            if self.kept_bytes() == 0 {
                self.kept = Vec::new();
                self.taken = 0;
                if input.is_empty() {
                    return Ok(None);
                }
                if let Scan::Whole(length) = self.scanner.scan(input)? {
                    return Ok(Some(Place::Input(length)));
                }
                self.kept = input.to_vec();
                *input = &[];
                return Ok(None);
            }
            match self.scanner.scan(&self.kept[self.taken..])? {
                Scan::Whole(length) => return Ok(Some(Place::Kept(length))),
                Scan::Incomplete { .. } if input.is_empty() => return Ok(None),
                Scan::Incomplete { at_least } => {
                    self.kept.drain(..self.taken);
                    self.taken = 0;
                    let lacking = at_least.saturating_sub(self.kept.len()).max(1);
                    let (needed, rest) = input.split_at(lacking.min(input.len()));
                    self.kept.extend_from_slice(needed);
                    *input = rest;
                }
            }
        }
    }
}
