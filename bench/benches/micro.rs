//! What the parts of a bet's way cost, without network, processes and syncs.

use std::path::Path;

use client::bet_source::{BetSource, CsvFile, RowError};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use lottery_core::codec::native::{Native, encode_batch_header, encode_counted_bet};
use lottery_core::codec::{Codec, Inbox};
use lottery_core::message::{Bets, Request};
use lottery_core::store::{Folder, Store};

const AGENCY: u32 = 1;
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.data/agency-1.csv");
const BATCH_BETS: u32 = 125;
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

fn main() {
    divan::main();
}

/// Client: the rows of a batch to bets, and the bets to a message.
#[divan::bench]
fn read_and_encode(bencher: Bencher<'_, '_>) {
    let bencher = bencher.counter(ItemsCount::new(BATCH_BETS));
    bencher.with_inputs(source).bench_local_values(batch);
}

/// Server: a batch from its bytes to bets, whole and in pieces as Ethernet carries them.
#[divan::bench(args = [MESSAGE_BYTES_MAX, 1448])]
fn decode_and_check(bencher: Bencher<'_, '_>, piece_bytes: usize) {
    let message = batch(source());
    let mut codec = Native::new(MESSAGE_BYTES_MAX);
    let mut inbox = Inbox::default();
    let bencher = bencher.counter(ItemsCount::new(BATCH_BETS));
    bencher.bench_local(|| {
        for mut piece in black_box(&message).chunks(piece_bytes) {
            let mut scan = |bytes: &[u8]| codec.scan(bytes);
            while let Ok(Some(message)) = inbox.next_message(&mut piece, &mut scan) {
                black_box(bets_in(message));
            }
        }
    });
}

/// Server: so many batches staged and committed, to files that are not synced.
#[divan::bench(args = [1, 64])]
fn store_bets_and_commit(bencher: Bencher<'_, '_>, batches: usize) {
    let folder = tempfile::tempdir().expect("the temporary folder can be written to");
    let (mut store, _) =
        Store::open(Folder::new(folder.path()), || false).expect("an empty folder");
    let message = batch(source());
    let bets = bets_in(&message);
    let bencher = bencher.counter(ItemsCount::new(batches * bets.bets.len()));
    bencher.bench_local(|| {
        for _ in 0..batches {
            store.store_bets(AGENCY, black_box(&bets));
        }
        store.commit(false).expect("the disk has room");
    });
}

fn source() -> CsvFile<fn(&RowError)> {
    CsvFile::open(AGENCY, Path::new(FILE), (|_| ()) as fn(&RowError)).expect("the file is there")
}

fn batch(mut source: CsvFile<fn(&RowError)>) -> Vec<u8> {
    let mut message = Vec::new();
    encode_batch_header(BATCH_BETS, &mut message);
    for _ in 0..BATCH_BETS {
        let put = source.next_bet(|bet| encode_counted_bet(bet, &mut message));
        assert!(matches!(put, Ok(Some(()))), "the bundled file is longer");
    }
    message
}

fn bets_in(message: &[u8]) -> Bets<'_> {
    let message = Native::new(MESSAGE_BYTES_MAX).parse(message);
    match message.map(|message| message.request) {
        Ok(Request::Bets(batch)) => batch.bets.expect("the bundled bets are valid"),
        other => panic!("expected a batch, found {other:?}"),
    }
}
