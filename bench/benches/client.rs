//! What an agency's file costs, from its rows to the messages that are sent.

use client::agency::{Agency, Pace, Step};
use client::batch::Batch;
use client::bet_source::{BetSource, CsvFile, RowError};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use lottery_bench::micro::{AGENCY, TODAY, csv_file};
use lottery_core::bet::Bet;
use lottery_core::protocol::reply::AgencyState;
use lottery_core::protocol::{Reply, Welcome};

const BETS: u32 = 20_000;

const BATCH_BETS: u32 = 125;

fn main() {
    divan::main();
}

/// Rows to bets.
#[divan::bench]
fn read(bencher: Bencher<'_, '_>) {
    with_file(bencher, |mut source| {
        while take(&mut source, |bet| {
            black_box(bet.document);
            true
        }) {}
    });
}

/// Rows to messages, without the conversation.
#[divan::bench]
fn read_and_encode(bencher: Bencher<'_, '_>) {
    let mut out = Vec::new();
    with_file(bencher, |mut source| {
        let mut batch = Batch::new(BATCH_BETS);
        while take(&mut source, |bet| {
            if !batch.push(bet) {
                out.clear();
                batch.send(&mut out);
                assert!(batch.push(bet), "an empty batch has room");
            }
            true
        }) {}
    });
}

/// The agency as it runs: greeted, sending, answered, until it asks for its winners.
#[divan::bench]
fn converse(bencher: Bencher<'_, '_>) {
    let mut out = Vec::new();
    with_file(bencher, |source| {
        let pace = Pace {
            batch_bets_max: BATCH_BETS,
            window: 64,
        };
        let mut agency = Agency::new(AGENCY, source, pace);
        let mut reply = Reply::Welcome(Welcome {
            bets: 0,
            crc: 0,
            state: AgencyState::Betting,
        });
        loop {
            out.clear();
            match agency.advance(&mut out) {
                Ok(Step::Send) => {}
                Ok(Step::AwaitReply) => {
                    let next = Reply::RegisterBetOk;
                    let reply = std::mem::replace(&mut reply, next);
                    agency.receive(reply).expect("the answers are in order");
                }
                Ok(Step::AwaitDraw | Step::Done(_)) => break,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(agency.registered(), u64::from(BETS));
    });
}

fn with_file(bencher: Bencher<'_, '_>, mut act: impl FnMut(CsvFile<fn(&RowError)>)) {
    let file = csv_file(BETS).expect("the temporary folder can be written to");
    let bytes = file.path().metadata().expect("the file is there").len();
    let report: fn(&RowError) = |_| ();
    bencher
        .counter(ItemsCount::new(BETS))
        .counter(BytesCount::new(bytes))
        .with_inputs(|| {
            CsvFile::open(AGENCY, file.path(), TODAY, report).expect("the file is there")
        })
        .bench_local_values(&mut act);
}

fn take(source: &mut impl BetSource, take: impl FnOnce(&Bet<'_>) -> bool) -> bool {
    let taken = source.next_bet(take).expect("the file can be read");
    taken.unwrap_or(false)
}
