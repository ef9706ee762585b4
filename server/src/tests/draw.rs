//! The draw, and the agencies that wait for it.

use std::time::Duration;

use lottery_core::store::{CLOSINGS_FILE, DRAW_FILE};
use lottery_core::testing::Faults;
use lottery_core::testing::Operation::{Open, Write};

use crate::central::TurnError;
use crate::testing::*;

const DRAWN: &str = "action: sorteo | result: success | numero: 7574";

fn with_draw_timeout(agencies: u32, seconds: u32) -> World {
    World::with(agencies, |setup| {
        setup.rules.draw_timeout = Some(SECOND * seconds);
    })
}

#[test]
fn the_draw_is_held_once_and_each_agency_is_told_its_own_winners_only() {
    let mut world = World::of(3);
    world.says(A, "batch 1 10! 11 10!, finish, winners", "stored");
    world.says(B, "batch 2 20 21!, finish, winners", "stored");
    assert_eq!(world.deadline(), None, "an agency is missing");
    world.says(C, "batch 3 30, finish, winners", "stored, winners []");
    world.expect(A, "winners [10, 10]");
    world.expect(B, "winners [21]");
    assert_eq!(world.disk.synced(DRAW_FILE), b"7574,3,6,3\r\n");
    world.says(B, "winners, hello 2", "winners [21], welcome 2 drawn");
    for (agency, missing) in [(1, 2), (2, 1), (3, 0)] {
        let line = "action: agencia_lista | result: success | agencia: ";
        let line = format!("{line}{agency} | faltan: {missing}");
        assert_eq!(times_logged(&line), 1);
    }
    assert_eq!(times_logged("action: sorteo"), 1);
    let summary = "action: resumen | result: success | numero: 7574 | agencias: 3 | apuestas: 6 | \
                   ganadores: 3 | duracion: 0ms";
    assert_eq!(times_logged(summary), 1);
}

#[test]
fn a_restarted_server_stands_where_the_killed_one_stood() {
    let mut world = World::of(2);
    world.hears(B, "batch 2 20! 21!");
    world.hears(A, "batch 1 10!, finish");
    let mut world = world.restarted();
    assert_eq!(world.deadline(), None);
    world.says(A, "hello 1, winners", "welcome 1 finished");
    world.says(B, "hello 2, finish", "welcome 2 betting");
    world.expect(A, "winners [10]");
    assert_eq!(times_logged(DRAWN), 1);
    // The winners are worked out again, and the draw is no news.
    let mut world = world.restarted();
    assert_eq!(world.deadline(), Some(Duration::ZERO));
    world.run();
    assert_eq!(world.deadline(), None);
    world.says(B, "hello 2, winners", "welcome 2 drawn, winners [20, 21]");
    assert_eq!(times_logged("action: sorteo"), 0);
}

#[test]
fn nobody_is_told_of_a_draw_that_is_not_on_the_disk_and_recording_it_is_tried_again() {
    for operation in [Open, Write] {
        // The time to wait for the draw is up while it cannot be recorded.
        let mut world = with_draw_timeout(2, 2);
        world.hears(A, "batch 1 10!, finish, winners");
        world
            .disk
            .set_faults(Faults::failing(&[(operation, DRAW_FILE)]));
        world.says(B, "park 2", "welcome 0 betting");
        for _ in 0..3 {
            assert_eq!(world.deadline(), Some(world.now + SECOND));
            world.waits(SECOND);
        }
        world.says(C, "status", "status 0/2");
        world.expect(A, "stored");
        let failing = "action: almacenamiento | result: in_progress | error: draw.csv";
        assert_eq!(times_logged(failing), 1);
        world.disk.set_faults(Faults::default());
        world.waits(SECOND);
        world.expect(A, "winners [10]");
        world.expect(B, "winners []");
        assert_eq!(world.disk.synced(DRAW_FILE), b"7574,2,1,1\r\n");
        assert_eq!(times_logged("action: sorteo"), 1);
        assert_eq!(times_logged("action: almacenamiento | result: success"), 1);
    }
}

#[test]
fn a_draw_that_was_held_is_not_held_again_with_other_settings_or_other_files() {
    let drawn = || {
        let mut world = World::of(1);
        world.hears(A, "batch 1 10!, finish");
        world
    };
    for (number, agencies) in [(7, 1), (7574, 2)] {
        let refused = drawn().restarted_with(|setup| {
            setup.rules.winning_number = number;
            setup.rules.agencies = agencies;
        });
        let named = format!("NUM_AGENCIES 1, and the settings say {number} and {agencies}");
        let error = refused.err().unwrap().to_string();
        assert!(error.contains(&named), "{error}");
    }
    let world = drawn();
    world.disk.put(CLOSINGS_FILE, b"");
    let error = world.restarted_with(|_| ()).err().unwrap().to_string();
    assert!(error.contains("closings.csv lacks 1 agencies"), "{error}");
    let world = drawn();
    world.disk.put(DRAW_FILE, b"7574,1,1,0\r\n");
    let error = world.restarted().try_turn();
    assert!(matches!(error, Err(TurnError::OtherDraw { .. })));
}

#[test]
fn a_lottery_without_agencies_never_draws_and_serves_nobody() {
    let mut world = World::of(0);
    world.run();
    assert_eq!(world.deadline(), None);
    world.says(B, "hello 1", "refused 6");
    assert_eq!(times_logged("action: sorteo"), 0);
}

#[test]
fn a_store_with_more_agencies_than_take_part_waits_for_those_that_do() {
    let mut world = World::of(3);
    world.hears(A, "hello 1, finish");
    world.hears(B, "batch 3 30!, finish");
    let restarted = world.restarted_with(|setup| setup.rules.agencies = 2);
    let mut world = restarted.unwrap();
    assert_eq!(world.deadline(), None);
    world.says(A, "park 2", "welcome 0 betting, winners []");
    assert_eq!(world.disk.synced(DRAW_FILE), b"7574,2,0,0\r\n");
}

#[test]
fn a_long_draw_goes_slice_by_slice_and_others_are_served_meanwhile() {
    let mut world = World::with(2, |setup| setup.message_bytes_max = 16 << 20);
    let many = format!("batch 1{} 11!", " 10".repeat(100_000));
    world.hears(A, many);
    world.says(A, "finish, winners", "stored");
    world.hears(B, "hello 2");
    world.sends(B, "finish");
    world.turn();
    assert_eq!(world.deadline(), Some(Duration::ZERO));
    world.sends(B, "hello 2");
    world.turn();
    world.expect(B, "welcome 0 betting, welcome 0 finished");
    world.run();
    world.expect(A, "winners [11]");
    assert_eq!(world.deadline(), None);
}

#[test]
fn a_parked_agency_that_is_gone_is_waited_for_no_longer_and_may_come_back() {
    let mut world = with_draw_timeout(2, 9);
    world.hears(A, "park 1");
    world.dies(A);
    world.run();
    assert_eq!(world.deadline(), None);
    world.hears(C, "park 1");
    world.hears(B, "park 2");
    world.expect(C, "welcome 0 finished, winners []");
    assert_eq!(world.deadline(), None);
}

#[test]
fn an_agency_that_waited_too_long_is_told_so_whatever_it_sent_behind_and_may_wait_again() {
    for behind in ["", "ack", "winners", "nonsense"] {
        let mut world = with_draw_timeout(3, 10);
        world.waits(SECOND);
        world.hears(A, "park 1");
        world.says(A, behind, "welcome 0 betting");
        world.waits(SECOND);
        world.says(B, "park 2", "welcome 0 betting");
        assert_eq!(world.deadline(), Some(SECOND * 11));
        world.waits(SECOND * 9 - Duration::from_nanos(1));
        world.expect(A, "");
        world.waits(Duration::from_nanos(1));
        world.expect(A, "refused 8");
        assert!(world.is_over(A));
        let line = "action: espera_sorteo | result: fail | agencia: 1 | faltan: 1 | \
                    agencias_que_faltan: 3";
        assert_eq!(times_logged(line), 1);
        world.says(C, "park 1", "welcome 0 finished");
        // A draw that falls due with the deadline is held.
        world.now += SECOND;
        world.hears(D, "park 3");
        world.expect(B, "winners []");
        world.expect(C, "winners []");
    }
}
