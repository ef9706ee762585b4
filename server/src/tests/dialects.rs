//! What only dialects without a Hello do: wait for the announcement of the draw.

use crate::testing::*;

/// A message of agency 1 in the dialect `frames`.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let header = [kind, payload.len() as u8, 0, 0, 0, 1, 0, 0, 0];
    [&header[..], payload].concat()
}

#[test]
fn an_agency_may_wait_for_the_announcement_of_the_draw_and_ask_for_its_winners_before_or_after_it()
{
    const OK: &[u8] = &[0, 1, 0, 0, 0, 0];
    const REFUSED: &[u8] = &[0, 1, 0, 0, 0, 1];
    const DRAWN: &[u8] = &[1, 0, 0, 0, 0];
    const WINNERS: &[u8] = &[2, 2, 0, 0, 0, b'1', b'0'];
    let bet = frame(0, b"Ana,Paz,10,1999-03-17,7574");
    let asks = frame(3, b"");
    for (asks_before, is_late) in [(true, false), (false, false), (true, true), (false, true)] {
        let mut world = World::with(2, |setup| setup.rules.draw_timeout = Some(SECOND));
        world.connects(A, "frames");
        world.hears(A, [&bet[..], &frame(2, b"")].concat());
        if asks_before {
            world.hears(A, &asks);
        }
        assert_eq!(world.received(A), OK.repeat(2));
        if is_late {
            world.waits(SECOND);
            assert_eq!(world.received(A), REFUSED);
            assert!(world.is_over(A));
            continue;
        }
        world.hears(B, "batch 2 20!, park 2");
        if !asks_before {
            assert_eq!(world.received(A), DRAWN);
            world.hears(A, &asks);
            assert_eq!(world.received(A), WINNERS);
        } else {
            assert_eq!(world.received(A), [DRAWN, WINNERS].concat());
        }
    }
}
