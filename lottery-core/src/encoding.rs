//! The bytes of one bet, as the CRC covers them and the native dialect carries them.
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
//! All integers are big-endian. The CRC-32 that Welcome and `closings.csv` carry is over these bytes,
//! bet after bet, with nothing in between.

use crate::bet::{Bet, InvalidBet};
use crate::date;
use crate::name::Name;

/// Bytes of a bet besides its names, and so the fewest bytes that its fields take.
pub const BET_BYTES_MIN: usize = 4 + 4 + 4 + 4 + 8 + 4;

/// The number of bytes that [`encode`] appends.
pub fn encoded_bytes(bet: &Bet<'_>) -> usize {
    BET_BYTES_MIN + bet.first_name.as_bytes().len() + bet.last_name.as_bytes().len()
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

/// Reads the agency and the bet of an encoding that takes up all of `bytes`; `None` when its fields do
/// not add up to them.
#[inline]
pub fn decode(mut bytes: &[u8]) -> Option<(u32, Result<Bet<'_>, InvalidBet>)> {
    let agency = u32::from_be_bytes(take(&mut bytes)?);
    let names = [take_name(&mut bytes)?, take_name(&mut bytes)?];
    let document = u32::from_be_bytes(take(&mut bytes)?);
    let birthdate = i64::from_be_bytes(take(&mut bytes)?);
    let number = u32::from_be_bytes(take(&mut bytes)?);
    if !bytes.is_empty() {
        return None;
    }
    let bet = Bet::from_values(agency, names, document, birthdate, number);
    Some((agency, bet))
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (field, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*field)
}

fn take_name<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::from_be_bytes(take(bytes)?);
    let (name, rest) = bytes.split_at_checked(length as usize)?;
    *bytes = rest;
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    /// Agency 1, "Ana", "Ñu", DNI 30904465, 1999-03-17, number 7574, and a byte too many.
    const VECTOR: [u8; 35] = [
        0, 0, 0, 1, //
        0, 0, 0, 3, b'A', b'n', b'a', //
        0, 0, 0, 3, 0xc3, 0x91, b'u', // one byte more than letters
        0x01, 0xd7, 0x90, 0x91, //
        0, 0, 0, 0, 0x36, 0xee, 0xf0, 0x80, //
        0, 0, 0x1d, 0x96, //
        0,
    ];

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
        assert_eq!(out, VECTOR[..34]);
        assert_eq!(encoded_bytes(&bet), 34);
        assert_eq!(decode(&out), Some((1, Ok(bet))));
    }

    #[test]
    fn a_bet_that_is_cut_or_longer_or_claims_four_gigabytes_is_malformed() {
        for length in 0..34 {
            assert_eq!(decode(&VECTOR[..length]), None);
        }
        assert_eq!(decode(&VECTOR), None);
        let mut huge_name = VECTOR[..34].to_vec();
        huge_name[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(decode(&huge_name), None);
    }
}
