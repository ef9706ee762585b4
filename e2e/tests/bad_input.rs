//! What strangers send that is no proper request: each is refused with its code, and the server
//! serves the other agencies all along.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use lottery_e2e::wire::{
    self, ALL_BETS_SENT, HandBet, LOSING_NUMBER, REQUEST_WINNERS, losing_bets,
};
use lottery_e2e::{Answer, HandAgency, ServerProcess, ServerSetup, log};

const UNKNOWN_MESSAGE: u16 = 1;
const INVALID_BET: u16 = 2;
const MALFORMED: u16 = 3;
const WRONG_AGENCY: u16 = 4;
const BETTING_CLOSED: u16 = 5;
const NO_SUCH_AGENCY: u16 = 6;
const OUT_OF_TURN: u16 = 9;

const SECONDS_PER_DAY: i64 = 86_400;

/// A lottery of two agencies, of which the second is well-behaved and served throughout.
struct World {
    server: ServerProcess,
    bystander: HandAgency,
    bystanders_bets: Vec<HandBet>,
}

impl World {
    fn new() -> World {
        let server = ServerSetup::lottery(2).start();
        let bystander = server.connect();
        let mut world = World {
            server,
            bystander,
            bystanders_bets: Vec::new(),
        };
        world.serve_bystander();
        world
    }

    fn serve_bystander(&mut self) {
        let document = 20_000_000 + self.bystanders_bets.len() as u32;
        let bet = HandBet::new(2, document, LOSING_NUMBER);
        self.bystander.store(std::slice::from_ref(&bet));
        self.bystanders_bets.push(bet);
    }

    /// A new connection that sends `bytes` is refused with `code` and closed.
    fn expect_refusal(&mut self, bytes: &[u8], code: u16) {
        let mut agency = self.server.connect();
        agency.send(bytes);
        self.serve_bystander();
        agency.expect_refusal(code);
        self.serve_bystander();
    }

    /// Nothing but the bystander's bets is stored, and the server ends as it should.
    fn end(self) -> Vec<String> {
        let setup = self.server.setup().clone();
        let ended = self.server.terminate();
        assert_eq!(ended.code, Some(0));
        assert_eq!(setup.bets_file(), wire::rows(&self.bystanders_bets));
        ended.log
    }
}

fn bet() -> HandBet {
    HandBet::new(1, 101, LOSING_NUMBER)
}

/// RegisterBets of one bet, of which the four bytes at `position` are overwritten.
fn with_length(position: usize, length: u32) -> Vec<u8> {
    let mut bytes = wire::register_bets(&[bet()]);
    bytes[position..position + 4].copy_from_slice(&length.to_be_bytes());
    bytes
}

/// Where in RegisterBets the count, the first bet's length, and the lengths of its names are.
const COUNT: usize = 2;
const BET_LENGTH: usize = 6;
const FIRST_NAME_LENGTH: usize = 14;
const LAST_NAME_LENGTH: usize = 21;

#[test]
fn messages_of_unknown_types_are_refused_as_unknown() {
    let mut world = World::new();
    // 2, 3, 7 and 9 are the central's own to send.
    for message_type in [0_u16, 2, 3, 7, 9, 10, 255, 256, 0x4745, u16::MAX] {
        world.expect_refusal(&message_type.to_be_bytes(), UNKNOWN_MESSAGE);
    }
    world.expect_refusal(b"GET / HTTP/1.1\r\nHost: central\r\n\r\n", UNKNOWN_MESSAGE);
    let log = world.end();
    assert!(log::count(&log, "code: 1 | error: message type 18245 is unknown") > 0);
}

#[test]
fn a_message_that_claims_four_gigabytes_is_refused_before_it_is_sent() {
    let mut world = World::new();
    world.expect_refusal(&with_length(COUNT, u32::MAX)[..6], MALFORMED);
    world.expect_refusal(&with_length(BET_LENGTH, u32::MAX)[..10], MALFORMED);
    world.expect_refusal(&with_length(BET_LENGTH, u32::MAX - 9)[..10], MALFORMED);
    world.end();
}

#[test]
fn lengths_that_contradict_each_other_are_malformed() {
    let mut world = World::new();
    let length = bet().encoded().len() as u32;
    for (position, wrong) in [
        (FIRST_NAME_LENGTH, u32::MAX),
        (FIRST_NAME_LENGTH, 1_000),
        (FIRST_NAME_LENGTH, 2),
        (FIRST_NAME_LENGTH, 4),
        (LAST_NAME_LENGTH, u32::MAX),
        (LAST_NAME_LENGTH, 2),
        (LAST_NAME_LENGTH, 4),
        (BET_LENGTH, length - 1),
        (BET_LENGTH, 0),
    ] {
        world.expect_refusal(&with_length(position, wrong), MALFORMED);
    }
    let mut longer = with_length(BET_LENGTH, length + 1);
    longer.push(0);
    world.expect_refusal(&longer, MALFORMED);
    world.end();
}

/// A bet of somebody who was born at this Unix time.
fn born(birthdate: i64) -> HandBet {
    HandBet { birthdate, ..bet() }
}

/// The midnight with which this day began.
fn today() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs() as i64 / SECONDS_PER_DAY * SECONDS_PER_DAY
}

#[test]
fn a_bet_with_an_invalid_field_refuses_its_whole_batch() {
    let mut world = World::new();
    let mut bad_name = bet();
    bad_name.last_name = b"N\xc3".to_vec();
    for invalid in [
        bet().named("", "Paz"),
        bet().named("Ana", &"a".repeat(256)),
        bet().named("Ana", "\r\nPaz"),
        bad_name,
        HandBet::new(1, 0, LOSING_NUMBER),
        HandBet::new(1, 101, 10_000),
        born(i64::MIN),
        born(i64::MAX),
        // A day that is future whatever midnight comes meanwhile.
        born(today() + 2 * SECONDS_PER_DAY),
    ] {
        let batch = [bet(), invalid, bet()];
        world.expect_refusal(&wire::register_bets(&batch), INVALID_BET);
    }
    let log = world.end();
    let refused = "action: apuesta_recibida | result: fail | cantidad: 3";
    assert_eq!(log::count(&log, refused), 9);
    let reason = "bet 2: number \"10000\" is not valid, expected";
    assert_eq!(log::count(&log, reason), 1);
}

#[test]
fn bets_at_the_bounds_of_what_is_valid_are_stored() {
    let server = ServerSetup::lottery(1).start();
    server.connect().store(&[
        bet().named(&"a".repeat(255), "b"),
        HandBet::new(1, 1, 0),
        HandBet::new(1, u32::MAX, 9_999),
        born(today()),
        born(-2_208_988_800),
    ]);
    let file = server.setup().bets_file();
    assert_eq!(file.lines().count(), 5);
    assert!(file.ends_with(",1900-01-01,1234\r\n"));
}

#[test]
fn a_bet_of_another_agency_is_refused_with_its_batch() {
    let mut world = World::new();
    let mixed = [bet(), HandBet::new(2, 102, LOSING_NUMBER)];
    world.expect_refusal(&wire::register_bets(&mixed), WRONG_AGENCY);
    for stranger in [0, 2, 3] {
        let mut message = wire::hello(1, 1);
        message.extend(wire::register_bets(&[HandBet::new(
            stranger,
            102,
            LOSING_NUMBER,
        )]));
        let mut agency = world.server.connect();
        agency.send(&message);
        agency.expect(Answer::welcome(&[], 0));
        agency.expect_refusal(WRONG_AGENCY);
        world.serve_bystander();
    }
    let mut agency = world.server.connect();
    agency.send(&[wire::hello(1, 1), wire::hello(1, 2)].concat());
    agency.expect(Answer::welcome(&[], 0));
    agency.expect_refusal(WRONG_AGENCY);
    world.end();
}

#[test]
fn bets_after_all_bets_sent_are_refused() {
    let mut world = World::new();
    let bets = wire::register_bets(&[bet()]);
    let mut agency = world.server.connect();
    agency.send(&[&wire::hello(1, 1)[..], &ALL_BETS_SENT, &bets].concat());
    agency.expect(Answer::welcome(&[], 0));
    agency.expect_refusal(BETTING_CLOSED);
    // The closing holds for every later connection too.
    world.expect_refusal(&bets, BETTING_CLOSED);
    world.end();
}

#[test]
fn agencies_that_do_not_take_part_are_refused_by_their_bets_and_by_hello() {
    let mut world = World::new();
    for stranger in [0, 3, u32::MAX] {
        let bets = [HandBet::new(stranger, 101, LOSING_NUMBER)];
        world.expect_refusal(&wire::register_bets(&bets), NO_SUCH_AGENCY);
        world.expect_refusal(&wire::hello(1, stranger), NO_SUCH_AGENCY);
    }
    world.end();
}

#[test]
fn who_is_not_identified_can_neither_close_nor_ask_for_winners() {
    let mut world = World::new();
    world.expect_refusal(&REQUEST_WINNERS, OUT_OF_TURN);
    world.expect_refusal(&ALL_BETS_SENT, OUT_OF_TURN);
    let empty = wire::register_bets(&[]);
    let mut agency = world.server.connect();
    agency.send(&[&empty[..], &ALL_BETS_SENT].concat());
    agency.expect(Answer::Stored);
    agency.expect_refusal(OUT_OF_TURN);
    world.end();
}

#[test]
fn a_hello_of_another_version_is_unknown() {
    let mut world = World::new();
    for version in [0, 2, u16::MAX] {
        world.expect_refusal(&wire::hello(version, 1), UNKNOWN_MESSAGE);
    }
    world.end();
}

#[test]
fn a_connection_cut_in_mid_frame_stores_nothing_of_it() {
    let mut world = World::new();
    let message = wire::register_bets(&losing_bets(1, 3));
    for length in [1, 2, 5, 9, 40, message.len() - 1] {
        let mut agency = world.server.connect();
        agency.send(&message[..length]);
        agency.half_close();
        agency.expect_closed();
        world.server.wait_for_line(&format!(
            "the connection ended {length} bytes into a message"
        ));
        let mut agency = world.server.connect();
        agency.send(&message[..length]);
        drop(agency);
        world.serve_bystander();
    }
    let log = world.end();
    assert_eq!(log::count(&log, "result: fail"), 0);
}

#[test]
fn a_whole_message_before_a_cut_is_stored() {
    let server = ServerSetup::lottery(1).start();
    let mut agency = server.connect();
    let message = wire::register_bets(&[bet()]);
    agency.send(&[&message[..], &message[..10]].concat());
    agency.half_close();
    agency.expect(Answer::Stored);
    agency.expect_closed();
    assert_eq!(server.setup().bets_file(), bet().row());
}

#[test]
fn a_batch_that_comes_one_byte_at_a_time_is_stored() {
    let server = ServerSetup::lottery(2).start();
    let mut slow = server.connect();
    let mut bystander = server.connect();
    let bets = losing_bets(1, 2);
    let message = [
        &wire::hello(1, 1)[..],
        &wire::register_bets(&bets),
        &ALL_BETS_SENT,
    ]
    .concat();
    for (position, byte) in message.iter().enumerate() {
        slow.send(&[*byte]);
        if position % 10 == 0 {
            assert_eq!(bystander.hello(2), Answer::welcome(&[], 0));
        }
    }
    slow.expect(Answer::welcome(&[], 0));
    slow.expect(Answer::Stored);
    assert_eq!(slow.hello(1), Answer::welcome(&bets, 1));
}

#[test]
fn a_thousand_connections_opened_and_dropped_leave_nothing_behind() {
    let mut world = World::new();
    let descriptors = format!("/proc/{}/fd", world.server.id());
    let open = || std::fs::read_dir(&descriptors).map(Iterator::count).ok();
    let open_before = open();
    for number in 0..1_000 {
        let mut agency = world.server.connect();
        if number % 2 == 0 {
            agency.send(&[0]);
        }
        drop(agency);
        if number % 100 == 0 {
            world.serve_bystander();
        }
    }
    world
        .server
        .wait_for_lines("action: close_connection | result: success", 1_000);
    world.serve_bystander();
    assert_eq!(open(), open_before);
    let log = world.end();
    assert_eq!(
        log::count(&log, "action: accept_connections | result: success"),
        1_001
    );
}

#[test]
fn answers_arrive_whole_though_much_was_sent_behind_the_refused_message() {
    let mut world = World::new();
    let batch = wire::register_bets(&losing_bets(2, 100));
    for _ in 0..5 {
        let mut agency = world.server.connect();
        let mut message = [wire::hello(1, 1), wire::register_bets(&[])].concat();
        message.extend(wire::register_bets(&[HandBet {
            number: 10_000,
            ..bet()
        }]));
        for _ in 0..200 {
            message.extend(&batch);
        }
        let mut stream = agency.stream().try_clone().unwrap();
        let sender = std::thread::spawn(move || {
            // The server stops reading at some point, and is right to.
            let _ = stream.write_all(&message);
        });
        agency.expect(Answer::welcome(&[], 0));
        agency.expect(Answer::Stored);
        agency.expect_refusal(INVALID_BET);
        sender.join().unwrap();
        world.serve_bystander();
    }
    world.end();
}
