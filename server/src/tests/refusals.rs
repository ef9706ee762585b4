//! What is refused, with which code. `any_conversation` has more of it.

use crate::testing::*;

#[test]
fn every_refusal_has_its_code_ends_the_connection_and_is_the_last_thing_heard() {
    let mut inner_length_off = encode("batch 1 10");
    inner_length_off[6 + 8 + 4] = 0xff;
    let no_messages = [(vec![0, 77], 1), (inner_length_off, 3)];
    let messages = [
        ("", "batch 1 0 10 11", 2),
        ("", "batch 1 10 0 11", 2),
        ("", "batch 1 10 11 0", 2),
        ("", "batch 1 10 2:11", 4),
        ("hello 1", "batch 2 20", 4),
        ("", "batch 1 10 11 12 13", 5),
        ("", "finish", 9),
        ("hello 1", "winners", 9),
        // Of two reasons: whose connection it is, who takes part, the closing, the quota, the bets.
        ("hello 1, finish", "batch 3 0", 4),
        ("", "batch 3 0 1:0", 6),
        ("hello 1, finish", "batch 1 0 0 0 0", 5),
        ("", "batch 1 0 0 0 0", 5),
        ("", "batch 1 0 2:0", 2),
        ("", "batch 1 10 2:0", 4),
    ];
    let messages = messages.map(|(before, request, code)| {
        let bets = request
            .strip_prefix("batch ")
            .map(|bets| bets.split(' ').count() - 1);
        (before, encode(request), code, bets)
    });
    let no_messages = no_messages.map(|(request, code)| ("hello 1", request, code, None));
    for (before, request, code, bets) in messages.into_iter().chain(no_messages) {
        let mut world = World::with(2, |setup| setup.rules.agency_bets_max = Some(3));
        world.hears(A, before);
        world.told(A);
        let behind = encode("batch 1 14, hello 1, nonsense");
        world.says(
            A,
            [request.clone(), behind].concat(),
            &format!("refused {code}"),
        );
        world.says(A, "hello 1", "");
        assert!(world.is_over(A));
        assert_eq!(world.stored(), [], "{request:?}");
        let line = match bets {
            Some(bets) => format!("action: apuesta_recibida | result: fail | cantidad: {bets} | "),
            None => "action: receive_message | result: fail | ".to_owned(),
        };
        assert_eq!(times_logged(&line), 1, "{request:?}");
        assert_eq!(
            times_logged("action: apuesta_recibida"),
            usize::from(bets.is_some())
        );
        // It has not finished, unless it had before, and can come back.
        world.hears(B, "hello 1");
        assert!(world.told(B).starts_with("welcome 0"));
    }
}

#[test]
fn an_agency_may_place_so_many_bets_and_no_more_over_all_its_connections() {
    let mut world = World::with(2, |setup| setup.rules.agency_bets_max = Some(3));
    world.hears(A, "batch 1 10 11");
    let mut world = world.restarted();
    // What the same turn stages counts too.
    world.says(A, "batch 1 12, batch 1 13", "stored, refused 5");
    world.says(B, "batch 2 20 21 22", "stored");
    world.says(C, "hello 1, batch 1, finish", "welcome 3 betting, stored");
}
