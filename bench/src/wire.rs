//! What agencies say and hear, as bytes: the one place of this package that knows them.
//!
//! A [`Script`] is all that one agency sends, made before any clock starts, and how it recognises
//! the answers. A further dialect is one more constructor; the [load](crate::load) replays them all.

use anyhow::{Result, bail};

use crate::datasets::{AgencyPlan, Bet};

/// Bytes of a frame of the floor; the last one of an agency may have fewer.
pub const FLOOR_FRAME_BYTES: usize = 8192;

/// What the floor answers to a frame.
pub const FLOOR_ANSWER: [u8; 2] = [0; 2];

/// Bytes of a native message at most, as the real client's.
const MESSAGE_BYTES_MAX: usize = 8192;

/// A batch without bets, type and count, which is answered and changes nothing.
pub const EMPTY_BATCH: [u8; 6] = [0, 1, 0, 0, 0, 0];

pub const ALL_BETS_SENT: [u8; 2] = [0, 5];
pub const REQUEST_WINNERS: [u8; 2] = [0, 6];

/// An answer, as far as a load cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The agency may begin; this many of its bets are stored already.
    Welcome(u64),
    /// A batch is stored.
    Stored,
    /// The draw was held, and so many of the agency's bets won.
    Winners(u64),
}

/// An answer and its length; `None` when it is not whole yet.
pub type Found = Result<Option<(Answer, usize)>>;

/// All that an agency sends.
pub struct Script {
    /// Every byte of it, in order.
    pub bytes: Vec<u8>,
    /// Where its greeting ends: nothing else is sent before the [`Answer::Welcome`]. Zero without one.
    pub greeting_end: usize,
    /// Where each message ends that is answered by [`Answer::Stored`].
    pub ends: Vec<usize>,
    /// Winners to be told at the end, if any are told.
    pub winners: Option<u64>,
    /// Finds the answer at the start of what came.
    pub find_answer: fn(&[u8]) -> Found,
}

impl Script {
    /// What the real client sends: Hello, batches of at most `batch_bets` bets, AllBetsSent and
    /// RequestWinners.
    pub fn native(plan: &AgencyPlan, batch_bets: u32) -> Script {
        let mut bytes = hello(plan.agency);
        let greeting_end = bytes.len();
        let mut ends = Vec::new();
        let (mut batch, mut count) = (bytes.len(), 0_u32);
        for bet in plan.bets() {
            let bet = native_bet(plan.agency, &bet);
            if count == batch_bets || bytes.len() - batch + bet.len() > MESSAGE_BYTES_MAX {
                ends.push(bytes.len());
                (batch, count) = (bytes.len(), 0);
            }
            if count == 0 {
                bytes.extend_from_slice(&EMPTY_BATCH);
            }
            bytes.extend_from_slice(&bet);
            count += 1;
            bytes[batch + 2..batch + 6].copy_from_slice(&count.to_be_bytes());
        }
        if count > 0 {
            ends.push(bytes.len());
        }
        bytes.extend_from_slice(&ALL_BETS_SENT);
        bytes.extend_from_slice(&REQUEST_WINNERS);
        Script {
            bytes,
            greeting_end,
            ends,
            winners: Some(u64::from(plan.winners)),
            find_answer: native_answer,
        }
    }

    /// The bytes of the agency's file in frames, as the [floor](crate::floor) has them.
    pub fn floor(plan: &AgencyPlan) -> Script {
        let mut bytes = Vec::new();
        let written = plan.write_csv(&mut bytes);
        written.expect("memory takes everything");
        let frames = (0..bytes.len()).step_by(FLOOR_FRAME_BYTES);
        let ends = frames.map(|start| bytes.len().min(start + FLOOR_FRAME_BYTES));
        Script {
            greeting_end: 0,
            ends: ends.collect(),
            bytes,
            winners: None,
            find_answer: |came| {
                let bytes = FLOOR_ANSWER.len();
                Ok((came.len() >= bytes).then_some((Answer::Stored, bytes)))
            },
        }
    }

    /// Up to where may be sent when this many messages may be: what follows the last message goes
    /// with it.
    pub fn end_of_first(&self, messages: usize) -> usize {
        match messages {
            0 => self.greeting_end,
            messages if messages >= self.ends.len() => self.bytes.len(),
            messages => self.ends[messages - 1],
        }
    }
}

/// The greeting of an agency.
pub fn hello(agency: u32) -> Vec<u8> {
    [[0, 8, 0, 1], agency.to_be_bytes()].concat()
}

/// A bet after its length.
fn native_bet(agency: u32, Bet { person, number }: &Bet) -> Vec<u8> {
    let mut bytes = vec![0; 8];
    bytes.extend_from_slice(&agency.to_be_bytes());
    for name in [&person.first_name, &person.last_name] {
        bytes.extend_from_slice(&(name.len() as u32).to_be_bytes());
        bytes.extend_from_slice(name.as_bytes());
    }
    let birthdate = person.birthdate.midnight().assume_utc().unix_timestamp();
    bytes.extend_from_slice(&person.dni.to_be_bytes());
    bytes.extend_from_slice(&birthdate.to_be_bytes());
    bytes.extend_from_slice(&number.to_be_bytes());
    let length = bytes.len() as u64 - 8;
    bytes[..8].copy_from_slice(&length.to_be_bytes());
    bytes
}

/// An error when the server refuses, or says what no agency is told.
fn native_answer(came: &[u8]) -> Found {
    let count = || came.get(2..10)?.try_into().ok().map(u64::from_be_bytes);
    let (answer, bytes) = match (came, count()) {
        ([0, 2, ..], _) => (Answer::Stored, 2),
        ([0, 7, ..], Some(winners)) => (Answer::Winners(winners), 10 + 4 * winners as usize),
        ([0, 9, ..], Some(stored)) => (Answer::Welcome(stored), 15),
        ([0, 3, _, code, ..], _) => bail!("refused with code {code}"),
        ([] | [0] | [0, 3 | 7 | 9, ..], _) => return Ok(None),
        _ => bail!(
            "an answer of an unknown type: {:?}",
            &came[..came.len().min(2)]
        ),
    };
    Ok((came.len() >= bytes).then_some((answer, bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasets::Options;

    fn script(bets: u32, batch_bets: u32) -> Script {
        let flags = format!("--agencies 3 --bets {bets}");
        Script::native(&Options::plan_of(&flags).unwrap()[2], batch_bets)
    }

    #[test]
    fn a_native_script_has_the_bytes_of_the_protocol() {
        let expected = b"\0\x08\0\x01\0\0\0\x03\
            \0\x01\0\0\0\x01\0\0\0\0\0\0\0\x31\0\0\0\x03\
            \0\0\0\x0eSantiago Pablo\0\0\0\x07Aguirre\
            \x01\x2a\x8c\x32\xff\xff\xff\xff\xfc\x5b\xeb\x80\0\0\x1d\x96\
            \0\x05\0\x06";
        assert_eq!(script(1, 125).bytes, expected);
    }

    #[test]
    fn batches_and_windows_are_of_the_size_asked_for_and_messages_have_a_bound() {
        let three = script(25, 10);
        let (all, ends) = (three.bytes.len(), &three.ends);
        let found = [0, 1, 2, 3, 64].map(|messages| three.end_of_first(messages));
        assert_eq!(found, [8, ends[0], ends[1], all, all]);
        assert_eq!(ends[2] + 4, all);
        let ends = script(1000, u32::MAX).ends;
        let sizes = ends.windows(2).map(|ends| ends[1] - ends[0]);
        assert!((8000..=MESSAGE_BYTES_MAX).contains(&sizes.max().unwrap()));
    }

    #[test]
    fn answers_are_recognised_when_they_are_whole() {
        for (bytes, expected) in [
            (&b"\0\x02\0\x02"[..], Answer::Stored),
            (b"\0\x07\0\0\0\0\0\0\0\x01DNI.", Answer::Winners(1)),
            (b"\0\x09\0\0\0\0\0\0\0\x05CRC.S", Answer::Welcome(5)),
        ] {
            let (answer, length) = native_answer(bytes).unwrap().unwrap();
            assert_eq!(answer, expected);
            for cut in 0..length {
                assert_eq!(native_answer(&bytes[..cut]).unwrap(), None);
            }
        }
        assert!(native_answer(&[0, 3, 0, 5]).is_err());
        assert!(native_answer(&[1, 0]).is_err());
    }
}
