//! Peers that are no agencies: they say something that is no good, too much, or nothing.

use std::time::Duration;

use fastrand::Rng;
use server::testing::{Outlook, Received};

use crate::agency::Moment;
use crate::central::{Call, Doors};
use crate::dialects::Dialect;
use crate::plan::{COMMON_NAMES, MESSAGE_BYTES_MAX, random_bet};

pub struct Stranger {
    pub call: Call,
    habit: Habit,
    unsaid: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// It says nonsense, may wait for the answer, and goes.
    Babbles,
    /// It asks a great deal of small questions at once, and may not read the answers.
    Floods,
    /// It begins a large message, and then sends a byte now and then.
    Hoards,
    /// It asks a small question now and then, and stays.
    Dawdles,
    /// It says nothing, and stays.
    KeepsSilent,
}

impl Habit {
    /// The habit of the next stranger, and its name among what was met.
    pub fn random(rng: &mut Rng) -> (Habit, &'static str) {
        match rng.u8(..8) {
            0..5 => (Habit::Babbles, "strangers"),
            5 => (Habit::Floods, "floods"),
            6 => (Habit::Hoards, "hoards"),
            _ => (Habit::Dawdles, "strangers"),
        }
    }
}

impl Stranger {
    pub fn call(habit: Habit, agencies: u32, doors: &mut Doors, moment: &mut Moment) -> Stranger {
        let rng = &mut moment.rng;
        let dialect = Dialect::ALL[rng.usize(..Dialect::ALL.len())];
        let (dialect, unsaid) = match habit {
            Habit::Babbles => (dialect, nonsense(dialect, agencies, rng)),
            Habit::Floods | Habit::Dawdles => flood(rng),
            Habit::Hoards => beginning_of_large_message(rng),
            Habit::KeepsSilent => (dialect, Vec::new()),
        };
        Stranger {
            call: doors.call(dialect as usize, None, moment.now),
            habit,
            unsaid,
        }
    }

    /// For how long the central has had patience with it, if it has a deadline to say who it is.
    pub fn is_borne_for(&self, now: Duration) -> Option<Duration> {
        (self.means_to_stay() && !self.call.peer.is_closed()).then(|| now - self.call.since)
    }

    fn means_to_stay(&self) -> bool {
        !matches!(self.habit, Habit::Babbles | Habit::Floods)
    }

    /// Says a little more, or goes away; says whether it stays.
    pub fn step(&mut self, rng: &mut Rng) -> bool {
        let most = match self.habit {
            Habit::Babbles => rng.usize(1..20),
            Habit::Floods => self.unsaid.len(),
            Habit::Dawdles => 2,
            Habit::Hoards if self.unsaid.len() < 1000 => 1,
            Habit::Hoards | Habit::KeepsSilent => 1000,
        };
        let said = self.unsaid.drain(..most.min(self.unsaid.len()));
        let peer = &self.call.peer;
        peer.send(&said.collect::<Vec<_>>());
        let reads = self.habit != Habit::Floods || rng.bool();
        let is_over = reads && matches!(peer.receive(), Received::Ended | Received::Broken);
        let steps = if self.means_to_stay() { 64 } else { 8 };
        let stays = !is_over && rng.u8(..steps) > 0;
        if !stays {
            peer.leave(random_outlook(rng));
        }
        stays
    }
}

/// How the central learns that a peer is gone.
pub fn random_outlook(rng: &mut Rng) -> Outlook {
    [Outlook::Ended, Outlook::Reset, Outlook::Silent][rng.usize(..3)]
}

/// Nothing of this may be stored, and nobody may learn anything by it.
fn nonsense(dialect: Dialect, agencies: u32, rng: &mut Rng) -> Vec<u8> {
    let mut out = Vec::new();
    let someone = rng.u32(1..=agencies);
    let another = someone % agencies + 1;
    let hello = |agency: u32| [&[0, 8, 0, 1], &agency.to_be_bytes()[..]].concat();
    let bets = (998_000_000..998_000_003).map(|document| random_bet(document, COMMON_NAMES, rng));
    let mut bets: Vec<_> = bets.collect();
    match (rng.u8(..7), dialect) {
        (0, _) => {
            // A first byte of an agency, and then a 2, would be believed.
            dialect.put_greeting(255, &mut out);
            out.extend((0..rng.usize(1..200)).map(|_| rng.u8(..)));
        }
        (1..4, Dialect::Native) => out = [hello(someone), vec![0, 6]].concat(),
        // In another dialect this would close an agency that has not finished.
        (3, Dialect::Lines) => dialect.put_finish(someone, &mut out),
        (4, Dialect::Native | Dialect::Flags | Dialect::Sized) if agencies > 1 => {
            // A good bet of one agency on the connection of another.
            match dialect {
                Dialect::Native => out = hello(another),
                Dialect::Flags => dialect.put_greeting(another, &mut out),
                _ => dialect.put_batch(another, &[], &mut out),
            }
            dialect.put_batch(someone, &bets[..1], &mut out);
        }
        _ => {
            // Good bets, and then one that is not.
            bets[2].number = 10_000;
            dialect.put_greeting(someone, &mut out);
            dialect.put_batch(someone, &bets[rng.usize(..3)..], &mut out);
        }
    }
    out
}

/// Status, or empty batches.
fn flood(rng: &mut Rng) -> (Dialect, Vec<u8>) {
    let (dialect, question): (_, &[u8]) = match rng.u8(..3) {
        0 => (Dialect::Native, &[0, 32]),
        1 => (Dialect::Native, &[0, 1, 0, 0, 0, 0]),
        _ => (Dialect::Lines, b"S:0\n\n"),
    };
    (dialect, question.repeat(rng.usize(100..2000)))
}

/// The beginning of a message that is almost too large.
fn beginning_of_large_message(rng: &mut Rng) -> (Dialect, Vec<u8>) {
    let size = MESSAGE_BYTES_MAX - 100;
    let [high, low] = (size as u16).to_be_bytes();
    let (dialect, mut out) = match rng.u8(..4) {
        0 => {
            let front = [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, high, low];
            (Dialect::Native, front.to_vec())
        }
        1 => (Dialect::Frames, vec![1, low, high, 0, 0, 1, 0, 0, 0]),
        2 => (Dialect::Lines, b"S:1\n".to_vec()),
        _ => (Dialect::Sized, format!("{size:08}").into_bytes()),
    };
    out.resize(out.len() + size - 1, b'x');
    (dialect, out)
}
