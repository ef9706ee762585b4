//! Anything, cut anywhere and taken at any pace.

use lottery_core::protocol::Welcome;
use proptest::prelude::*;

use super::*;

/// What a peer may send: mostly sense.
fn message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (1..=2_u32).prop_map(hello),
        6 => (1..=2_u32, 1..1_000_u32).prop_map(|(agency, document)| batch(agency, [document])),
        1 => Just(batch(1, [])),
        3 => Just(ALL_BETS_SENT.to_vec()),
        3 => Just(REQUEST_WINNERS.to_vec()),
        2 => Just(ACK.to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ]
}

/// The replies without what depends on the turn in which the draw is held.
fn but_for_the_draw(mut replies: Vec<Reply>) -> Vec<Reply> {
    for reply in &mut replies {
        if let Reply::Welcome(Welcome { state, .. }) = reply
            && *state == AgencyState::Drawn
        {
            *state = AgencyState::Closed;
        }
    }
    replies
}

/// What happens next: on which of three connections, and what.
#[derive(Clone, Debug)]
enum Step {
    Send(usize, Vec<u8>),
    End(usize),
    Take(usize, usize),
    Disconnect(usize),
    Turn,
    Fail(Vec<Operation>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let connection = 0..3_usize;
    let step = prop_oneof![
        12 => (connection.clone(), message(), any::<prop::sample::Index>()).prop_map(
            |(id, message, cut)| {
                // One message in two is torn.
                let cut = cut.index(2 * message.len() + 1).min(message.len());
                Step::Send(id, message[..cut].to_vec())
            }
        ),
        1 => connection.clone().prop_map(Step::End),
        4 => (connection.clone(), 0..40_usize).prop_map(|(id, bytes)| Step::Take(id, bytes)),
        1 => connection.prop_map(Step::Disconnect),
        6 => Just(Step::Turn),
        1 => Just(Step::Fail(vec![Operation::Write])),
        2 => Just(Step::Fail(vec![])),
    ];
    prop::collection::vec(step, 0..80)
}

proptest! {
    #[test]
    fn whatever_is_sent_the_loop_comes_to_rest_and_serves_whoever_comes_next(steps in steps()) {
        let mut network = Network::of(2);
        let mut current = [A, B, C];
        let mut connections_made = 10;
        for step in steps {
            match step {
                Step::Send(slot, bytes) => network.sends(current[slot], bytes),
                Step::End(slot) => network.ends(current[slot]),
                Step::Take(slot, bytes) => network.takes(current[slot], bytes),
                Step::Disconnect(slot) => {
                    network.disconnects(current[slot]);
                    connections_made += 1;
                    current[slot] = ConnectionId(connections_made);
                    network.peer(current[slot]).room = 5;
                }
                Step::Turn => network.turn(),
                Step::Fail(operations) => {
                    network.disk.bets.fail(&operations);
                    network.disk.closings.fail(&operations);
                }
            }
        }
        network.disk.bets.fail(&[]);
        network.disk.closings.fail(&[]);
        for id in current {
            network.takes(id, usize::MAX);
        }
        network.run();
        prop_assert_eq!(network.board().next_deadline(), None);
        for (id, agency) in [(ConnectionId(1_000), 1), (ConnectionId(1_001), 2)] {
            network.hears(id, finish(agency));
        }
        for (id, agency) in [(ConnectionId(1_000), 1), (ConnectionId(1_001), 2)] {
            let expected = Reply::InformWinners(network.disk.winners_of(agency));
            prop_assert_eq!(network.told(id).pop(), Some(expected));
        }
    }

    #[test]
    fn a_conversation_has_the_same_answers_however_it_is_cut_and_however_slowly_they_are_taken(
        messages in prop::collection::vec(message(), 0..20),
        pieces in prop::collection::vec((1..30_usize, 0..30_usize), 1..40),
    ) {
        let conversation = messages.concat();
        let mut whole = Network::of(1);
        whole.sends(A, &conversation);
        whole.run();
        let mut cut = Network::of(1);
        cut.peer(A).room = 0;
        let mut rest = &conversation[..];
        for (sent, taken) in pieces.into_iter().cycle().take(conversation.len()) {
            let (piece, behind) = rest.split_at(sent.min(rest.len()));
            rest = behind;
            cut.sends(A, piece);
            cut.turn();
            cut.takes(A, taken);
        }
        cut.takes(A, usize::MAX);
        cut.run();
        prop_assert_eq!(but_for_the_draw(cut.told(A)), but_for_the_draw(whole.told(A)));
        prop_assert_eq!(cut.is_over(A), whole.is_over(A));
        prop_assert_eq!(cut.disk.stored(), whole.disk.stored());
    }
}
