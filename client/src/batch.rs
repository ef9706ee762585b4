//! A RegisterBets message under construction, within two bounds: bets, and bytes on the wire.

use lottery_core::bet::Bet;
use lottery_core::protocol::request::{
    BATCH_HEADER_BYTES, BET_LENGTH_BYTES, encode_batch_header, encode_counted_bet,
};
use lottery_core::protocol::{AGENCY_MESSAGE_BYTES_MAX, bet_encoding};

/// Bets that will be sent in one message.
///
/// An agency has one, fills it, and empties it into what is to be sent, again and again.
#[derive(Debug)]
pub struct Batch {
    bets_max: u32,
    count: u32,
    /// The bets as the message has them, each after its length.
    encoded: Vec<u8>,
}

impl Batch {
    /// A batch for at most `bets_max` bets. Whatever that says, its message will have at most
    /// [`AGENCY_MESSAGE_BYTES_MAX`] bytes.
    pub fn new(bets_max: u32) -> Batch {
        Batch {
            bets_max,
            count: 0,
            encoded: Vec::with_capacity(AGENCY_MESSAGE_BYTES_MAX),
        }
    }

    /// Bets in it.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Adds the bet, unless that would exceed a bound; says whether it did.
    #[must_use]
    pub fn push(&mut self, bet: &Bet<'_>) -> bool {
        let bet_bytes = bet_encoding::encoded_bytes(bet);
        let message_bytes = BATCH_HEADER_BYTES + self.encoded.len() + BET_LENGTH_BYTES + bet_bytes;
        if self.count == self.bets_max || message_bytes > AGENCY_MESSAGE_BYTES_MAX {
            return false;
        }
        encode_counted_bet(bet, &mut self.encoded);
        self.count += 1;
        true
    }

    /// Appends the message to `out` and empties the batch; returns the number of bets sent.
    pub fn send(&mut self, out: &mut Vec<u8>) -> u32 {
        encode_batch_header(self.count, out);
        out.extend_from_slice(&self.encoded);
        self.encoded.clear();
        std::mem::take(&mut self.count)
    }

    /// Forgets the bets in it.
    pub fn clear(&mut self) {
        self.encoded.clear();
        self.count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lottery_core::name::Name;
    use lottery_core::protocol::Request;
    use time::macros::date;

    fn bet(name: &str) -> Bet<'_> {
        Bet {
            agency: 1,
            first_name: Name::new(name.as_bytes()).unwrap(),
            last_name: Name::new(b"Paz").unwrap(),
            document: 1,
            birthdate: date!(1999 - 03 - 17),
            number: 7,
        }
    }

    fn bets_in(message: &[u8]) -> usize {
        match Request::parse(message).unwrap() {
            Request::RegisterBets(bets) => bets.len(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_batch_takes_as_many_bets_as_it_may_and_not_one_more() {
        let mut batch = Batch::new(3);
        assert!((0..3).all(|_| batch.push(&bet("Ana"))));
        assert!(!batch.push(&bet("Ana")));
        let mut message = Vec::new();
        assert_eq!(batch.send(&mut message), 3);
        assert_eq!(bets_in(&message), 3);
        assert!(batch.push(&bet("Ana")));
    }

    #[test]
    fn a_message_has_at_most_8192_bytes_whatever_its_batch_is_set_to() {
        for name in ["A", "Ana", &"ñ".repeat(100), &"x".repeat(255)] {
            let mut batch = Batch::new(u32::MAX);
            while batch.push(&bet(name)) {}
            let mut message = Vec::new();
            let sent = batch.send(&mut message);
            assert!(message.len() <= 8192);
            assert!(message.len() + 4 + bet_encoding::encoded_bytes(&bet(name)) > 8192);
            assert_eq!(bets_in(&message), sent as usize);
        }
    }
}
