//! When answers are given: after the commit, and what a disk that fails makes of them.

use lottery_core::store::{BETS_FILE, CLOSINGS_FILE, DRAW_FILE};
use lottery_core::testing::Faults;
use lottery_core::testing::Operation::{Read, Sync, Truncate, Write};

use crate::central::{Durability, TurnError};
use crate::testing::*;

const FAILING: &str = "action: almacenamiento | result: in_progress";
const WORKING: &str = "action: almacenamiento | result: success";

fn closings_failing() -> Faults {
    Faults::failing(&[(Write, CLOSINGS_FILE)])
}

#[test]
fn one_sync_serves_all_agencies_of_a_turn_and_nobody_is_answered_before_it() {
    let mut world = World::of(3);
    let syncs = world.disk.syncs(BETS_FILE);
    for (name, bets) in [(A, "batch 1 10"), (B, "batch 2 20"), (C, "batch 3 30")] {
        world.sends(name, bets);
        world.sends(name, bets);
        world.expect(name, "");
    }
    assert_eq!(world.stored(), []);
    world.turn();
    for name in [A, B, C] {
        world.expect(name, "stored, stored");
    }
    assert_eq!(world.disk.syncs(BETS_FILE), syncs + 1);
    assert!(world.is_synced(BETS_FILE));
}

#[test]
fn a_full_disk_refuses_the_batches_of_its_turn_and_no_others() {
    let mut world = World::of(3);
    world.hears(A, "batch 1 10");
    world.disk.set_faults(Faults::full_after(50));
    world.sends(A, "batch 1 11, batch 1 12, batch 2 20");
    world.sends(B, "batch 2 20");
    world.sends(D, "batch 0, status");
    world.run();
    world.expect(A, "stored, refused 7");
    world.expect(B, "refused 7");
    world.expect(D, "stored, status 3/3");
    world.says(C, "batch 3 30", "refused 7");
    world.disk.set_faults(Faults::default());
    world.says(D, "hello 1, batch 1 11", "welcome 1 betting, stored");
    assert_eq!(world.stored(), [(1, 10), (1, 11)]);
    assert_eq!((times_logged(FAILING), times_logged(WORKING)), (1, 1));
    let refused = "action: apuesta_recibida | result: fail | cantidad: 1 | agencia: 1 | code: 7";
    assert_eq!(times_logged(refused), 1);
}

#[test]
fn a_welcome_that_counted_bets_which_were_not_stored_is_not_given() {
    let mut world = World::of(2);
    world.hears(A, "hello 1");
    world.disk.set_faults(Faults::full_after(0));
    world.sends(A, "batch 1 10");
    world.sends(B, "hello 1");
    world.sends(C, "hello 2");
    world.run();
    assert!(world.is_closed(A));
    world.expect(B, "refused 7");
    world.expect(C, "welcome 0 betting");
}

#[test]
fn a_closing_that_could_not_be_stored_is_taken_back_and_can_be_made_again() {
    for (faults, told, bets) in [
        (Faults::full_after(0), "refused 7", 0),
        (closings_failing(), "stored, refused 7", 1),
    ] {
        let mut world = World::of(1);
        world.disk.set_faults(faults);
        world.says(A, "batch 1 10, finish, winners, finish", told);
        world.disk.set_faults(Faults::default());
        let again = format!("welcome {bets} betting, winners []");
        world.says(B, "park 1", &again);
        assert_eq!(times_logged("action: agencia_lista"), 1);
    }
}

#[test]
fn a_closing_taken_back_ends_the_wait_of_the_connection_that_took_over() {
    // In the native dialect, and in two where a header takes over without an answer.
    let hello_winners = encode("hello 1, winners");
    for (dialect, request, answer) in [
        ("native", &hello_winners[..], &[0, 3, 0, 7][..]),
        ("frames", &[3, 0, 0, 0, 0, 1, 0, 0, 0], &[0, 1, 0, 0, 0, 1]),
        ("flags", &[1, 2], &[]),
    ] {
        let mut world = World::of(1);
        world.hears(A, "hello 1");
        world.disk.set_faults(closings_failing());
        world.connects(B, dialect);
        world.sends(A, "finish");
        world.sends(B, request);
        world.run();
        assert!(world.is_closed(A));
        assert_eq!(world.received(B), answer, "{dialect}");
        assert!(world.is_over(B), "{dialect}");
        world.disk.set_faults(Faults::default());
        world.says(C, "batch 1 10", "stored");
    }
}

#[test]
fn closings_that_keep_failing_are_logged_once_though_bets_are_stored_all_along() {
    let mut world = World::of(2);
    world.disk.set_faults(closings_failing());
    for _ in 0..3 {
        // Refused in the same turn, so that the connection no longer speaks for the agency.
        world.sends(A, "hello 1, finish, nonsense");
        world.sends(B, "batch 2 20");
        world.run();
        world.expect(B, "stored");
        world.dies(A);
    }
    assert_eq!((times_logged(FAILING), times_logged(WORKING)), (1, 0));
    world.disk.set_faults(Faults::default());
    world.says(A, "hello 1, finish", "welcome 0 betting");
    assert_eq!((times_logged(FAILING), times_logged(WORKING)), (1, 1));
}

#[test]
fn a_disk_in_doubt_ends_the_server_and_nobody_is_answered() {
    for failing in [
        &[(Sync, BETS_FILE)][..],
        &[(Sync, BETS_FILE), (Truncate, BETS_FILE)],
        &[(Write, BETS_FILE), (Truncate, BETS_FILE)],
        &[(Sync, CLOSINGS_FILE)],
        &[(Sync, DRAW_FILE)],
        &[(Read, BETS_FILE)],
    ] {
        let mut world = World::of(2);
        world.disk.set_faults(Faults::failing(failing));
        world.sends(A, "batch 1 10, finish");
        world.sends(B, "batch 2 20, finish, winners");
        let is_read = failing == [(Read, BETS_FILE)];
        match world.try_turn() {
            Err(TurnError::Draw(_)) => assert!(is_read),
            ended => assert!(matches!(ended, Err(TurnError::Storage(_)))),
        }
        assert_eq!(world.told(A) + &world.told(B), "");
        let lost = times_logged("action: almacenamiento | result: fail");
        assert_eq!(lost, usize::from(!is_read));
    }
}

#[test]
fn bets_are_synced_each_second_with_everysec_and_the_deadline_says_when() {
    let mut world = World::with(1, |setup| setup.rules.durability = Durability::EverySecond);
    assert_eq!(world.deadline(), None);
    for (waits, is_synced, deadline) in [
        (SECOND / 2, false, Some(SECOND)),
        (SECOND / 2, true, None),
        (SECOND / 2, false, Some(SECOND * 2)),
        (SECOND * 2, true, None),
    ] {
        world.waits(waits);
        if !is_synced {
            world.says(A, "batch 1 10", "stored");
        }
        assert_eq!(world.is_synced(BETS_FILE), is_synced);
        assert_eq!(world.deadline(), deadline);
    }
    world.hears(A, "batch 1 12");
    world.now += SECOND;
    world.disk.set_faults(Faults::failing(&[(Sync, BETS_FILE)]));
    assert!(matches!(world.try_turn(), Err(TurnError::Storage(_))));
}

#[test]
fn whatever_the_durability_a_closing_and_the_end_of_the_run_sync_the_bets() {
    for durability in [Durability::EverySecond, Durability::No] {
        let mut world = World::with(2, |setup| setup.rules.durability = durability);
        world.hears(A, "batch 1 10");
        assert!(!world.is_synced(BETS_FILE));
        world.hears(A, "finish");
        assert!(world.is_synced(BETS_FILE) && world.is_synced(CLOSINGS_FILE));
        world.says(B, "batch 2 20", "stored");
        world.shuts_down();
        assert!(world.is_synced(BETS_FILE));
    }
}
