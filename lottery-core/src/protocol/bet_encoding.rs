//! The bytes of one bet, on the wire and under the CRC.
//!
//! ```text
//! u32 agency
//! u32 length, then that many bytes: first name, UTF-8
//! u32 length, then that many bytes: last name, UTF-8
//! u32 DNI
//! i64 birthdate, the Unix time of its midnight UTC
//! u32 number
//! ```
//!
//! In a RegisterBets message a `u32` length precedes each bet. That length is framing and no part
//! of the bet: the CRC-32 that Welcome and `closings.csv` carry is over the bytes above, bet after
//! bet, with nothing in between.

use super::{Malformed, reader::Reader};
use crate::bet::{Bet, UncheckedBet};
use crate::date;
use crate::name::{NAME_BYTES_MAX, Name};

/// Bytes of a bet besides its names.
const FIXED_BYTES: usize = 4 + 4 + 4 + 4 + 8 + 4;

/// The fewest bytes that a bet's fields take: both names empty.
pub const BET_BYTES_MIN: usize = FIXED_BYTES;

/// The most bytes that a valid bet takes.
pub const BET_BYTES_MAX: usize = FIXED_BYTES + 2 * NAME_BYTES_MAX;

/// The number of bytes that [`encode`] appends.
pub fn encoded_bytes(bet: &Bet<'_>) -> usize {
    FIXED_BYTES + bet.first_name.as_bytes().len() + bet.last_name.as_bytes().len()
}

/// Appends the bytes of the bet.
pub fn encode(bet: &Bet<'_>, out: &mut Vec<u8>) {
    out.reserve(encoded_bytes(bet));
    out.extend_from_slice(&bet.agency.to_be_bytes());
    encode_name(bet.first_name, out);
    encode_name(bet.last_name, out);
    out.extend_from_slice(&bet.document.to_be_bytes());
    out.extend_from_slice(&date::unix_midnight(bet.birthdate).to_be_bytes());
    out.extend_from_slice(&bet.number.to_be_bytes());
}

fn encode_name(name: Name<'_>, out: &mut Vec<u8>) {
    let name = name.as_bytes();
    // A valid name has at most 255 bytes.
    out.extend_from_slice(&(name.len() as u32).to_be_bytes());
    out.extend_from_slice(name);
}

/// Reads the fields of a bet that takes up all of `bytes`. What they say is not judged here.
///
/// # Errors
///
/// When a name's length points past the end, or the fields end before the bytes do.
pub fn decode(bytes: &[u8]) -> Result<UncheckedBet<'_>, Malformed> {
    let mut reader = Reader(bytes);
    let bet = UncheckedBet {
        agency: reader.u32()?,
        first_name: reader.counted_bytes()?,
        last_name: reader.counted_bytes()?,
        document: reader.u32()?,
        birthdate: reader.i64()?,
        number: reader.u32()?,
    };
    reader.end()?;
    Ok(bet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    /// Agency 1, "Ana", "Ñu", DNI 30904465, 1999-03-17, number 7574.
    const VECTOR: [u8; 35] = [
        0, 0, 0, 1, //
        0, 0, 0, 3, b'A', b'n', b'a', //
        0, 0, 0, 3, 0xc3, 0x91, b'u', // one byte more than letters
        0x01, 0xd7, 0x90, 0x91, //
        0, 0, 0, 0, 0x36, 0xee, 0xf0, 0x80, //
        0, 0, 0x1d, 0x96, //
        0,
    ];

    fn vector() -> &'static [u8] {
        &VECTOR[..34]
    }

    #[test]
    fn a_bet_has_the_bytes_of_the_protocol() {
        let bet = Bet {
            agency: 1,
            first_name: Name::new(b"Ana").unwrap(),
            last_name: Name::new("Ñu".as_bytes()).unwrap(),
            document: 30_904_465,
            birthdate: date!(1999 - 03 - 17),
            number: 7574,
        };
        let mut out = Vec::new();
        encode(&bet, &mut out);
        assert_eq!(out, vector());
        assert_eq!(encoded_bytes(&bet), vector().len());
        let decoded = decode(vector()).unwrap();
        assert_eq!(decoded.check(date!(2026 - 11 - 21)), Ok(bet));
    }

    #[test]
    fn a_bet_that_is_cut_or_followed_by_more_is_malformed() {
        for length in 0..vector().len() {
            assert!(decode(&vector()[..length]).is_err(), "{length} bytes");
        }
        assert_eq!(decode(&VECTOR), Err(Malformed::Excess(1)));
    }

    #[test]
    fn a_name_that_claims_four_gigabytes_is_malformed() {
        let mut bytes = vector().to_vec();
        bytes[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(matches!(decode(&bytes), Err(Malformed::Overrun { .. })));
    }
}
