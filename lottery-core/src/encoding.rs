//! The bytes of one bet, as the CRC covers them and the native dialect carries them, and the count and CRC
//! by which both sides of a connection, and the files of the store, can tell whether they mean the same
//! bets.
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
use crate::fields::Fields;
use crate::message::Refusal;
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

/// Reads the agency and the bet of an encoding that takes up all of `bytes`.
///
/// # Errors
///
/// When the fields do not add up to the bytes. A bet that breaks a rule is the inner error.
#[inline]
pub fn decode(bytes: &[u8]) -> Result<(u32, Result<Bet<'_>, InvalidBet>), Refusal> {
    let mut fields = Fields(bytes);
    let agency = u32::from_be_bytes(fields.array()?);
    let names = [decode_name(&mut fields)?, decode_name(&mut fields)?];
    let document = u32::from_be_bytes(fields.array()?);
    let birthdate = i64::from_be_bytes(fields.array()?);
    let number = u32::from_be_bytes(fields.array()?);
    fields.end()?;
    let bet = Bet::from_values(agency, names, document, birthdate, number);
    Ok((agency, bet))
}

#[inline]
fn decode_name<'a>(fields: &mut Fields<'a>) -> Result<&'a [u8], Refusal> {
    let length = u32::from_be_bytes(fields.array()?);
    fields.bytes(length.into())
}

/// A count of bets and the CRC-32 over their [encodings](self), in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The number of bets.
    pub bets: u64,
    /// CRC-32 (IEEE) over their encodings; 0 for none.
    pub crc: u32,
}

impl Tally {
    /// Adds `bets` more bets, whose encodings lie one after the other in `encodings`.
    pub fn add(&mut self, bets: u64, encodings: &[u8]) {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.crc);
        hasher.update(encodings);
        self.crc = hasher.finalize();
        self.bets += bets;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_is_that_of_ieee_however_the_bets_come() {
        let mut whole = Tally::default();
        whole.add(2, b"123456789");
        assert_eq!(whole.crc, 0xcbf4_3926);
        let mut pieces = Tally::default();
        pieces.add(1, b"1234");
        pieces.add(1, b"56789");
        assert_eq!(pieces, whole);
        assert_eq!(Tally::default().crc, 0);
    }
}
