//! A central that says what no central should: the client distrusts it, says why, and ends.

use crate::kit::Central;
use crate::kit::Message::*;

#[test]
fn an_agency_that_is_lied_to_says_so_and_ends() {
    let other_bets = Welcome {
        bets: 1,
        crc: 1,
        state: 0,
    };
    // When the central lies, as `Central::meet` has it, and what it says.
    for (when, lie, complaint) in [
        (
            None,
            b"HTTP".to_vec(),
            "no valid message: message type 18516 is unknown",
        ),
        (None, other_bets.encode(), "use the file of the first run"),
        (
            Some(0),
            RegisterBetFailed(2).encode(),
            "with code 2: a bet is invalid",
        ),
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
