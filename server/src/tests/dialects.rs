//! The four other dialects behind the same central, byte for byte.

use lottery_core::codec::Dialect;

use crate::testing::*;

fn join<const N: usize>(messages: [&[u8]; N]) -> Vec<u8> {
    messages.concat()
}

fn sized(body: &str) -> Vec<u8> {
    format!("{:08}{body}", body.len()).into_bytes()
}

fn frame(kind: u8, agency: u8, payload: &str) -> Vec<u8> {
    let header = [kind, payload.len() as u8, 0, 0, 0, agency, 0, 0, 0];
    [&header[..], payload.as_bytes()].concat()
}

/// A *bets* message of one batch.
fn flags(bets: &str) -> Vec<u8> {
    let header = [1, 0, 0, 0, 1, 0, 0, 0, bets.len() as u8];
    [&header[..], bets.as_bytes()].concat()
}

/// A bet on the number that wins, its fields joined by `separator`.
fn bet(separator: &str) -> String {
    ["Ana", "Paz", "10", "1999-03-17", "7574"].join(separator)
}

const FRAMES_OK: &[u8] = &[0, 1, 0, 0, 0, 0];
const FRAMES_REFUSED: &[u8] = &[0, 1, 0, 0, 0, 1];
const FRAMES_DRAWN: &[u8] = &[1, 0, 0, 0, 0];
const FRAMES_WINNERS: &[u8] = &[2, 2, 0, 0, 0, b'1', b'0'];
const FLAGS_WINNERS: &[u8] = &[0, 0, 0, 1, 0, 0, 0, 10];

/// A dialect, what an agency says in it to bet, finish and ask for its winners, what it is answered at
/// once, what after the draw, and whether the server closes the connection then.
type Conversation = (&'static str, Vec<u8>, Vec<u8>, Vec<u8>, bool);

fn conversations() -> [Conversation; 5] {
    let frames = join([&frame(0, 1, &bet(",")), &frame(2, 1, "")]);
    let frames_and_more = join([&frames, &frame(3, 1, "")]);
    let flags = join([&[1], &flags(&format!("1,{}", bet(","))), &[2]]);
    let lines = format!("S:1\n1;{}\nF:1\nFINISHED\n", bet(";"));
    let batch = sized(&format!("1;1\n{}\n", bet(";")));
    let stored = sized("success;Batch stored successfully.");
    let (twice_ok, drawn) = (FRAMES_OK.repeat(2), FRAMES_DRAWN.to_vec());
    // Asked for while it waits, the winners come behind the announcement.
    let drawn_and_winners = join([FRAMES_DRAWN, FRAMES_WINNERS]);
    [
        ("frames", frames, twice_ok.clone(), drawn, false),
        (
            "frames",
            frames_and_more,
            twice_ok,
            drawn_and_winners,
            false,
        ),
        ("flags", flags, vec![], FLAGS_WINNERS.to_vec(), true),
        (
            "lines",
            lines.into(),
            b"R:1\nOK\n".to_vec(),
            b"W:1\n10\n".to_vec(),
            false,
        ),
        (
            "sized",
            join([&batch, &sized("END")]),
            stored,
            sized("10"),
            false,
        ),
    ]
}

#[test]
fn agencies_of_every_dialect_bet_finish_wait_and_are_told_in_one_draw_with_a_native_one() {
    for (dialect, says, told, told_at_draw, closes) in conversations() {
        for step in [1, 7, usize::MAX] {
            let mut world = World::of(2);
            world.connects(A, Dialect::named(dialect).unwrap());
            for piece in says.chunks(step) {
                world.hears(A, piece);
            }
            assert_eq!(world.received(A), told, "{dialect}");
            world.says(
                B,
                "batch 2 20!, park 2",
                "stored, welcome 1 betting, winners [20]",
            );
            assert_eq!(world.received(A), told_at_draw, "{dialect}");
            assert_eq!(world.is_over(A), closes);
            assert_eq!(world.stored(), [(1, 10), (2, 20)]);
        }
    }
}

#[test]
fn an_agency_known_by_its_header_may_come_back_before_the_draw_and_after_it() {
    for (dialect, asks, told) in [
        ("frames", frame(3, 1, ""), FRAMES_WINNERS),
        ("flags", vec![1, 2], FLAGS_WINNERS),
    ] {
        let mut world = World::of(2);
        world.hears(A, "batch 1 10!, finish");
        for is_drawn in [false, true] {
            world.connects(B, Dialect::named(dialect).unwrap());
            world.hears(B, &asks);
            if !is_drawn {
                assert!(world.is_closed(A), "it takes over");
                assert!(world.received(B).is_empty());
                world.hears(C, "park 2");
            }
            assert_eq!(world.received(B), told);
        }
    }
}

#[test]
fn a_refusal_is_the_dialects_word_for_failure_and_the_end_of_the_connection() {
    let line_bet = bet(";");
    for (dialect, says, told) in [
        // Winners before the end of the bets, two agencies, no such agency, an unknown kind.
        ("frames", frame(3, 1, ""), FRAMES_REFUSED.to_vec()),
        (
            "frames",
            join([&frame(1, 1, ""), &frame(1, 2, "")]),
            join([FRAMES_OK, FRAMES_REFUSED]),
        ),
        ("frames", frame(2, 3, ""), FRAMES_REFUSED.to_vec()),
        ("frames", frame(9, 1, ""), FRAMES_REFUSED.to_vec()),
        // A bet of another agency than the first byte says, no such agency, an unknown flag.
        (
            "flags",
            join([&[1], &flags(&format!("2,{}", bet(",")))]),
            vec![],
        ),
        ("flags", vec![3], vec![]),
        ("flags", vec![1, 3], vec![]),
        // Nobody knows whose end it is, a wrong count, another first line.
        (
            "lines",
            b"F:1\nFINISHED\n".to_vec(),
            b"R:1\nFAIL\n".to_vec(),
        ),
        (
            "lines",
            format!("S:2\n1;{line_bet}\n").into_bytes(),
            b"R:1\nFAIL\n".to_vec(),
        ),
        ("lines", b"Q:1\n".to_vec(), b"R:1\nFAIL\n".to_vec()),
        (
            "sized",
            sized("END"),
            sized("error;the agency is not identified yet"),
        ),
        (
            "sized",
            sized(&format!("1;2\n{line_bet}\n")),
            sized("error;1 bets, announced as 2"),
        ),
    ] {
        let mut world = World::of(2);
        world.connects(A, Dialect::named(dialect).unwrap());
        world.hears(A, says.repeat(2));
        assert_eq!(world.received(A), told, "{dialect} {says:?}");
        assert!(world.is_over(A));
        assert_eq!(world.stored(), []);
        assert_eq!(times_logged("action: agencia_lista"), 0);
    }
}

#[test]
fn a_draw_that_is_late_is_the_dialects_word_for_failure_and_the_end_of_the_connection() {
    let late = [
        FRAMES_REFUSED.to_vec(),
        FRAMES_REFUSED.to_vec(),
        vec![],
        b"R:1\nFAIL\n".to_vec(),
        sized("error;the draw was not held in time"),
    ];
    for ((dialect, says, ..), told) in conversations().into_iter().zip(late) {
        let mut world = World::with(2, |setup| setup.rules.draw_timeout = Some(SECOND));
        world.connects(A, Dialect::named(dialect).unwrap());
        world.hears(A, says);
        world.received(A);
        world.waits(SECOND);
        assert_eq!(world.received(A), told, "{dialect}");
        assert!(world.is_over(A));
    }
}
