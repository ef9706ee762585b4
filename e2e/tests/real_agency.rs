//! The project's own agency beside agencies written by hand, at the project's own central.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use lottery_e2e::wire::{self, HandBet, WINNING_NUMBER, losing_bets};
use lottery_e2e::{Answer, ClientSetup, Dataset, ServerSetup};

#[test]
fn a_real_agency_stores_the_bytes_that_one_written_by_hand_would_send() {
    let server = ServerSetup::lottery(2).start();
    let mut bets = losing_bets(1, 1_000);
    bets.push(HandBet::new(1, 101, WINNING_NUMBER).named("María José", "Núñez"));
    let client = ClientSetup::with(&Dataset::of(1, &bets), server.address())
        .flag("batch-max-amount", "7")
        .start();
    server.wait_for_closing(1);
    server.parked(2, &[]).expect(Answer::Winners(vec![]));
    let ended = client.wait_for_end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.winners(), [101]);
    assert_eq!(server.setup().bets_file(), wire::rows(&bets));
    assert!(
        matches!(server.connect().hello(1), Answer::Welcome { crc, .. } if crc == wire::crc(&bets))
    );
}
