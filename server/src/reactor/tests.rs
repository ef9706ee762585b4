//! Who is served when many want to be, and who goes when room or time is up.

use std::net::Ipv4Addr;

use super::*;
use crate::connection::Rank;
use crate::testing::*;

/// A stranger's number from here on.
const STRANGERS: usize = 100;

/// A world in which so many strangers have sent much more than a visit takes.
fn flooded(agencies: u32, strangers: usize) -> World {
    let mut world = World::of(agencies);
    for stranger in STRANGERS..STRANGERS + strangers {
        world.sends(stranger, encode("status").repeat(1024));
    }
    world
}

/// How many replies each stranger was told.
fn told_strangers(world: &mut World, strangers: usize) -> Vec<usize> {
    let strangers = STRANGERS..STRANGERS + strangers;
    strangers
        .map(|name| world.told(name).matches("status").count())
        .collect()
}

fn turns_until_told(world: &mut World, name: usize) -> usize {
    for turns in 1..1_000 {
        world.turn();
        if !world.told(name).is_empty() {
            return turns;
        }
    }
    panic!("nobody answers");
}

#[test]
fn a_flood_of_strangers_delays_no_agency_and_a_newcomer_by_a_rotation_of_newcomers() {
    const MANY: usize = 2_000;
    let mut world = flooded(2, MANY);
    // The crowd is of newcomers yet, and this one is the last of them.
    world.sends(A, "hello 1, batch 1 10");
    let rotation = (MANY + 1).div_ceil(Rank::Newcomer.share().visits);
    assert_eq!(turns_until_told(&mut world, A), rotation);
    for _ in 0..20 {
        world.sends(A, "batch 1 10");
        assert_eq!(turns_until_told(&mut world, A), 1);
    }
    world.sends(B, "hello 2");
    assert_eq!(turns_until_told(&mut world, B), 1);
    // All strangers together get so much of a turn.
    told_strangers(&mut world, MANY);
    world.turn();
    let told: usize = told_strangers(&mut world, MANY).into_iter().sum();
    let share = Rank::Stranger.share();
    assert_eq!(told, share.visits * share.visit_messages);
}

#[test]
fn strangers_take_turns_and_what_was_held_back_never_comes_before_what_is_fresh() {
    const MANY: usize = 50;
    let mut world = flooded(1, MANY);
    let share = Rank::Stranger.share();
    let rotation = MANY.div_ceil(share.visits);
    world.turn();
    told_strangers(&mut world, MANY);
    let mut visits = vec![0; MANY];
    for _ in 0..2 * rotation {
        world.turn();
        for (visits, told) in visits.iter_mut().zip(told_strangers(&mut world, MANY)) {
            assert!(told <= share.visit_messages);
            *visits += usize::from(told > 0);
        }
    }
    assert!(
        visits.iter().all(|visits| (2..=3).contains(visits)),
        "{visits:?}"
    );
    // Somebody who spoke before, and speaks again, waits a rotation of the others at most.
    world.sends(A, "status");
    assert_eq!(turns_until_told(&mut world, A), 1, "a newcomer");
    world.sends(A, "status");
    assert!(turns_until_told(&mut world, A) <= rotation + 1);
}

#[test]
fn a_storm_of_handshakes_from_one_address_delays_no_other_address() {
    const MANY: usize = 50;
    let authority = Authority::new();
    let mut world = World::of(1);
    for stranger in STRANGERS..STRANGERS + MANY {
        world.begins_tls(stranger, Ipv4Addr::new(10, 0, 0, 7), &authority, "agency-1");
    }
    world.begins_tls(A, Ipv4Addr::new(10, 0, 0, 8), &authority, "agency-1");
    world.sends(A, "hello 1");
    // A handshake takes two visits, and each turn visits both addresses.
    for told in ["", "welcome 0 betting"] {
        world.turn();
        world.expect(A, told);
        world.announce(A);
    }
    let begun = (STRANGERS..STRANGERS + MANY).filter(|name| !world.received(*name).is_empty());
    assert!(begun.count() < MANY);
}

#[test]
fn an_agency_that_sends_without_end_does_not_keep_the_others_waiting() {
    let mut world = World::of(2);
    world.hears(A, "hello 1");
    world.hears(B, "hello 2");
    world.sends(A, encode("ack").repeat(4 << 20));
    for _ in 0..20 {
        world.told(B);
        world.sends(B, "batch 2 20");
        assert_eq!(turns_until_told(&mut world, B), 1);
    }
    let left = world.peer(A).unread_bytes();
    assert!(left > 4 << 20, "{left}");
}

#[test]
fn what_a_turn_reads_of_all_agencies_is_bounded_and_shared() {
    const AGENCIES: usize = 40;
    let mut world = World::of(AGENCIES as u32);
    let bytes = 512 * 1024;
    for agency in 1..=AGENCIES {
        world.hears(agency, format!("hello {agency}"));
    }
    for agency in 1..=AGENCIES {
        world.sends(agency, encode("ack").repeat(bytes / 2));
    }
    world.turn();
    let read: Vec<usize> = (1..=AGENCIES)
        .map(|agency| bytes - world.peer(agency).unread_bytes())
        .collect();
    let share = Rank::Agency.share();
    assert!(read.iter().sum::<usize>() <= share.turn_bytes, "{read:?}");
    assert!(read.iter().all(|read| *read > 0), "{read:?}");
}

/// These words, and so many bytes of a message of which more is to come.
fn unfinished(words: &str, bytes: usize) -> Vec<u8> {
    let message = encode(&format!("batch 1{}", " 10".repeat(1_400)));
    [&encode(words)[..], &message[..bytes]].concat()
}

#[test]
fn when_all_hold_too_much_the_largest_holders_go_strangers_first_and_then_those_that_stand_still() {
    // Memory bound in KiB; per peer: its messages and the KiB of an unfinished one; which peer is closed.
    type Says = (usize, &'static str, usize);
    let cases: [(usize, &[Says], usize); 5] = [
        // The largest stranger, though agencies hold more.
        (
            170,
            &[
                (A, "hello 1", 60),
                (B, "", 16),
                (C, "", 32),
                (D, "hello 2", 60),
            ],
            C,
        ),
        // Of equals the oldest.
        (
            100,
            &[(A, "", 16), (B, "", 32), (C, "", 32), (D, "", 32)],
            B,
        ),
        // The one without progress in this turn.
        (70, &[(A, "", 16), (B, "", 32), (C, "status", 24)], B),
        // A stranger, though it gets on, and an agency only when no stranger is left.
        (75, &[(A, "hello 1", 60), (B, "status", 12)], B),
        (75, &[(A, "hello 1", 24), (B, "hello 2", 60)], A),
    ];
    for (max, says, closed) in cases {
        let max = max * 1024;
        let mut world = World::with(2, |setup| setup.limits.memory_bytes_max = max);
        for (name, words, kibibytes) in says {
            assert!(!world.is_closed(*name));
            world.waits(SECOND);
            world.hears(*name, unfinished(words, kibibytes * 1024));
            assert!(world.reactor.memory_bytes <= max);
        }
        for (name, ..) in says {
            assert_eq!(world.is_closed(*name), *name == closed, "{says:?}");
        }
        assert_eq!(times_logged("action: max_memory | result: success"), 1);
    }
}

#[test]
fn overdue_connections_are_closed_and_the_log_says_why() {
    let dribble: Vec<Vec<u8>> = unfinished("", 50).chunks(1).map(<[u8]>::to_vec).collect();
    let repeat = |words: &str| vec![encode(words); 30];
    // What a peer says first, then each ten seconds, and for what it is closed after a minute.
    for (first, each, reason) in [
        (vec![], repeat(""), Some("silent")),
        (vec![], repeat("status"), Some("not identified")),
        (vec![], repeat("batch 1"), Some("not identified")),
        (vec![], dribble[..30].to_vec(), Some("not identified")),
        (encode("hello 1"), repeat(""), Some("silent")),
        (encode("hello 1"), repeat("ack"), None),
        (
            unfinished("hello 1", 20),
            dribble[20..].to_vec(),
            Some("unfinished message"),
        ),
        (encode("park 1"), repeat(""), None),
        (encode("park 1, ack"), repeat(""), None),
        (unfinished("park 1", 20), dribble[20..].to_vec(), None),
    ] {
        let timeout = Some(SECOND * 60);
        let mut world = World::with(2, |setup| setup.limits.idle_timeout = timeout);
        world.hears(A, first);
        let mut closed_at = None;
        for bytes in each {
            world.waits(SECOND * 10);
            if world.is_closed(A) {
                closed_at.get_or_insert(world.now);
            } else {
                world.hears(A, bytes);
            }
        }
        assert_eq!(closed_at, reason.and(timeout));
        let line =
            "action: idle_timeout | result: success | ip: 127.0.0.1 | seconds: 60 | reason: ";
        assert_eq!(times_logged(line), usize::from(reason.is_some()));
        let line = format!("{line}{}", reason.unwrap_or_default());
        assert_eq!(times_logged(&line), usize::from(reason.is_some()));
    }
}

#[test]
fn nobody_who_has_sent_is_closed_because_a_turn_took_long() {
    let agencies = Rank::Agency.share().visits + 100;
    let timeout = Some(SECOND * 60);
    let mut world = World::with(agencies as u32, |setup| setup.limits.idle_timeout = timeout);
    for agency in 1..=agencies {
        world.says(agency, format!("hello {agency}"), "welcome 0 betting");
    }
    for agency in 1..=agencies {
        world.sends(agency, "batch 0");
    }
    // A sync takes this long; then one turn does not reach everybody.
    world.now += SECOND * 100;
    world.run();
    for agency in 1..=agencies {
        world.expect(agency, "stored");
    }
    world.waits(SECOND * 59);
    assert!(!world.is_closed(A));
    world.waits(SECOND);
    assert_eq!(world.reactor.connections.len(), 0);
}

#[test]
fn an_answer_that_nobody_takes_is_waited_for_no_longer_than_silence() {
    let timeout = Some(SECOND * 60);
    for words in ["hello 1", "park 1", "nonsense"] {
        let mut world = World::with(1, |setup| setup.limits.idle_timeout = timeout);
        world.takes(A, 0);
        world.hears(A, words);
        world.waits(SECOND * 59);
        assert!(!world.is_closed(A));
        world.waits(SECOND);
        assert!(world.is_closed(A));
    }
}

#[test]
fn a_refused_peer_that_does_not_close_is_closed_after_a_moment_whatever_it_sends() {
    for ends in [false, true] {
        let mut world = World::of(1);
        world.says(A, "nonsense", "refused 1");
        assert!(world.is_over(A) && !world.is_closed(A));
        world.says(A, encode("hello 1").repeat(100), "");
        assert_eq!(world.peer(A).unread_bytes(), 0);
        if ends {
            world.ends(A);
        } else {
            world.now += LINGER;
        }
        world.run();
        assert!(world.is_closed(A));
    }
}

#[test]
fn when_all_connections_are_taken_the_oldest_stranger_goes_and_never_an_agency() {
    let full = "action: max_connections | result: in_progress | conexiones: 4";
    let mut world = World::with(9, |setup| setup.limits.connections_max = 4);
    world.hears(A, "hello 1");
    for stranger in [11, 12, 13] {
        world.hears(stranger, "status");
    }
    assert_eq!(times_logged(full), 0);
    for (newcomer, hello, gone) in [(B, "hello 2", 11), (C, "hello 3", 12), (D, "hello 4", 13)] {
        assert!(!world.is_closed(gone));
        world.says(newcomer, hello, "welcome 0 betting");
        assert!(world.is_closed(gone));
    }
    assert_eq!(times_logged(full), 1);
    assert!(!world.reactor.has_room(), "the event loop does not accept");
    world.dies(B);
    world.run();
    world.says(14, "status", "status 9/9");
    assert_eq!(times_logged(full), 1);
    world.says(15, "status", "status 9/9");
    assert_eq!(times_logged(full), 2, "there was room in between");
    for name in [A, C, D] {
        assert!(!world.is_closed(name));
    }
}

#[test]
fn a_connection_that_is_gone_leaves_nothing_behind() {
    let whole = encode("park 1, batch 1 10 11, status");
    let timeout = Some(SECOND * 60);
    let mut world = World::with(2, |setup| setup.limits.idle_timeout = timeout);
    for number in 0..20_000 {
        world.sends(A, &whole[..number % whole.len()]);
        if number % 2 == 0 {
            world.turn();
        }
        world.dies(A);
        world.turn();
    }
    let reactor = &world.reactor;
    assert!(reactor.connections.is_empty() && reactor.strangers.is_empty());
    assert_eq!(reactor.memory_bytes, 0);
    assert!(world.deadline().is_none_or(|deadline| deadline > world.now));
}
