//! Agencies of the five dialects, driven by hand, at the real server.

use std::thread;

use crate::kit::dialects::Dialect;
use crate::kit::{Bet, Dataset, Peer, Server, batch, losing_bets};
use fastrand::Rng;

/// Connections of random bytes for each dialect.
const RANDOM: usize = 1_000;

/// Bets in a batch of those agencies that send the largest.
const LARGE_BATCH_BETS: u32 = 255;

/// Bytes of the longest message that holds batches.
const LONG_MESSAGE_BYTES: usize = 100_000_000;

/// The most memory that the server may need for it. A turn stages 4 MiB of bets.
const MEMORY_BYTES_MAX: u64 = 16 << 20;

#[test]
fn the_bundled_bets_come_in_exactly_and_the_winners_go_out_in_each_dialect_and_in_all_together() {
    let datasets = [1, 2, 3, 4, 5].map(|agency| Dataset::bundled(agency).without_commas());
    let alone = Dialect::ALL.map(|dialect| [dialect; 5]);
    for dialects in alone.into_iter().chain([Dialect::ALL]) {
        for batch_bets_max in [10, 100] {
            let server = Server::lottery(5).of_all_dialects();
            let server = server.set("DURABILITY", "everysec").start();
            thread::scope(|scope| {
                for (dialect, dataset) in dialects.into_iter().zip(&datasets) {
                    let mut agency = Peer::agency(&server, dialect, dataset.agency);
                    scope.spawn(move || {
                        let batches = dataset.bets.chunks(batch_bets_max);
                        batches.for_each(|batch| agency.store(batch));
                        agency.finish();
                        agency.expect_winners(&dataset.winners());
                    });
                }
            });
            server.expect_stored(&datasets);
        }
    }
}

#[test]
fn a_thousand_connections_of_random_bytes_leave_each_dialect_served_and_no_descriptor_open() {
    let server = Server::lottery(5).of_all_dialects();
    let server = server.set("LOGGING_LEVEL", "DEBUG").start();
    let descriptors = format!("/proc/{}/fd", server.id());
    let open = || std::fs::read_dir(&descriptors).unwrap().count();
    let open_before = open();
    let mut rng = Rng::with_seed(1);
    for dialect in Dialect::ALL {
        for _ in 0..RANDOM {
            let mut peer = Peer::connect(server.address_of(dialect));
            let noise: Vec<u8> = (0..rng.usize(1..200)).map(|_| rng.u8(..)).collect();
            peer.send(&noise);
        }
    }
    let closed = RANDOM * Dialect::ALL.len();
    server.wait_for_lines("action: close_connection | result: success", closed);
    // A connection is closed right behind its log line. A newcomer is welcomed after that, on one more.
    let newcomer = server.newcomer(1);
    assert_eq!(open(), open_before + 1);
    drop(newcomer);
    let agencies = Dialect::ALL.map(|dialect| {
        let number = 1 + dialect as u32;
        let mut agency = Peer::agency(&server, dialect, number);
        agency.store(&[Bet::winning(number, number)]);
        agency.finish();
        agency
    });
    for (number, mut agency) in (1..).zip(agencies) {
        agency.expect_winners(&[number]);
    }
    assert_eq!(server.bets().lines().count(), 5);
}

#[test]
fn a_message_of_a_hundred_megabytes_in_batches_takes_no_more_memory_than_its_batches() {
    let server = Server::lottery(1).of_all_dialects();
    let server = server.set("DURABILITY", "no").start();
    let mut agency = Peer::agency(&server, Dialect::Flags, 1);
    // Flag, number of batches, and the batch with its size.
    let message = batch(Dialect::Flags, &losing_bets(1, LARGE_BATCH_BETS));
    let batch = &message[5..];
    let count = LONG_MESSAGE_BYTES / batch.len();
    let before_bytes = server.memory_peak_bytes();
    agency.send(&[1]);
    agency.send(&(count as u32).to_be_bytes());
    for _ in 0..count {
        agency.send(batch);
    }
    agency.store(&[Bet::winning(1, 7)]);
    agency.finish();
    agency.expect_winners(&[7]);
    agency.expect_closed();
    let grown_bytes = server.memory_peak_bytes() - before_bytes;
    assert!(grown_bytes < MEMORY_BYTES_MAX, "{grown_bytes} bytes");
    let closing = server.file("closings.csv");
    let bets = count * LARGE_BATCH_BETS as usize + 1;
    assert!(closing.starts_with(&format!("1,{bets},")), "{closing}");
}
