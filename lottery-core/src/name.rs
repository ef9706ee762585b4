//! A bettor's name: checked once, in one pass, and never looked at again.

use std::fmt;

/// The longest name, in bytes of UTF-8; an empty name is not valid either.
pub const NAME_BYTES_MAX: usize = 255;

/// A valid name: 1 to [`NAME_BYTES_MAX`] bytes of UTF-8 without control characters.
///
/// Checking costs a table look-up for each byte, which also finds out whether the name can stand in
/// a CSV row as it is; most names can. `str::from_utf8`, a second pass for control characters and a
/// third for quotes were 30 % of the server's time before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name<'a> {
    bytes: &'a [u8],
    needs_quotes: bool,
}

/// What a byte of a name may be; the classes of all its bytes are joined by "or".
mod class {
    /// A control character of ASCII.
    pub const CONTROL: u8 = 1;
    /// Part of a character beyond ASCII, which takes a closer look.
    pub const BEYOND_ASCII: u8 = 2;
    /// A comma or a quote, for which CSV needs quotes.
    pub const QUOTED: u8 = 4;
}

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < classes.len() {
        classes[byte] = match byte as u8 {
            b',' | b'"' => class::QUOTED,
            0x00..=0x1f | 0x7f => class::CONTROL,
            0x80..=0xff => class::BEYOND_ASCII,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

impl<'a> Name<'a> {
    /// The name that the bytes spell, if it is valid.
    // Not inlined, its result goes through memory: checking a bet then takes twice as long.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Option<Name<'a>> {
        if bytes.is_empty() || bytes.len() > NAME_BYTES_MAX {
            return None;
        }
        let classes = bytes
            .iter()
            .fold(0, |classes, byte| classes | CLASSES[usize::from(*byte)]);
        if classes & class::CONTROL != 0 {
            return None;
        }
        if classes & class::BEYOND_ASCII != 0 && !is_text(bytes) {
            return None;
        }
        Some(Name {
            bytes,
            needs_quotes: classes & class::QUOTED != 0,
        })
    }

    /// The name's UTF-8.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether a CSV row must have it in quotes: it has a comma or a quote.
    pub fn needs_quotes(&self) -> bool {
        self.needs_quotes
    }
}

/// Whether the bytes are UTF-8 without control characters beyond ASCII, which are U+0080 to U+009F.
fn is_text(bytes: &[u8]) -> bool {
    let is_control = |pair: &[u8]| pair[0] == 0xc2 && pair[1] < 0xa0;
    std::str::from_utf8(bytes).is_ok() && !bytes.windows(2).any(is_control)
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&String::from_utf8_lossy(self.bytes))
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(self.bytes), formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_name_is_valid_exactly_when_it_is_short_utf_8_without_control_characters(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..6),
                prop::collection::vec(any::<u8>(), 250..260),
                "\\PC{0,90}".prop_map(String::into_bytes),
                "[\\x00-\\xff]{1,3}".prop_map(String::into_bytes),
            ]
        ) {
            let is_valid = (1..=255).contains(&bytes.len())
                && std::str::from_utf8(&bytes)
                    .is_ok_and(|name| !name.chars().any(char::is_control));
            prop_assert_eq!(Name::new(&bytes).is_some(), is_valid);
        }
    }
}
