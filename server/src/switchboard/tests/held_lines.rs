//! Lines that wait for the draw, and peers that send no more.

use super::*;
use crate::central::Rules;

#[test]
fn what_is_behind_a_request_for_winners_waits_for_the_draw_and_is_answered_in_order() {
    let mut network = Network::of(2);
    network.hears(
        A,
        [
            &batch(1, [10])[..],
            &finish(1),
            &ACK,
            &hello(1),
            &REQUEST_WINNERS,
            &REQUEST_WINNERS,
        ]
        .concat(),
    );
    network.hears(A, hello(1));
    let told = network.told_anew(A);
    assert_eq!(states(&told), [None, Some(AgencyState::Betting)]);
    network.hears(B, finish(2));
    let told = network.told_anew(A);
    let drawn = Some(AgencyState::Drawn);
    assert_eq!(states(&told), [None, drawn, None, None, drawn]);
    for winners_told in [0, 2, 3] {
        assert_eq!(told[winners_told], winners([10]));
    }
    assert!(!network.is_over(A));
}

#[test]
fn a_refusal_behind_a_request_for_winners_reaches_the_peer_after_the_winners() {
    for (behind, code) in [
        (UNKNOWN.to_vec(), Code::UnknownMessage),
        (batch(1, [11]), Code::BettingClosed),
        ([&batch(1, [])[..], &UNKNOWN].concat(), Code::UnknownMessage),
    ] {
        let mut network = Network::of(2);
        network.hears(A, [&finish(1)[..], &behind].concat());
        network.hears(B, finish(2));
        let told = network.told(A);
        assert_eq!(told[1], winners([]));
        assert_eq!(told.last(), Some(&failed(code)));
        assert!(network.is_over(A));
        assert!(!network.is_over(B));
    }
}

#[test]
fn an_acknowledgement_sent_while_parked_does_no_harm_and_later_requests_are_heard() {
    let mut network = Network::of(2);
    network.hears(A, finish(1));
    network.hears(A, &ACK[..1]);
    assert!(!network.board().wants_input(A));
    network.hears(B, finish(2));
    assert_eq!(network.told_anew(A)[1..], [winners([])]);
    network.hears(A, [&ACK[1..], &REQUEST_WINNERS].concat());
    assert_eq!(network.told_anew(A), [winners([])]);
}

#[test]
fn a_parked_line_whose_wait_times_out_is_told_so_and_closed_whatever_it_sent_behind() {
    for behind in [&[][..], &ACK, &REQUEST_WINNERS, &UNKNOWN] {
        let mut network = Network::with(Rules {
            draw_timeout: Some(Duration::from_secs(5)),
            ..rules(2)
        });
        network.hears(A, [&finish(1)[..], behind].concat());
        assert_eq!(
            network.board().next_deadline(),
            Some(Duration::from_secs(5))
        );
        network.elapsed = Duration::from_secs(5);
        network.run();
        assert_eq!(network.told(A)[1..], [failed(Code::DrawTimeout)]);
        assert!(network.is_over(A));
        assert_eq!(network.board().next_deadline(), None);
    }
}

#[test]
fn a_parked_line_that_holds_requests_and_is_taken_over_is_closed_and_stays_silent() {
    let mut network = Network::of(2);
    network.hears(A, [&finish(1)[..], &hello(1), &UNKNOWN].concat());
    network.told_anew(A);
    network.hears(B, finish(1));
    assert!(network.peer(A).is_closed);
    assert_eq!(network.told(A), []);
    network.hears(C, finish(2));
    assert_eq!(network.told(B)[1..], [winners([])]);
}

#[test]
fn a_peer_that_sends_no_more_is_answered_everything_and_then_closed() {
    let mut network = Network::of(2);
    network.sends(A, batch(1, [10]));
    network.ends(A);
    network.run();
    assert_eq!(network.told(A), [Reply::RegisterBetOk]);
    assert!(network.is_over(A));
    network.ends(B);
    network.run();
    assert!(network.is_over(B));
}

#[test]
fn a_peer_that_ends_within_a_message_is_closed_and_its_bytes_are_logged() {
    remember_log();
    let mut network = Network::of(1);
    network.sends(A, &batch(1, [10])[..20]);
    network.ends(A);
    network.run();
    assert!(network.is_over(A));
    assert_eq!(network.told(A), []);
    assert_eq!(
        times_logged(
            "action: receive_message | result: in_progress | ip: 127.0.0.1 | error: the connection ended 20 bytes into a message"
        ),
        1
    );
}

#[test]
fn a_parked_peer_that_sends_no_more_is_told_its_winners_and_then_closed() {
    for behind in [&[][..], &ACK, &ACK[..1], &REQUEST_WINNERS] {
        let mut network = Network::of(2);
        network.sends(A, [&finish(1)[..], behind].concat());
        network.ends(A);
        network.run();
        assert!(!network.is_over(A));
        network.told_anew(A);
        network.hears(B, finish(2));
        let times = if behind == REQUEST_WINNERS { 2 } else { 1 };
        assert_eq!(network.told(A), vec![winners([]); times]);
        assert!(network.is_over(A));
    }
}
