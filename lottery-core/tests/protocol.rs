//! The protocol, byte for byte: each message against bytes written out here, in every split.

#![allow(clippy::unwrap_used)] // A test says what went wrong by panicking.

use lottery_core::bet::{Bet, UncheckedBet};
use lottery_core::name::Name;
use lottery_core::protocol::reply::{AgencyState, ReplyScanner};
use lottery_core::protocol::request::{self, RequestScanner};
use lottery_core::protocol::{
    Code, FrameAssembler, FrameError, Malformed, Reply, Request, Scan, Scanner, StatusReport,
    Welcome, bet_encoding,
};
use proptest::prelude::*;
use time::macros::date;

const MAX_FRAME: usize = 64 * 1024;

/// Agency 5, "Ana", "Paz", DNI 7, 1970-01-02, number 7574; with its length in front.
const BET: &[u8] = &[
    0, 0, 0, 34, // length
    0, 0, 0, 5, //
    0, 0, 0, 3, b'A', b'n', b'a', //
    0, 0, 0, 3, b'P', b'a', b'z', //
    0, 0, 0, 7, //
    0, 0, 0, 0, 0, 1, 0x51, 0x80, //
    0, 0, 0x1d, 0x96,
];

fn claim() -> UncheckedBet<'static> {
    UncheckedBet {
        agency: 5,
        first_name: b"Ana",
        last_name: b"Paz",
        document: 7,
        birthdate: 86_400,
        number: 7574,
    }
}

fn batch(bets: usize) -> Vec<u8> {
    let header = [&[0, 1][..], &(bets as u32).to_be_bytes()].concat();
    [&header[..], &BET.repeat(bets)].concat()
}

fn requests() -> Vec<(Vec<u8>, Request<'static>)> {
    vec![
        (batch(0), Request::RegisterBets(vec![])),
        (batch(1), Request::RegisterBets(vec![claim()])),
        (batch(3), Request::RegisterBets(vec![claim(); 3])),
        (vec![0, 4], Request::Ack),
        (vec![0, 5], Request::AllBetsSent),
        (vec![0, 6], Request::RequestWinners),
        (vec![0, 8, 0, 1, 0, 0, 0, 5], Request::Hello { agency: 5 }),
        (vec![0, 32], Request::Status),
    ]
}

fn replies() -> Vec<(Vec<u8>, Reply)> {
    vec![
        (vec![0, 2], Reply::RegisterBetOk),
        (vec![0, 3, 0, 7], Reply::RegisterBetFailed(Code::NotStored)),
        (
            vec![0, 7, 0, 0, 0, 0, 0, 0, 0, 0],
            Reply::InformWinners(vec![]),
        ),
        (
            vec![
                0, 7, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 9, 1, 0xd7, 0x90, 0x91,
            ],
            Reply::InformWinners(vec![9, 30_904_465]),
        ),
        (
            vec![0, 9, 0, 0, 0, 0, 0, 0, 1, 2, 0xcb, 0xf4, 0x39, 0x26, 1],
            Reply::Welcome(Welcome {
                bets: 258,
                crc: 0xcbf4_3926,
                state: AgencyState::Closed,
            }),
        ),
        (
            vec![0, 33, 0, 0, 0, 5, 0, 0, 1, 2, 2],
            Reply::StatusReport(StatusReport {
                agencies: 5,
                missing: 258,
                state: AgencyState::Drawn,
            }),
        ),
    ]
}

/// Feeds the pieces one after the other and gives back every frame, as parsed by `parse`.
fn frames<S: Scanner, T>(scanner: S, pieces: &[&[u8]], parse: impl Fn(&[u8]) -> T) -> Vec<T> {
    let mut assembler = FrameAssembler::new(scanner);
    let mut parsed = Vec::new();
    for piece in pieces {
        let mut input = *piece;
        while let Some(frame) = assembler.next_frame(&mut input).unwrap() {
            parsed.push(parse(frame));
        }
        assert!(input.is_empty());
    }
    assert_eq!(assembler.kept_bytes(), 0);
    parsed
}

/// Checks that `stream` decodes to `expected` whole, in two pieces cut anywhere, and byte by byte.
fn assert_decodes_in_every_split<S: Scanner, T: PartialEq + std::fmt::Debug>(
    stream: &[u8],
    expected: &[T],
    scanner: impl Fn() -> S,
    parse: impl Fn(&[u8]) -> T,
) {
    for split in 0..=stream.len() {
        let (front, back) = stream.split_at(split);
        assert_eq!(
            frames(scanner(), &[front, back], &parse),
            expected,
            "split at {split}"
        );
    }
    let pieces: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(frames(scanner(), &pieces, &parse), expected);
}

#[test]
fn every_request_has_the_bytes_of_the_protocol() {
    let mut built = Vec::new();
    let bet = claim().check(date!(2026 - 11 - 21)).unwrap();
    for bets in [0, 1, 3] {
        request::encode_batch_header(bets, &mut built);
        for _ in 0..bets {
            request::encode_counted_bet(&bet, &mut built);
        }
    }
    request::encode_ack(&mut built);
    request::encode_all_bets_sent(&mut built);
    request::encode_request_winners(&mut built);
    request::encode_hello(5, &mut built);
    request::encode_status(&mut built);
    let written: Vec<u8> = requests()
        .into_iter()
        .flat_map(|(bytes, _)| bytes)
        .collect();
    assert_eq!(built, written);
    for (bytes, request) in requests() {
        assert_eq!(Request::parse(&bytes), Ok(request));
    }
}

#[test]
fn every_reply_has_the_bytes_of_the_protocol() {
    for (bytes, reply) in replies() {
        let mut built = Vec::new();
        reply.encode(&mut built);
        assert_eq!(built, bytes);
        assert_eq!(Reply::parse(&bytes), Ok(reply));
    }
}

#[test]
fn messages_split_at_every_byte_decode_to_the_same() {
    let (bytes, expected): (Vec<_>, Vec<_>) = requests().into_iter().unzip();
    let expected: Vec<String> = expected
        .iter()
        .map(|request| format!("{request:?}"))
        .collect();
    assert_decodes_in_every_split(
        &bytes.concat(),
        &expected,
        || RequestScanner::new(MAX_FRAME),
        |frame| format!("{:?}", Request::parse(frame).unwrap()),
    );
    let (bytes, expected): (Vec<_>, Vec<_>) = replies().into_iter().unzip();
    assert_decodes_in_every_split(
        &bytes.concat(),
        &expected,
        || ReplyScanner::new(2),
        |frame| Reply::parse(frame).unwrap(),
    );
}

#[test]
fn what_is_put_aside_comes_out_later_and_in_order() {
    let mut assembler = FrameAssembler::new(RequestScanner::new(MAX_FRAME));
    let stream = [&[0, 6, 0, 4][..], &batch(1)].concat();
    let mut input = &stream[..];
    assert_eq!(assembler.next_frame(&mut input).unwrap(), Some(&[0, 6][..]));
    assembler.keep(input);
    assert_eq!(assembler.kept_bytes(), stream.len() - 2);
    let mut rest = &[0, 5][..];
    for expected in [&[0, 4][..], &batch(1)[..], &[0, 5][..]] {
        assert_eq!(assembler.next_frame(&mut rest).unwrap(), Some(expected));
    }
    assert_eq!(assembler.next_frame(&mut rest).unwrap(), None);
}

#[test]
fn lengths_beyond_the_bound_are_refused_before_their_bytes_come() {
    let too_large = |bytes: &[u8]| {
        let result = RequestScanner::new(MAX_FRAME).scan(bytes);
        matches!(result, Err(FrameError::TooLarge { max: MAX_FRAME, .. }))
    };
    assert!(too_large(&[0, 1, 0xff, 0xff, 0xff, 0xff]));
    assert!(too_large(&[0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]));
    assert!(too_large(&[0, 1, 0, 0, 0x10, 0]));
    let winners = |max: u64, bytes: &[u8]| ReplyScanner::new(max).scan(bytes);
    let three = [0, 7, 0, 0, 0, 0, 0, 0, 0, 3];
    assert_eq!(winners(3, &three), Ok(Scan::Incomplete { at_least: 22 }));
    assert!(winners(2, &three).is_err());
    assert!(winners(2, &[0, 7, 255, 255, 255, 255, 255, 255, 255, 255]).is_err());
}

#[test]
fn a_frame_of_exactly_the_bound_is_accepted_and_one_byte_more_is_not() {
    let bytes = batch(20);
    let scan = |max| RequestScanner::new(max).scan(&bytes);
    assert_eq!(scan(bytes.len()), Ok(Scan::Whole(bytes.len())));
    assert!(scan(bytes.len() - 1).is_err());
}

#[test]
fn types_of_the_other_side_and_unknown_ones_are_refused() {
    for unknown in [0, 2, 3, 7, 9, 10, 33, u16::MAX] {
        let result = RequestScanner::new(MAX_FRAME).scan(&unknown.to_be_bytes());
        assert_eq!(result, Err(FrameError::UnknownType(unknown)));
    }
    for unknown in [0, 1, 4, 5, 6, 8, 10, 32, u16::MAX] {
        let result = ReplyScanner::new(0).scan(&unknown.to_be_bytes());
        assert_eq!(result, Err(FrameError::UnknownType(unknown)));
    }
}

#[test]
fn frames_that_contradict_themselves_are_malformed() {
    let mut short = batch(1);
    short[9] -= 1;
    short.pop();
    assert!(matches!(
        Request::parse(&short),
        Err(Malformed::Overrun { .. })
    ));
    let mut long = batch(1);
    long[9] += 1;
    long.push(0);
    assert_eq!(Request::parse(&long), Err(Malformed::Excess(1)));
    assert_eq!(Reply::parse(&[0, 3, 0, 0]), Err(Malformed::UnknownCode(0)));
    let welcome = [0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3];
    assert_eq!(Reply::parse(&welcome), Err(Malformed::UnknownState(3)));
}

fn any_bet() -> impl Strategy<Value = (u32, String, String, u32, i32, u32)> {
    let name = "[^\\p{Cc}]{1,60}";
    (
        1..=u32::MAX,
        name,
        name,
        1..=u32::MAX,
        0..46_000_i32,
        0..=9999_u32,
    )
}

proptest! {
    #[test]
    fn any_valid_bet_travels_unchanged(
        (agency, first_name, last_name, document, day, number) in any_bet()
    ) {
        let birthdate = date!(1900 - 01 - 01) + time::Duration::days(day.into());
        let [first_name, last_name] = [&first_name, &last_name].map(|name| Name::new(name.as_bytes()).unwrap());
        let bet = Bet { agency, first_name, last_name, document, birthdate, number };
        let mut bytes = Vec::new();
        bet_encoding::encode(&bet, &mut bytes);
        prop_assert_eq!(bytes.len(), bet_encoding::encoded_bytes(&bet));
        prop_assert_eq!(bet_encoding::decode(&bytes).unwrap().check(date!(2026 - 11 - 21)), Ok(bet));
    }
}
