//! Whole conversations, as bytes.

use super::network::READ_BYTES;
use super::*;

/// Everything an agency may say, and then something it may not.
fn conversation() -> Vec<u8> {
    [
        &hello(1)[..],
        &batch(1, [10, 11]),
        &ACK,
        &batch(1, []),
        &batch(1, [12]),
        &ALL_BETS_SENT,
        &REQUEST_WINNERS,
        &ACK,
        &hello(1),
        &REQUEST_WINNERS,
        &batch(1, [13]),
        &hello(1),
    ]
    .concat()
}

/// Has the pieces read one after the other, with a quiet loop in between.
fn answers_to<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Reply>, Vec<u32>) {
    let mut network = Network::of(1);
    for piece in pieces {
        network.hears(A, piece);
    }
    assert!(network.is_over(A));
    (network.told(A), network.disk.stored_by(1))
}

#[test]
fn a_conversation_cut_anywhere_has_the_same_answers() {
    let conversation = conversation();
    let (replies, stored) = answers_to([&conversation[..]]);
    assert_eq!(stored, [10, 11, 12]);
    assert_eq!(replies.len(), 8);
    assert_eq!(replies[1..4], [const { Reply::RegisterBetOk }; 3]);
    assert_eq!(replies[4], winners([10, 11, 12]));
    assert_eq!(states(&replies[5..6]), [Some(AgencyState::Drawn)]);
    assert_eq!(
        replies[6..],
        [winners([10, 11, 12]), failed(Code::BettingClosed)]
    );
    for cut in 0..=conversation.len() {
        let (front, back) = conversation.split_at(cut);
        let answers = answers_to([front, back]);
        assert_eq!(answers, (replies.clone(), stored.clone()), "cut at {cut}");
    }
    let bytes_alone = answers_to(conversation.chunks(1));
    assert_eq!(bytes_alone, (replies, stored));
}

#[test]
fn bytes_that_are_no_request_have_their_code_and_nothing_behind_them_is_heard() {
    let four_gigabytes = [0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff];
    let many_bets = [0, 1, 0xff, 0xff, 0xff, 0xff];
    let mut inner_length_off = batch(1, [10]);
    inner_length_off[14] = 0xff;
    for (bytes, code) in [
        (UNKNOWN.to_vec(), Code::UnknownMessage),
        (vec![0, 8, 0, 2, 0, 0, 0, 1], Code::UnknownMessage),
        (four_gigabytes.to_vec(), Code::Malformed),
        (many_bets.to_vec(), Code::Malformed),
        (inner_length_off, Code::Malformed),
    ] {
        let mut network = Network::of(1);
        network.hears(A, [&batch(1, [9])[..], &bytes, &batch(1, [11])].concat());
        network.hears(A, batch(1, [12]));
        assert_eq!(network.told(A), [Reply::RegisterBetOk, failed(code)]);
        assert!(network.is_over(A));
        assert_eq!(network.disk.stored_by(1), [9]);
    }
}

#[test]
fn bytes_that_are_no_request_are_logged_once_however_many_follow() {
    remember_log();
    let mut network = Network::of(1);
    network.sends(A, vec![0xff; 3 * READ_BYTES]);
    network.run();
    assert_eq!(network.told(A), [failed(Code::UnknownMessage)]);
    assert_eq!(times_logged("action: receive_message | result: fail"), 1);
}

#[test]
fn nothing_is_sent_before_the_turn_ends_nor_when_it_ends_in_doubt() {
    let mut network = Network::of(1);
    network.sends(A, batch(1, [10]));
    assert_eq!(network.told(A), []);
    network.disk.bets.fail(&[Operation::Sync]);
    network.try_turn().unwrap_err();
    assert_eq!(network.told(A), []);
}

#[test]
fn the_end_of_a_run_stores_what_was_staged_and_answers_it() {
    let mut network = Network::of(1);
    network.peer(A);
    let now = network.now();
    network.board_mut().receive(A, &batch(1, [10]), now);
    network.shuts_down();
    assert_eq!(network.told(A), [Reply::RegisterBetOk]);
    assert_eq!(network.disk.stored_by(1), [10]);
}

#[test]
fn a_line_taken_over_is_closed_at_once_and_its_answers_are_dropped() {
    let mut network = Network::of(1);
    network.peer(A).room = 0;
    network.hears(A, batch(1, [10]));
    network.hears(B, hello(1));
    assert!(network.peer(A).is_closed);
    assert_eq!(network.told(A), []);
    assert_eq!(states(&network.told(B)), [Some(AgencyState::Betting)]);
}

#[test]
fn a_connection_that_is_gone_leaves_nothing_behind() {
    let mut network = Network::of(2);
    for number in 0..1_000 {
        let id = ConnectionId(number);
        network.sends(id, &conversation()[..number % 100]);
        network.turn();
        network.disconnects(id);
    }
    network.run();
    assert!(network.board().lines.is_empty());
    assert!(network.board().held.is_empty());
    assert!(network.board().ended.is_empty());
}
