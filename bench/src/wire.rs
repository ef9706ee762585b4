//! What agencies send and receive, as bytes.
//!
//! A [`Script`] is all that one agency sends, made before any clock starts, and how it recognises
//! the answers. The [load](crate::load) replays them.

use anyhow::{Result, anyhow};

use crate::datasets::{AgencyPlan, Bet};
use crate::dialects::{Answer, BetFields, Dialect};

/// Bytes of a frame of the baseline; the last one of an agency may have fewer.
pub const BASELINE_FRAME_BYTES: usize = 8192;

pub const BASELINE_ANSWER: [u8; 2] = [0; 2];

/// Bytes of a batch at most, in the native protocol: the real client's bound.
const BATCH_BYTES_MAX: usize = 8192;

/// Bytes of a native bet, but for the names.
const BET_BYTES: usize = 36;

const WELCOME_BYTES: usize = 15;

/// A batch without bets, type and count, which is answered and changes nothing.
pub const EMPTY_BATCH: [u8; 6] = [0, 1, 0, 0, 0, 0];

pub const ALL_BETS_SENT: [u8; 2] = [0, 5];
pub const REQUEST_WINNERS: [u8; 2] = [0, 6];

/// What an agency is told.
#[derive(Debug)]
pub enum Told {
    /// The agency may begin; this many of its bets are stored already.
    Welcome(u64),
    Answer(Answer),
}

/// All that an agency sends.
#[derive(Default)]
pub struct Script {
    /// Every byte of it, in order.
    pub bytes: Vec<u8>,
    /// Where its greeting ends: nothing else is sent before the [`Told::Welcome`]. Zero without one.
    pub greeting_end: usize,
    /// Where each message ends that is answered by [`Answer::Stored`].
    pub ends: Vec<usize>,
    /// Winners that the server must report at the end, if it reports any.
    pub winners: Option<u64>,
    /// What it speaks; none in the [baseline](crate::baseline).
    dialect: Option<Dialect>,
}

impl Script {
    /// What the agencies of a dialect send: batches of at most `batch_bets` bets, that these were all,
    /// and the request for the winners. A native one begins with Hello, as the real client does.
    pub fn of(dialect: Dialect, plan: &AgencyPlan, batch_bets: u32) -> Script {
        let mut script = Script {
            winners: Some(u64::from(plan.winners)),
            dialect: Some(dialect),
            ..Script::default()
        };
        if dialect == Dialect::Native {
            script.bytes = hello(plan.agency);
            script.greeting_end = script.bytes.len();
        }
        dialect.put_greeting(plan.agency, &mut script.bytes);
        let (mut batch, mut batch_bytes) = (Vec::new(), EMPTY_BATCH.len());
        for mut bet in plan.bets() {
            if dialect != Dialect::Native {
                // A name may have a comma there only.
                bet.person.last_name = bet.person.last_name.replace(',', "");
            }
            let bytes = BET_BYTES + bet.person.first_name.len() + bet.person.last_name.len();
            if batch.len() == batch_bets as usize || batch_bytes + bytes > BATCH_BYTES_MAX {
                script.put_batch(dialect, plan.agency, &batch);
                batch.clear();
                batch_bytes = EMPTY_BATCH.len();
            }
            batch_bytes += bytes;
            batch.push(bet);
        }
        if !batch.is_empty() {
            script.put_batch(dialect, plan.agency, &batch);
        }
        dialect.put_finish(plan.agency, &mut script.bytes);
        if dialect == Dialect::Frames {
            script.ends.push(script.bytes.len());
            dialect.put_request(plan.agency, &mut script.bytes);
        }
        script
    }

    fn put_batch(&mut self, dialect: Dialect, agency: u32, bets: &[Bet]) {
        let fields = bets.iter().map(|Bet { person, number }| BetFields {
            first_name: &person.first_name,
            last_name: &person.last_name,
            document: person.dni,
            birthdate: person.birthdate,
            number: *number,
        });
        let fields: Vec<_> = fields.collect();
        dialect.put_batch(agency, &fields, &mut self.bytes);
        if dialect.answers_batches() {
            self.ends.push(self.bytes.len());
        }
    }

    /// The bytes of the agency's file in frames, as the [baseline](crate::baseline) has them.
    pub fn baseline(plan: &AgencyPlan) -> Script {
        let mut bytes = Vec::new();
        let written = plan.write_csv(&mut bytes);
        written.expect("memory takes everything");
        let frames = (0..bytes.len()).step_by(BASELINE_FRAME_BYTES);
        let ends = frames.map(|start| bytes.len().min(start + BASELINE_FRAME_BYTES));
        Script {
            ends: ends.collect(),
            bytes,
            ..Script::default()
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

    /// Takes a whole answer off the front of what came. An error when it is none.
    pub fn take_answer(&self, came: &mut Vec<u8>) -> Result<Option<Told>> {
        let (told, bytes) = match (self.dialect, &came[..]) {
            (None, _) => (Told::Answer(Answer::Stored), BASELINE_ANSWER.len()),
            (Some(Dialect::Native), [0, 9, stored @ ..]) => {
                let stored = stored.first_chunk().copied().unwrap_or_default();
                (Told::Welcome(u64::from_be_bytes(stored)), WELCOME_BYTES)
            }
            (Some(dialect), _) => {
                let answer = dialect.take_answer(came);
                let answer = answer.map_err(|_| anyhow!("no answer of {}", dialect.name()))?;
                return Ok(answer.map(Told::Answer));
            }
        };
        let is_whole = came.len() >= bytes;
        came.drain(..if is_whole { bytes } else { 0 });
        Ok(is_whole.then_some(told))
    }
}

pub fn hello(agency: u32) -> Vec<u8> {
    [[0, 8, 0, 1], agency.to_be_bytes()].concat()
}
