//! What an agency says, made before the clock starts.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail, ensure};
use client::batch::Batch;
use client::bet_source::{BetSource, CsvFile};
use lottery_core::bet::{Bet, has_won};
use lottery_core::date::Date;
use lottery_core::protocol::request::{
    BATCH_HEADER_BYTES, BET_LENGTH_BYTES, encode_all_bets_sent, encode_request_winners,
};

use crate::datasets::DEFAULT_WINNING_NUMBER;
use crate::floor::FRAME_BYTES;

/// Bytes that one write sends at most, as the real client does it.
const WRITE_BYTES: usize = 64 * 1024;

/// All bytes that an agency sends after its greeting, and where its messages end.
///
/// A script may serve many agencies, which then all send the same bets: each patches its own
/// number into the piece it is about to send, so that ten thousand agencies take no more memory
/// than one. That copies a few kilobytes that are in the cache anyhow.
#[derive(Debug, Default)]
pub struct Script {
    bytes: Vec<u8>,
    /// Where each message that is answered ends.
    ends: Vec<usize>,
    /// Where the agency's number is, when it is to be patched.
    agency_fields: Vec<usize>,
    /// The bets in it.
    pub bets: u64,
    /// How many of them win.
    pub winners: u64,
}

impl Script {
    /// What the real client sends for this file, with batches of at most `batch_bets` bets, by the
    /// client's own reader and encoder. A shared script is for any agency.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or has a row that is no valid bet.
    pub fn lottery(agency: u32, path: &Path, batch_bets: u32, is_shared: bool) -> Result<Script> {
        let mut script = Script::default();
        let today = Date::MAX;
        let mut source = CsvFile::open(agency, path, today, |_| ())?;
        let mut batch = Batch::new(batch_bets);
        let mut encoded_bets = Vec::new();
        loop {
            let push = |bet: &Bet<'_>| {
                let had_room = batch.push(bet);
                if !had_room {
                    batch.send(&mut encoded_bets);
                    let has_room = batch.push(bet);
                    debug_assert!(has_room, "an empty batch has room for any valid bet");
                }
                (had_room, has_won(bet, DEFAULT_WINNING_NUMBER))
            };
            let Some((had_room, wins)) = source.next_bet(push)? else {
                break;
            };
            script.bets += 1;
            script.winners += u64::from(wins);
            if !had_room {
                script.take_message(&mut encoded_bets);
            }
        }
        if batch.count() > 0 {
            batch.send(&mut encoded_bets);
            script.take_message(&mut encoded_bets);
        }
        ensure!(
            source.rejected() == 0,
            "{}: has invalid rows",
            path.display()
        );
        if script.ends.is_empty() {
            bail!("{}: has no bets", path.display());
        }
        encode_all_bets_sent(&mut script.bytes);
        encode_request_winners(&mut script.bytes);
        if is_shared {
            script.agency_fields = agency_fields(&script.bytes, &script.ends);
        }
        Ok(script)
    }

    /// The bytes of a file in frames, as the floor has them.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is empty.
    pub fn floor(path: &Path) -> Result<Script> {
        let bytes = fs::read(path)?;
        ensure!(!bytes.is_empty(), "{}: is empty", path.display());
        let mut ends: Vec<_> = (1..=bytes.len() / FRAME_BYTES)
            .map(|frame| frame * FRAME_BYTES)
            .collect();
        if bytes.len() % FRAME_BYTES > 0 {
            ends.push(bytes.len());
        }
        Ok(Script {
            bytes,
            ends,
            ..Script::default()
        })
    }

    /// Messages that are answered.
    pub fn messages(&self) -> usize {
        self.ends.len()
    }

    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes of each message that is answered.
    pub fn iter_messages(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let ranges = starts.zip(self.ends.iter().copied());
        ranges.map(|(start, end)| &self.bytes[start..end])
    }

    /// Where the message ends, or `None` when there is no such message.
    pub(super) fn end_of(&self, message: usize) -> Option<usize> {
        self.ends.get(message).copied()
    }

    /// Up to where may be sent when this many messages may be: what follows the last message goes
    /// with it.
    pub(super) fn end_of_first(&self, messages: usize) -> usize {
        if messages >= self.ends.len() {
            return self.bytes.len();
        }
        messages.checked_sub(1).map_or(0, |last| self.ends[last])
    }

    /// The next bytes to send for `agency`, of which `sent` were sent and `end` may be. The message
    /// under way is number `message`, from 0. Patched bytes are put into `scratch`.
    pub(super) fn piece<'a>(
        &'a self,
        agency: u32,
        message: usize,
        sent: usize,
        end: usize,
        scratch: &'a mut Vec<u8>,
    ) -> &'a [u8] {
        if self.agency_fields.is_empty() {
            return &self.bytes[sent..end.min(sent + WRITE_BYTES)];
        }
        // From the beginning of a message, so that no field is cut.
        let start = message.checked_sub(1).map_or(0, |last| self.ends[last]);
        scratch.clear();
        scratch.extend_from_slice(&self.bytes[start..end]);
        let first = self.agency_fields.partition_point(|field| *field < start);
        let fields = self.agency_fields[first..].iter();
        for field in fields.take_while(|field| **field < end) {
            scratch[field - start..][..4].copy_from_slice(&agency.to_be_bytes());
        }
        &scratch[sent - start..]
    }

    fn take_message(&mut self, message: &mut Vec<u8>) {
        self.bytes.append(message);
        self.ends.push(self.bytes.len());
    }
}

/// Where the bets of well-formed batches have their agency: it is the first field of a bet.
fn agency_fields(bytes: &[u8], ends: &[usize]) -> Vec<usize> {
    let mut fields = Vec::new();
    let mut start = 0;
    for end in ends {
        let mut length_field = start + BATCH_HEADER_BYTES;
        while length_field < *end {
            let bet = length_field + BET_LENGTH_BYTES;
            let mut length = [0; BET_LENGTH_BYTES];
            length.copy_from_slice(&bytes[length_field..bet]);
            fields.push(bet);
            length_field = bet + u32::from_be_bytes(length) as usize;
        }
        start = *end;
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use lottery_core::protocol::Request;

    fn file(rows: usize) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "Ana,Paz,1,1999-03-17,7574\r\n".repeat(rows)).unwrap();
        file
    }

    fn agencies_in(bytes: &[u8]) -> Vec<u32> {
        match Request::parse(bytes).unwrap() {
            Request::RegisterBets(bets) => bets.iter().map(|bet| bet.agency).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_becomes_batches_and_the_words_that_end_them() {
        let script = Script::lottery(3, file(25).path(), 10, false).unwrap();
        let sizes: Vec<_> = script
            .iter_messages()
            .map(|batch| agencies_in(batch).len())
            .collect();
        assert_eq!(sizes, [10, 10, 5]);
        assert_eq!(
            (script.bets, script.winners, script.messages()),
            (25, 25, 3)
        );
        let last = script.end_of(2).unwrap();
        assert_eq!(script.bytes()[last..], [0, 5, 0, 6]);
    }

    #[test]
    fn a_window_lets_whole_messages_out_and_the_last_words_with_the_last_of_them() {
        let script = Script::lottery(3, file(25).path(), 10, false).unwrap();
        assert_eq!(script.end_of_first(0), 0);
        assert_eq!(Some(script.end_of_first(1)), script.end_of(0));
        assert_eq!(Some(script.end_of_first(2)), script.end_of(1));
        assert_eq!(script.end_of_first(3), script.bytes().len());
        assert_eq!(script.end_of_first(64), script.bytes().len());
    }

    #[test]
    fn a_shared_script_carries_the_number_of_whoever_sends_it_wherever_a_write_stopped() {
        let script = Script::lottery(1, file(25).path(), 10, true).unwrap();
        let mut scratch = Vec::new();
        let whole = script
            .piece(70_000, 0, 0, script.bytes().len(), &mut scratch)
            .to_vec();
        let first_end = script.end_of(0).unwrap();
        assert_eq!(agencies_in(&whole[..first_end]), [70_000; 10]);
        assert_eq!(whole.len(), script.bytes().len());
        for stop in [1, 8, 11, 12, 50, first_end, first_end + 13] {
            let message = usize::from(stop >= first_end);
            let rest = script.piece(70_000, message, stop, script.bytes().len(), &mut scratch);
            assert_eq!(rest, &whole[stop..], "stopped at {stop}");
        }
    }

    #[test]
    fn the_floor_has_full_frames_and_a_rest() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (bytes, frames) in [(1, 1), (8192, 1), (8193, 2), (16384, 2)] {
            fs::write(file.path(), vec![0; bytes]).unwrap();
            assert_eq!(Script::floor(file.path()).unwrap().messages(), frames);
        }
    }
}
