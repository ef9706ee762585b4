//! What the store costs without a medium: writing rows, committing, drawing, opening.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use lottery_bench::datasets::DEFAULT_WINNING_NUMBER;
use lottery_bench::micro::{AGENCY, Forgetful, MemoryFile, TODAY, batch, bets_in};
use lottery_core::bet::Bet;
use lottery_core::protocol::bet_encoding;
use lottery_core::store::{Draw, Store, Tally, examine, write_bet};

/// Rows of the files that are drawn over and opened, some 9 MB.
const STORED_BATCHES: usize = 1600;

fn main() {
    divan::main();
}

/// The rows of a batch.
#[divan::bench]
fn write_rows(bencher: Bencher<'_, '_>) {
    let message = batch().expect("the temporary folder can be written to");
    let bets = checked(&message);
    let mut rows = rows_of(&bets);
    let counter = BytesCount::of_slice(&rows);
    let bencher = bencher.counter(ItemsCount::new(bets.len()));
    bencher.counter(counter).bench_local(|| {
        rows.clear();
        for bet in black_box(&bets) {
            write_bet(bet, &mut rows);
        }
    });
}

/// The encodings and the CRC of a batch: what the store does besides the rows.
#[divan::bench]
fn tally(bencher: Bencher<'_, '_>) {
    let message = batch().expect("the temporary folder can be written to");
    let bets = checked(&message);
    let mut encodings = Vec::new();
    let mut tally = Tally::default();
    let bencher = bencher.counter(ItemsCount::new(bets.len()));
    bencher.bench_local(|| {
        encodings.clear();
        for bet in black_box(&bets) {
            bet_encoding::encode(bet, &mut encodings);
        }
        tally.add(bets.len() as u64, &encodings);
    });
}

/// So many batches staged, and committed to a disk that forgets.
#[divan::bench(args = [1, 64])]
fn store_bets_and_commit(bencher: Bencher<'_, '_>, batches: usize) {
    let message = batch().expect("the temporary folder can be written to");
    let bets = checked(&message);
    let (mut store, _) = Store::open(&Forgetful).expect("an empty disk can be opened");
    let bencher = bencher.counter(ItemsCount::new(batches * bets.len()));
    bencher.bench_local(|| {
        for _ in 0..batches {
            store.store_bets(AGENCY, black_box(&bets));
        }
        store.commit(false).expect("the disk takes everything");
    });
}

/// The draw over a file in memory.
#[divan::bench]
fn draw(bencher: Bencher<'_, '_>) {
    let rows = stored_rows();
    let (end, counter) = (rows.len() as u64, BytesCount::of_slice(&rows));
    let file = MemoryFile::holding(rows);
    bencher.counter(counter).bench_local(|| {
        let mut draw = Draw::new(DEFAULT_WINNING_NUMBER, end);
        loop {
            let winners = draw.advance(black_box(&file));
            if let Some(winners) = winners.expect("memory can be read") {
                return winners;
            }
        }
    });
}

/// Opening's look at a file in memory: every row is read, checked and counted.
#[divan::bench]
fn open(bencher: Bencher<'_, '_>) {
    let rows = stored_rows();
    let counter = BytesCount::of_slice(&rows);
    let (bets, closings) = (MemoryFile::holding(rows), MemoryFile::default());
    bencher.counter(counter).bench_local(|| {
        examine(black_box(&bets), &closings).expect("the rows are those of the store")
    });
}

fn checked(message: &[u8]) -> Vec<Bet<'_>> {
    let bets = bets_in(message).into_iter().map(|bet| bet.check(TODAY));
    let bets: Result<_, _> = bets.collect();
    bets.expect("the generator's bets are valid")
}

fn rows_of(bets: &[Bet<'_>]) -> Vec<u8> {
    let mut rows = Vec::new();
    for bet in bets {
        write_bet(bet, &mut rows);
    }
    rows
}

fn stored_rows() -> Vec<u8> {
    let message = batch().expect("the temporary folder can be written to");
    rows_of(&checked(&message)).repeat(STORED_BATCHES)
}
