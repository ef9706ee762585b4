//! A RegisterBets message under construction, within two bounds: bets, and bytes on the wire.

use lottery_core::bet::Bet;
use lottery_core::codec::native::{
    AGENCY_MESSAGE_BYTES_MAX, BATCH_HEADER_BYTES, BET_LENGTH_BYTES, encode_batch_header,
    encode_counted_bet,
};
use lottery_core::encoding;

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
        let bet_bytes = encoding::encoded_bytes(bet);
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
