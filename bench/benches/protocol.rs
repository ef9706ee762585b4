//! What a batch costs from its bytes to checked bets, and an answer back.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use lottery_bench::micro::{TODAY, batch, bets_in};
use lottery_core::protocol::request::RequestScanner;
use lottery_core::protocol::{FrameAssembler, Reply, Request, Scan, Scanner};

const FRAME_BYTES_MAX: usize = 64 * 1024;

/// A piece of the size that an Ethernet frame carries.
const PIECE_BYTES: usize = 1448;

fn main() {
    divan::main();
}

/// Whether a whole frame is here.
#[divan::bench]
fn scan(bencher: Bencher<'_, '_>) {
    let message = batch().expect("the temporary folder can be written to");
    let mut scanner = RequestScanner::new(FRAME_BYTES_MAX);
    counted(bencher, &message).bench_local(|| {
        let scan = scanner.scan(black_box(&message));
        assert!(matches!(scan, Ok(Scan::Whole(_))));
    });
}

/// From a whole frame to unchecked bets.
#[divan::bench]
fn parse(bencher: Bencher<'_, '_>) {
    let message = batch().expect("the temporary folder can be written to");
    counted(bencher, &message).bench_local(|| black_box(bets_in(black_box(&message))).len());
}

/// Scan and parse as the server does them, for a message that arrives whole.
#[divan::bench]
fn decode(bencher: Bencher<'_, '_>) {
    decode_in_pieces(bencher, usize::MAX);
}

/// The same for a message that arrives in pieces.
#[divan::bench]
fn decode_pieces(bencher: Bencher<'_, '_>) {
    decode_in_pieces(bencher, PIECE_BYTES);
}

fn decode_in_pieces(bencher: Bencher<'_, '_>, piece_bytes: usize) {
    let message = batch().expect("the temporary folder can be written to");
    let mut assembler = FrameAssembler::new(RequestScanner::new(FRAME_BYTES_MAX));
    counted(bencher, &message).bench_local(|| {
        let mut frames = 0;
        for mut piece in black_box(&message).chunks(piece_bytes) {
            while let Ok(Some(frame)) = assembler.next_frame(&mut piece) {
                black_box(Request::parse(frame).is_ok());
                frames += 1;
            }
        }
        assert_eq!(frames, 1);
    });
}

/// From unchecked bets to bets.
#[divan::bench]
fn check(bencher: Bencher<'_, '_>) {
    let message = batch().expect("the temporary folder can be written to");
    let bets = bets_in(&message);
    counted(bencher, &message).bench_local(|| {
        for bet in black_box(&bets) {
            black_box(bet.check(TODAY).is_ok());
        }
    });
}

/// The answer to a batch.
#[divan::bench]
fn encode_ok(bencher: Bencher<'_, '_>) {
    let mut out = Vec::with_capacity(64);
    bencher.bench_local(|| {
        out.clear();
        black_box(Reply::RegisterBetOk).encode(&mut out);
    });
}

/// Five winners.
#[divan::bench]
fn encode_winners(bencher: Bencher<'_, '_>) {
    let winners = Reply::InformWinners(vec![30_904_465; 5]);
    let mut out = Vec::with_capacity(64);
    bencher.bench_local(|| {
        out.clear();
        black_box(&winners).encode(&mut out);
    });
}

/// Counts the bets, and the bytes on the wire, of a message.
fn counted<'a, 'b>(bencher: Bencher<'a, 'b>, message: &[u8]) -> Bencher<'a, 'b> {
    bencher
        .counter(ItemsCount::new(bets_in(message).len()))
        .counter(BytesCount::of_slice(message))
}
