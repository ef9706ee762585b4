//! Bytes in and bytes out, over a network in memory.

mod anything;
mod conversations;
mod floods;
mod held_lines;
mod network;

use lottery_core::protocol::reply::AgencyState;
use lottery_core::protocol::{Reply, request};
use network::Network;

use super::*;
use crate::testing::{Operation, TODAY, remember_log, rules, times_logged, winning_bet};

const A: ConnectionId = ConnectionId(1);
const B: ConnectionId = ConnectionId(2);
const C: ConnectionId = ConnectionId(3);

fn hello(agency: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    request::encode_hello(agency, &mut bytes);
    bytes
}

/// A batch of `agency` with a winning bet for each document.
fn batch<const N: usize>(agency: u32, documents: [u32; N]) -> Vec<u8> {
    let mut bytes = Vec::new();
    request::encode_batch_header(N as u32, &mut bytes);
    for document in documents {
        let bet = winning_bet(agency, document);
        let bet = bet.check(TODAY).unwrap();
        request::encode_counted_bet(&bet, &mut bytes);
    }
    bytes
}

const ACK: [u8; 2] = [0, 4];
const ALL_BETS_SENT: [u8; 2] = [0, 5];
const REQUEST_WINNERS: [u8; 2] = [0, 6];
const UNKNOWN: [u8; 2] = [0, 77];

/// An agency that has finished and waits.
fn finish(agency: u32) -> Vec<u8> {
    [&hello(agency)[..], &ALL_BETS_SENT, &REQUEST_WINNERS].concat()
}

fn failed(code: Code) -> Reply {
    Reply::RegisterBetFailed(code)
}

fn winners<const N: usize>(documents: [u32; N]) -> Reply {
    Reply::InformWinners(documents.to_vec())
}

fn states(replies: &[Reply]) -> Vec<Option<AgencyState>> {
    let state = |reply: &Reply| match reply {
        Reply::Welcome(welcome) => Some(welcome.state),
        _ => None,
    };
    replies.iter().map(state).collect()
}
