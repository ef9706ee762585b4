//! The four other dialects behind the same central, byte for byte.

use crate::testing::*;

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

/// What an agency says in a dialect to bet, finish and ask for its winners, and what it is told then.
struct Conversation {
    dialect: &'static str,
    says: Vec<u8>,
    told: Vec<u8>,
    told_at_draw: Vec<u8>,
    /// When the draw is late.
    told_late: Vec<u8>,
}

fn conversations() -> [Conversation; 5] {
    let frames = [frame(0, 1, &bet(",")), frame(2, 1, "")].concat();
    let [flags, lines, sized_batch] = [
        [&[1], &flags(&format!("1,{}", bet(",")))[..], &[2]].concat(),
        format!("S:1\n1;{}\nF:1\nFINISHED\n", bet(";")).into(),
        [sized(&format!("1;1\n{}\n", bet(";"))), sized("END")].concat(),
    ];
    [
        Conversation {
            dialect: "frames",
            says: frames.clone(),
            told: FRAMES_OK.repeat(2),
            told_at_draw: FRAMES_DRAWN.to_vec(),
            told_late: FRAMES_REFUSED.to_vec(),
        },
        // Asked for while it waits, the winners come behind the announcement.
        Conversation {
            dialect: "frames",
            says: [frames, frame(3, 1, "")].concat(),
            told: FRAMES_OK.repeat(2),
            told_at_draw: [FRAMES_DRAWN, FRAMES_WINNERS].concat(),
            told_late: FRAMES_REFUSED.to_vec(),
        },
        Conversation {
            dialect: "flags",
            says: flags,
            told: vec![],
            told_at_draw: FLAGS_WINNERS.to_vec(),
            told_late: vec![],
        },
        Conversation {
            dialect: "lines",
            says: lines,
            told: b"R:1\nOK\n".to_vec(),
            told_at_draw: b"W:1\n10\n".to_vec(),
            told_late: b"R:1\nFAIL\n".to_vec(),
        },
        Conversation {
            dialect: "sized",
            says: sized_batch,
            told: sized("success;Batch stored successfully."),
            told_at_draw: sized("10"),
            told_late: sized("error;the draw was not held in time"),
        },
    ]
}

#[test]
fn agencies_of_every_dialect_are_told_in_one_draw_with_a_native_one_or_that_it_is_late() {
    for one in conversations() {
        for step in [1, 7, usize::MAX] {
            let mut world = World::with(2, |setup| setup.rules.draw_timeout = Some(SECOND));
            world.connects(A, one.dialect);
            for piece in one.says.chunks(step) {
                world.hears(A, piece);
            }
            assert_eq!(world.received(A), one.told, "{}", one.dialect);
            if step == 7 {
                world.waits(SECOND);
                assert_eq!(world.received(A), one.told_late, "{}", one.dialect);
                assert!(world.is_over(A));
                continue;
            }
            let told = "stored, welcome 1 betting, winners [20]";
            world.says(B, "batch 2 20!, park 2", told);
            assert_eq!(world.received(A), one.told_at_draw, "{}", one.dialect);
            assert_eq!(world.is_over(A), one.dialect == "flags");
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
            world.connects(B, dialect);
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
fn a_refused_agency_is_closed_and_comes_back_while_another_waits_in_each_dialect() {
    for one in conversations() {
        let mut world = World::of(2);
        world.says(B, "park 2", "welcome 0 betting");
        world.connects(A, one.dialect);
        let said = String::from_utf8(one.says.clone()).unwrap();
        world.hears(A, said.replace("7574", "75x4").into_bytes());
        let told = match one.dialect {
            "sized" => sized(
                "error;bet 1: number \"75x4\" is not valid, expected a whole number from 0 to 9999",
            ),
            _ => one.told_late,
        };
        assert_eq!(world.received(A), told, "{}", one.dialect);
        assert!(world.is_over(A));
        world.expect(B, "");
        assert_eq!(world.stored(), []);
        world.connects(C, one.dialect);
        world.hears(C, one.says);
        assert_eq!(world.received(C), [one.told, one.told_at_draw].concat());
        world.expect(B, "winners []");
        assert_eq!(world.stored(), [(1, 10)]);
    }
}
