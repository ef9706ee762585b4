//! Bytes in and bytes out, over a network in memory that gives each edge once, as epoll does, and a
//! loop that reads and sends as the event loop does. A line that nobody wakes stays silent here.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use lottery_core::protocol::reply::{AgencyState, ReplyScanner};
use lottery_core::protocol::{Reply, Welcome, bet_encoding, request};
use lottery_core::store::Store;
use proptest::prelude::*;

use super::*;
use crate::central::{Durability, Rules};
use crate::testing::{
    MemoryDisk, MemoryFile, Operation, TODAY, WINNING_NUMBER, remember_log, times_logged,
    winning_bet,
};

const A: ConnectionId = ConnectionId(1);
const B: ConnectionId = ConnectionId(2);
const C: ConnectionId = ConnectionId(3);

const FRAME_BYTES_MAX: usize = 64 * 1024;

/// Bytes that the loop reads at once, and reads in a turn: those of the event loop.
const READ_BYTES: usize = 64 * 1024;
const READS_PER_TURN: usize = 4;

/// Turns after which a loop that still has something to do is taken to spin.
const TURNS_MAX: usize = 100_000;

/// A switchboard, its disk, and peers that connect by being mentioned.
struct Network {
    board: Switchboard<MemoryFile>,
    disk: MemoryDisk,
    peers: BTreeMap<ConnectionId, Peer>,
    elapsed: Duration,
}

/// A peer and its connection, both ends.
struct Peer {
    /// What the peer sent and the loop has not read.
    unread: Vec<u8>,
    has_ended: bool,
    is_readable: bool,
    is_queued: bool,
    /// What the loop sent.
    received: Vec<u8>,
    /// Bytes that the peer still takes.
    room: usize,
    is_closed: bool,
    /// Whether the loop has said that it will send no more.
    is_shut: bool,
}

impl Network {
    fn of(agencies: u32) -> Network {
        Network::with(Rules {
            agencies,
            winning_number: WINNING_NUMBER,
            durability: Durability::Always,
            draw_timeout: None,
        })
    }

    fn with(rules: Rules) -> Network {
        let disk = MemoryDisk::default();
        let (store, _) = Store::open(&disk).unwrap();
        Network {
            board: Switchboard::new(Central::new(rules, store), FRAME_BYTES_MAX),
            disk,
            peers: BTreeMap::new(),
            elapsed: Duration::ZERO,
        }
    }

    fn now(&self) -> Moment {
        Moment {
            elapsed: self.elapsed,
            today: TODAY,
        }
    }

    fn peer(&mut self, id: ConnectionId) -> &mut Peer {
        self.peers.entry(id).or_insert_with(|| {
            self.board.connected(id, Ipv4Addr::LOCALHOST.into());
            Peer {
                unread: Vec::new(),
                has_ended: false,
                is_readable: false,
                is_queued: false,
                received: Vec::new(),
                room: usize::MAX,
                is_closed: false,
                is_shut: false,
            }
        })
    }

    /// The peer sends, and the loop is told of it.
    fn sends(&mut self, id: ConnectionId, bytes: impl AsRef<[u8]>) {
        let peer = self.peer(id);
        peer.unread.extend_from_slice(bytes.as_ref());
        peer.is_readable = true;
        peer.is_queued = true;
    }

    /// The peer sends no more, and still reads.
    fn ends(&mut self, id: ConnectionId) {
        self.sends(id, []);
        self.peer(id).has_ended = true;
    }

    /// The peer takes `bytes` more of what it was sent, and the loop is told if it waits for that.
    fn takes(&mut self, id: ConnectionId, bytes: usize) {
        let peer = self.peer(id);
        peer.room = peer.room.saturating_add(bytes);
        self.send(id);
    }

    fn disconnects(&mut self, id: ConnectionId) {
        if !std::mem::replace(&mut self.peer(id).is_closed, true) {
            self.board.disconnected(id);
        }
    }

    /// Turns until the loop would sleep.
    fn run(&mut self) {
        for _ in 0..TURNS_MAX {
            self.turn();
            let is_due = self
                .board
                .next_deadline()
                .is_some_and(|deadline| deadline <= self.elapsed);
            if !is_due && !self.peers.values().any(|peer| peer.is_queued) {
                return;
            }
        }
        panic!("the loop spins");
    }

    fn turn(&mut self) {
        self.read();
        let now = self.now();
        self.board.end_turn(now).unwrap();
        self.attend_touched();
    }

    fn read(&mut self) {
        let ids: Vec<_> = self.peers.keys().copied().collect();
        for id in ids {
            if self.board.is_turn_full() {
                return;
            }
            if std::mem::take(&mut self.peer(id).is_queued) {
                self.read_peer(id);
            }
        }
    }

    fn read_peer(&mut self, id: ConnectionId) {
        let now = self.now();
        for _ in 0..READS_PER_TURN {
            if self.peer(id).is_closed || self.peer(id).is_shut || !self.board.wants_input(id) {
                return;
            }
            let peer = self.peer(id);
            let bytes = peer.unread.len().min(READ_BYTES);
            let read: Vec<u8> = peer.unread.drain(..bytes).collect();
            if !read.is_empty() {
                self.board.receive(id, &read, now);
            } else {
                peer.is_readable = false;
                if peer.has_ended {
                    self.board.end_of_stream(id);
                }
                return;
            }
        }
        self.peer(id).is_queued = true;
    }

    fn attend_touched(&mut self) {
        for id in self.board.take_touched() {
            self.send(id);
            if self.peer(id).is_readable && self.board.wants_input(id) {
                self.peer(id).is_queued = true;
            }
        }
    }

    fn send(&mut self, id: ConnectionId) {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| !peer.is_closed) else {
            return;
        };
        let outgoing = self.board.outgoing(id).unwrap();
        if outgoing.ending() == Ending::Now {
            return self.disconnects(id);
        }
        let sent = outgoing.unsent().len().min(peer.room);
        assert!(
            sent == 0 || !peer.is_shut,
            "something to send after the last answer"
        );
        peer.received.extend_from_slice(&outgoing.unsent()[..sent]);
        peer.room -= sent;
        outgoing.advance(sent);
        if outgoing.unsent().is_empty() && outgoing.ending() == Ending::AfterFlush {
            peer.is_shut = true;
        }
    }

    /// What the peer was told so far.
    fn told(&mut self, id: ConnectionId) -> Vec<Reply> {
        let mut assembler = FrameAssembler::new(ReplyScanner::new(u64::MAX));
        let mut replies = Vec::new();
        let mut input = &self.peer(id).received[..];
        while let Some(frame) = assembler.next_frame(&mut input).unwrap() {
            replies.push(Reply::parse(frame).unwrap());
        }
        assert_eq!(assembler.kept_bytes(), 0);
        replies
    }

    /// What the peer was told since it was last looked at.
    fn told_anew(&mut self, id: ConnectionId) -> Vec<Reply> {
        let replies = self.told(id);
        self.peer(id).received.clear();
        replies
    }

    /// Whether the loop has closed the connection, at once or after the last answer.
    fn is_over(&mut self, id: ConnectionId) -> bool {
        let peer = self.peer(id);
        peer.is_closed || peer.is_shut
    }

    fn kept_bytes(&self, id: ConnectionId) -> usize {
        self.board.lines[&id].assembler.kept_bytes()
    }

    fn outgoing_bytes(&mut self, id: ConnectionId) -> usize {
        self.board.outgoing(id).unwrap().buffer().len()
    }
}

fn hello(agency: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    request::encode_hello(agency, &mut bytes);
    bytes
}

/// A batch of `agency` with a winning bet for each document.
fn batch<const N: usize>(agency: u32, documents: [u32; N]) -> Vec<u8> {
    let mut bytes = Vec::new();
    request::encode_batch_header(N as u32, &mut bytes);
    for document in documents {
        let bet = winning_bet(agency, document);
        let bet = bet.check(TODAY).unwrap();
        bytes.extend_from_slice(&(bet_encoding::encoded_bytes(&bet) as u32).to_be_bytes());
        bet_encoding::encode(&bet, &mut bytes);
    }
    bytes
}

const ACK: [u8; 2] = [0, 4];
const ALL_BETS_SENT: [u8; 2] = [0, 5];
const REQUEST_WINNERS: [u8; 2] = [0, 6];
const UNKNOWN: [u8; 2] = [0, 77];

/// An agency that has finished and waits.
fn finish(agency: u32) -> Vec<u8> {
    [&hello(agency)[..], &ALL_BETS_SENT, &REQUEST_WINNERS].concat()
}

fn failed(code: Code) -> Reply {
    Reply::RegisterBetFailed(code)
}

fn winners<const N: usize>(documents: [u32; N]) -> Reply {
    Reply::InformWinners(documents.to_vec())
}

fn states(replies: &[Reply]) -> Vec<Option<AgencyState>> {
    let state = |reply: &Reply| match reply {
        Reply::Welcome(welcome) => Some(welcome.state),
        _ => None,
    };
    replies.iter().map(state).collect()
}

// Bytes and requests

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
        network.sends(A, piece);
        network.run();
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
        (four_gigabytes.to_vec(), Code::Malformed),
        (many_bets.to_vec(), Code::Malformed),
        (inner_length_off, Code::Malformed),
    ] {
        let mut network = Network::of(1);
        network.sends(A, [&batch(1, [9])[..], &bytes, &batch(1, [11])].concat());
        network.run();
        network.sends(A, batch(1, [12]));
        network.run();
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
    network.read();
    network.attend_touched();
    assert_eq!(network.told(A), []);
    network.disk.bets.fail(&[Operation::Sync]);
    let now = network.now();
    network.board.end_turn(now).unwrap_err();
    network.attend_touched();
    assert_eq!(network.told(A), []);
}

#[test]
fn the_end_of_a_run_stores_what_was_staged_and_answers_it() {
    let mut network = Network::of(1);
    network.sends(A, batch(1, [10]));
    network.read();
    let now = network.now();
    network.board.shut_down(now).unwrap();
    network.attend_touched();
    assert_eq!(network.told(A), [Reply::RegisterBetOk]);
    assert_eq!(network.disk.stored_by(1), [10]);
}

#[test]
fn a_line_taken_over_is_closed_at_once_and_its_answers_are_dropped() {
    let mut network = Network::of(1);
    network.peer(A).room = 0;
    network.sends(A, batch(1, [10]));
    network.run();
    network.sends(B, hello(1));
    network.run();
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
    assert!(network.board.lines.is_empty());
    assert!(network.board.held.is_empty());
    assert!(network.board.ended.is_empty());
}

// Lines held back

#[test]
fn what_is_behind_a_request_for_winners_waits_for_the_draw_and_is_answered_in_order() {
    let mut network = Network::of(2);
    network.sends(
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
    network.run();
    network.sends(A, hello(1));
    network.run();
    let told = network.told_anew(A);
    assert_eq!(states(&told), [None, Some(AgencyState::Betting)]);
    network.sends(B, finish(2));
    network.run();
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
        network.sends(A, [&finish(1)[..], &behind].concat());
        network.run();
        network.sends(B, finish(2));
        network.run();
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
    network.sends(A, finish(1));
    network.run();
    network.sends(A, &ACK[..1]);
    network.run();
    assert!(!network.board.wants_input(A));
    network.sends(B, finish(2));
    network.run();
    assert_eq!(network.told_anew(A)[1..], [winners([])]);
    network.sends(A, [&ACK[1..], &REQUEST_WINNERS].concat());
    network.run();
    assert_eq!(network.told_anew(A), [winners([])]);
}

#[test]
fn a_parked_line_whose_wait_times_out_is_told_so_and_closed_whatever_it_sent_behind() {
    for behind in [&[][..], &ACK, &REQUEST_WINNERS, &UNKNOWN] {
        let mut network = Network::with(Rules {
            agencies: 2,
            winning_number: WINNING_NUMBER,
            durability: Durability::Always,
            draw_timeout: Some(Duration::from_secs(5)),
        });
        network.sends(A, [&finish(1)[..], behind].concat());
        network.run();
        assert_eq!(network.board.next_deadline(), Some(Duration::from_secs(5)));
        network.elapsed = Duration::from_secs(5);
        network.run();
        assert_eq!(network.told(A)[1..], [failed(Code::DrawTimeout)]);
        assert!(network.is_over(A));
        assert_eq!(network.board.next_deadline(), None);
    }
}

#[test]
fn a_parked_line_that_holds_requests_and_is_taken_over_is_closed_and_stays_silent() {
    let mut network = Network::of(2);
    network.sends(A, [&finish(1)[..], &hello(1), &UNKNOWN].concat());
    network.run();
    network.told_anew(A);
    network.sends(B, finish(1));
    network.run();
    assert!(network.peer(A).is_closed);
    assert_eq!(network.told(A), []);
    network.sends(C, finish(2));
    network.run();
    assert_eq!(network.told(B)[1..], [winners([])]);
}

// Ends of streams

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
        network.sends(B, finish(2));
        network.run();
        let times = if behind == REQUEST_WINNERS { 2 } else { 1 };
        assert_eq!(network.told(A), vec![winners([]); times]);
        assert!(network.is_over(A));
    }
}

// Floods

/// Messages of 64 KiB and more, each of which is answered, and how often.
fn floods() -> [(Vec<u8>, usize); 3] {
    [
        (REQUEST_WINNERS.to_vec(), 32 * 1024),
        (batch(1, []), 64 * 1024),
        (hello(1), 64 * 1024),
    ]
}

#[test]
fn a_peer_that_floods_and_does_not_read_makes_the_server_keep_little() {
    for (message, times) in floods() {
        let mut network = Network::of(1);
        network.sends(A, [&batch(1, [10])[..], &finish(1)].concat());
        network.run();
        network.told_anew(A);
        network.peer(A).room = 0;
        for _ in 0..8 {
            network.sends(A, message.repeat(times / 8));
            network.run();
        }
        assert!(!network.board.wants_input(A));
        assert!(network.kept_bytes(A) <= READ_BYTES);
        let answers_of_a_turn_bytes = 2 * READS_PER_TURN * READ_BYTES;
        assert!(network.outgoing_bytes(A) <= OUTGOING_BYTES_MAX + answers_of_a_turn_bytes);
        network.sends(B, hello(2));
        network.run();
        assert_eq!(network.told(B), [failed(Code::NoSuchAgency)]);
    }
}

#[test]
fn a_peer_that_reads_at_last_is_answered_to_the_last_message() {
    for (message, times) in floods() {
        for take_bytes in [usize::MAX, OUTGOING_BYTES_MAX / 2] {
            let mut network = Network::of(1);
            network.sends(A, finish(1));
            network.run();
            network.told_anew(A);
            network.peer(A).room = 0;
            network.sends(A, message.repeat(times));
            network.run();
            let mut takes = 0;
            while !network.board.outgoing(A).unwrap().unsent().is_empty() {
                network.takes(A, take_bytes);
                network.run();
                takes += 1;
                assert!(takes < 1_000);
            }
            assert_eq!(network.told(A).len(), times);
            assert!(network.board.wants_input(A));
            assert_eq!(network.board.next_deadline(), None);
        }
    }
}

#[test]
fn a_flood_from_a_parked_peer_stays_in_the_socket() {
    let mut network = Network::of(2);
    network.sends(A, finish(1));
    network.run();
    for _ in 0..8 {
        network.sends(A, ACK.repeat(READ_BYTES));
        network.run();
    }
    assert!(network.kept_bytes(A) <= READ_BYTES);
    assert!(!network.board.wants_input(A));
    network.sends(B, finish(2));
    network.run();
    assert!(network.board.wants_input(A));
    assert_eq!(network.kept_bytes(A), 0);
    assert!(network.peer(A).unread.is_empty());
}

#[test]
fn a_backlogged_line_is_read_again_once_its_peer_has_taken_the_answers() {
    let mut network = Network::of(1);
    network.peer(A).room = 0;
    network.sends(A, batch(1, []).repeat(READ_BYTES));
    network.run();
    assert!(!network.board.wants_input(A));
    let unread = network.peer(A).unread.len();
    assert!(unread > 0);
    network.takes(A, OUTGOING_BYTES_MAX);
    network.run();
    assert!(network.peer(A).unread.len() < unread);
}

#[test]
fn a_backlogged_peer_that_sends_no_more_is_answered_everything_and_then_closed() {
    let mut network = Network::of(1);
    network.peer(A).room = 0;
    network.sends(A, batch(1, []).repeat(READ_BYTES));
    network.ends(A);
    network.run();
    assert!(!network.is_over(A));
    network.takes(A, usize::MAX);
    network.run();
    assert_eq!(network.told(A).len(), READ_BYTES);
    assert!(network.is_over(A));
}

#[test]
fn a_peer_that_never_takes_quite_everything_makes_the_server_keep_little() {
    let mut network = Network::of(1);
    network.peer(A).room = 0;
    network.sends(A, hello(1).repeat(2_000));
    network.run();
    for _ in 0..1_000 {
        network.sends(A, hello(1).repeat(1_000));
        network.takes(A, 15_000);
        network.run();
    }
    assert!(network.board.outgoing(A).unwrap().unsent().len() <= OUTGOING_BYTES_MAX);
    assert!(network.outgoing_bytes(A) <= 2 * OUTGOING_BYTES_MAX);
}

#[test]
fn many_bets_fill_a_turn() {
    let mut network = Network::of(1);
    let batches = batch(1, [10; 1_000]).repeat(150);
    let now = network.now();
    network.peer(A);
    assert!(!network.board.is_turn_full());
    network.board.receive(A, &batches, now);
    assert!(network.board.is_turn_full());
    network.turn();
    assert!(!network.board.is_turn_full());
}

#[test]
fn many_answers_fill_a_turn_though_nothing_is_to_be_stored() {
    let mut network = Network::of(1);
    let empty_batches = batch(1, []).repeat(20_000);
    let now = network.now();
    for number in 0..1000 {
        let id = ConnectionId(number);
        network.peer(id);
        network.board.receive(id, &empty_batches, now);
        if network.board.is_turn_full() {
            let becomes_free = (0..1000).any(|_| {
                network.turn();
                !network.board.is_turn_full()
            });
            assert!(becomes_free, "what was held back never comes to an end");
            return;
        }
    }
    panic!("a million answers wait for one turn");
}

// Anything

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
        prop_assert_eq!(network.board.next_deadline(), None);
        for (id, agency) in [(ConnectionId(1_000), 1), (ConnectionId(1_001), 2)] {
            network.sends(id, finish(agency));
            network.run();
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
