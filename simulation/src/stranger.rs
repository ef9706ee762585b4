//! Peers that are no agencies: they say something that is no good, and may wait for the answer.

use fastrand::Rng;
use lottery_core::protocol::request;
use server::layers::ConnectionId;

use crate::network::{Network, Outlook, Received};
use crate::plan::{OwnedBet, Plan};

/// A stranger with a connection.
pub struct Stranger {
    id: ConnectionId,
    unsaid: Vec<u8>,
}

impl Stranger {
    /// A stranger on connection `id`.
    pub fn new(id: ConnectionId, plan: &Plan, rng: &mut Rng) -> Stranger {
        Stranger {
            id,
            unsaid: nonsense(plan, rng),
        }
    }

    /// Says a little more, or goes away; says whether it stays.
    pub fn step(&mut self, network: &mut Network, rng: &mut Rng) -> bool {
        let now = self.unsaid.len().min(rng.usize(1..20));
        let said: Vec<u8> = self.unsaid.drain(..now).collect();
        network.agency_sends(self.id, &said);
        let is_over = matches!(
            network.agency_receives(self.id),
            Received::Ended | Received::Broken
        );
        let leaves = is_over || rng.u8(..8) == 0;
        if leaves {
            let outlooks = [Outlook::Ended, Outlook::Reset, Outlook::Silent];
            network.agency_leaves(self.id, outlooks[rng.usize(..3)]);
        }
        !leaves
    }

    /// Goes away for good.
    pub fn leave(&self, network: &mut Network) {
        network.agency_leaves(self.id, Outlook::Reset);
    }
}

/// Nothing of this may be stored, and nobody may learn anything by it.
fn nonsense(plan: &Plan, rng: &mut Rng) -> Vec<u8> {
    let mut out = Vec::new();
    let someone = rng.u32(1..=plan.rules.agencies);
    match rng.u8(..8) {
        0 => out.extend((0..rng.usize(1..200)).map(|_| rng.u8(..))),
        1 => request::encode_hello(someone, &mut out),
        2 => request::encode_hello(plan.rules.agencies + 1, &mut out),
        3 => {
            request::encode_all_bets_sent(&mut out);
            request::encode_request_winners(&mut out);
        }
        4 => {
            request::encode_hello(someone, &mut out);
            request::encode_request_winners(&mut out);
        }
        5 => out.extend_from_slice(&[0, 1, 0xff, 0xff, 0xff, 0xff]),
        6 => request::encode_batch_header(3, &mut out),
        _ => invalid_batch(someone, rng, &mut out),
    }
    out
}

/// Good bets, and then one that is not.
fn invalid_batch(agency: u32, rng: &mut Rng, out: &mut Vec<u8>) {
    let bets = rng.u32(1..5);
    request::encode_batch_header(bets, out);
    for index in 1..=bets {
        let mut bet = OwnedBet::random(agency, 999_000_000 + index, rng);
        if index == bets {
            bet.number = 10_000;
        }
        let bet = bet.as_bet();
        request::encode_counted_bet(&bet, out);
    }
}
