//! Peers that send much or read little: what the server keeps of them is bounded.

use super::network::{READ_BYTES, READS_PER_TURN};
use super::*;

/// Messages of 64 KiB and more, each of which is answered, and how often.
fn floods() -> [(Vec<u8>, usize); 3] {
    [
        (REQUEST_WINNERS.to_vec(), 32 * 1024),
        (batch(1, []), 64 * 1024),
        (hello(1), 64 * 1024),
    ]
}

#[test]
fn a_peer_that_floods_and_does_not_read_makes_the_server_keep_little() {
    for (message, times) in floods() {
        let mut network = Network::of(1);
        network.hears(A, [&batch(1, [10])[..], &finish(1)].concat());
        network.told_anew(A);
        network.peer(A).room = 0;
        for _ in 0..8 {
            network.hears(A, message.repeat(times / 8));
        }
        assert!(!network.board().wants_input(A));
        assert!(network.kept_bytes(A) <= READ_BYTES);
        let answers_of_a_turn_bytes = 2 * READS_PER_TURN * READ_BYTES;
        assert!(network.outgoing_bytes(A) <= OUTGOING_BYTES_MAX + answers_of_a_turn_bytes);
        network.hears(B, hello(2));
        assert_eq!(network.told(B), [failed(Code::NoSuchAgency)]);
    }
}

#[test]
fn a_peer_that_reads_at_last_is_answered_to_the_last_message() {
    for (message, times) in floods() {
        for take_bytes in [usize::MAX, OUTGOING_BYTES_MAX / 2] {
            let mut network = Network::of(1);
            network.hears(A, finish(1));
            network.told_anew(A);
            network.peer(A).room = 0;
            network.hears(A, message.repeat(times));
            let mut takes = 0;
            while !network.board_mut().outgoing(A).unwrap().unsent().is_empty() {
                network.takes(A, take_bytes);
                network.run();
                takes += 1;
                assert!(takes < 1_000);
            }
            assert_eq!(network.told(A).len(), times);
            assert!(network.board().wants_input(A));
            assert_eq!(network.board().next_deadline(), None);
        }
    }
}

#[test]
fn a_flood_from_a_parked_peer_stays_in_the_socket() {
    let mut network = Network::of(2);
    network.hears(A, finish(1));
    for _ in 0..8 {
        network.hears(A, ACK.repeat(READ_BYTES));
    }
    assert!(network.kept_bytes(A) <= READ_BYTES);
    assert!(!network.board().wants_input(A));
    network.hears(B, finish(2));
    assert!(network.board().wants_input(A));
    assert_eq!(network.kept_bytes(A), 0);
    assert!(network.peer(A).unread.is_empty());
}

#[test]
fn a_backlogged_line_is_read_again_once_its_peer_has_taken_the_answers() {
    let mut network = Network::of(1);
    network.peer(A).room = 0;
    network.hears(A, batch(1, []).repeat(READ_BYTES));
    assert!(!network.board().wants_input(A));
    let unread = network.peer(A).unread.len();
    assert!(unread > 0);
    network.takes(A, OUTGOING_BYTES_MAX);
    network.run();
    assert!(network.peer(A).unread.len() < unread);
}

#[test]
fn a_backlogged_peer_that_sends_no_more_is_answered_everything_and_then_closed() {
    let mut network = Network::of(1);
    network.peer(A).room = 0;
    network.sends(A, batch(1, []).repeat(READ_BYTES));
    network.ends(A);
    network.run();
    assert!(!network.is_over(A));
    network.takes(A, usize::MAX);
    network.run();
    assert_eq!(network.told(A).len(), READ_BYTES);
    assert!(network.is_over(A));
}

#[test]
fn a_peer_that_never_takes_quite_everything_makes_the_server_keep_little() {
    let mut network = Network::of(1);
    network.peer(A).room = 0;
    network.hears(A, hello(1).repeat(2_000));
    for _ in 0..1_000 {
        network.sends(A, hello(1).repeat(1_000));
        network.takes(A, 15_000);
        network.run();
    }
    assert!(network.board_mut().outgoing(A).unwrap().unsent().len() <= OUTGOING_BYTES_MAX);
    assert!(network.outgoing_bytes(A) <= 2 * OUTGOING_BYTES_MAX);
}

#[test]
fn many_bets_fill_a_turn() {
    let mut network = Network::of(1);
    let batches = batch(1, [10; 1_000]).repeat(150);
    let now = network.now();
    network.peer(A);
    assert!(!network.board().is_turn_full());
    network.board_mut().receive(A, &batches, now);
    assert!(network.board().is_turn_full());
    network.turn();
    assert!(!network.board().is_turn_full());
}

#[test]
fn many_answers_fill_a_turn_though_nothing_is_to_be_stored() {
    let mut network = Network::of(1);
    let empty_batches = batch(1, []).repeat(20_000);
    let now = network.now();
    for number in 0..1000 {
        let id = ConnectionId(number);
        network.peer(id);
        network.board_mut().receive(id, &empty_batches, now);
        if network.board().is_turn_full() {
            let becomes_free = (0..1000).any(|_| {
                network.turn();
                !network.board().is_turn_full()
            });
            assert!(becomes_free, "what was held back never comes to an end");
            return;
        }
    }
    panic!("a million answers wait for one turn");
}
