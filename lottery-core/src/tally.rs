//! How many bets, and which: the summary by which both sides of a connection, and the files of
//! the store, can tell whether they mean the same bets.

/// A count of bets and the CRC-32 over their [encodings](crate::encoding), in order.
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
