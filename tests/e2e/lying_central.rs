//! A central that says what no central should: the client distrusts it, says why, and ends.

use crate::kit::Message::*;
use crate::kit::{Central, Message, losing_bets};

/// When the central lies: in the place of a Welcome, or when the agency waits for its winners and so
/// many of its three batches are answered.
type When = Option<usize>;

const AT_ONCE: When = None;

/// After the last batch.
const LATE: When = Some(3);

/// Other bets than the agency's.
const OTHERS: &str = "use the file of the first run";

#[test]
fn an_agency_that_is_lied_to_says_so_and_ends() {
    let claim = |bets, crc, state| Welcome { bets, crc, state }.encode();
    let welcome = |bets: u32, state| Message::welcome(&losing_bets(1, bets), state).encode();
    let refused = |code| RegisterBetFailed(code).encode();
    let winners = |count: u64| [vec![0, 7], count.to_be_bytes().to_vec()].concat();
    let stored = || RegisterBetOk.encode();
    for (when, lie, complaint) in [
        (
            AT_ONCE,
            b"HTTP".to_vec(),
            "no valid message: message type 18516 is unknown",
        ),
        (LATE, refused(10), "failure code 10 is unknown"),
        // These are not waited for.
        (LATE, winners(u64::MAX), "winners, and at most 6 can be"),
        // Answers to what was not asked.
        (LATE, stored(), "out of turn"),
        (Some(2), winners(0), "out of turn"),
        (AT_ONCE, claim(1, 1, 0), OTHERS),
        (AT_ONCE, claim(u64::MAX, 0, 0), OTHERS),
        // Finished, although there are more.
        (AT_ONCE, welcome(5, 1), "closed with the first 5 bets"),
        // Refusals that do not pass.
        (AT_ONCE, refused(6), "with code 6: no such agency"),
        (Some(0), refused(2), "with code 2: a bet is invalid"),
        (LATE, refused(8), "code 8: the draw was not held in"),
    ] {
        let central = Central::listen();
        let agency = central.agency().start();
        let mut peer = central.meet(when);
        peer.send(&lie);
        peer.expect_closed();
        let ended = agency.wait_for_end();
        ended.expect_complaint(1, complaint);
        assert_eq!(ended.log.count("in_progress"), 0, "{ended:#?}");
        assert_eq!(ended.log.count("result: fail"), 1, "{ended:#?}");
        assert_eq!(ended.log.count("ganadores | result: success"), 0);
        let refused =
            "action: apuesta_enviada | result: fail | cantidad: 2 | error: a bet is invalid";
        let is_batch = complaint.contains("code 2");
        assert_eq!(
            ended.log.count(refused),
            usize::from(is_batch),
            "{ended:#?}"
        );
    }
}
