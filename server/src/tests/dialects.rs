//! What agencies of the other dialects are told when they are refused. Whole conversations are in `docs/DIALECTS.md`,
//! which `tests/e2e/documents.rs` plays.

use crate::testing::*;

/// Bets and the end of bets of agency 1, and what it is told when the draw is late.
const AGENCIES: [(&str, &str, &str); 4] = [
    (
        "frames",
        "\0\x1a\0\0\0\x01\0\0\0Ana,Paz,10,1999-03-17,7574\x02\0\0\0\0\x01\0\0\0",
        "\0\x01\0\0\0\x01",
    ),
    (
        "flags",
        "\x01\x01\0\0\0\x01\0\0\0\x1c1,Ana,Paz,10,1999-03-17,7574\x02",
        "",
    ),
    (
        "lines",
        "S:1\n1;Ana;Paz;10;1999-03-17;7574\nF:1\nFINISHED\n",
        "R:1\nFAIL\n",
    ),
    (
        "sized",
        "000000311;1\nAna;Paz;10;1999-03-17;7574\n00000003END",
        "00000035error;the draw was not held in time",
    ),
];

#[test]
fn a_refused_agency_is_told_so_in_its_dialect_and_closed_and_may_come_back() {
    for (dialect, says, late) in AGENCIES {
        let mut world = World::with(2, |setup| setup.rules.draw_timeout = Some(SECOND));
        world.connects(A, dialect);
        world.hears(A, says.replace("7574", "75x4").as_bytes());
        let invalid = match dialect {
            "sized" => {
                "00000079error;bet 1: number \"75x4\" is not valid, expected a whole number from 0 to 9999"
            }
            _ => late,
        };
        assert_eq!(world.received(A), invalid.as_bytes(), "{dialect}");
        assert!(world.is_over(A));
        world.connects(A, dialect);
        world.hears(A, says.as_bytes());
        assert_eq!(world.stored(), [(1, 10)]);
        assert!(!world.is_over(A));
        world.received(A);
        world.waits(SECOND);
        assert_eq!(world.received(A), late.as_bytes(), "{dialect}");
        assert!(world.is_over(A));
    }
}
