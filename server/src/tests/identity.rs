//! Who speaks: identification, and one connection taking over from another.

use crate::service::Service;
use crate::testing::*;

const TAKEOVER: &str = "action: takeover";

#[test]
fn a_hello_or_a_first_bet_takes_over_and_an_answer_not_taken_goes_with_the_old_connection() {
    for (first, told) in [("hello 1", "welcome 1 betting"), ("batch 1 12", "stored")] {
        let mut world = World::of(1);
        world.takes(A, 0);
        world.hears(A, "batch 1 10");
        world.says(B, first, told);
        assert!(world.is_closed(A));
        world.hears(B, "hello 1");
        assert_eq!(times_logged(TAKEOVER), 1);
    }
}

#[test]
fn a_first_message_that_is_refused_takes_nothing_over() {
    let mut world = World::with(2, |setup| setup.rules.agency_bets_max = Some(3));
    world.hears(A, "hello 1");
    world.says(B, "batch 1 10 11 12 13", "refused 5");
    world.says(A, "batch 1 12", "welcome 0 betting, stored");
}

#[test]
fn a_parked_agency_whose_peer_is_gone_is_not_connected_and_its_return_is_no_takeover() {
    let expect_standing = |world: &World, phase: &str, connected: &str| {
        world.reactor.service().log_standing();
        let line = format!(
            "action: estado_agencia | result: success | agencia: 1 | fase: {phase} | apuestas: 0 | \
             conectada: {connected}"
        );
        assert_eq!(times_logged(&line), 1);
    };
    // Its peer has closed before its request was read, and after.
    for is_late in [false, true] {
        let mut world = World::of(2);
        world.sends(A, "park 1");
        if is_late {
            world.run();
        }
        world.ends(A);
        world.run();
        expect_standing(&world, "terminada", "no");
        world.says(B, "park 1", "welcome 0 finished");
        expect_standing(&world, "esperando", "si");
        assert!(world.is_closed(A));
        assert_eq!(times_logged(TAKEOVER), 0);
        world.hears(C, "park 2");
        world.expect(B, "winners []");
        expect_standing(&world, "informada", "si");
    }
}
