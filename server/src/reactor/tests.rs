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
fn what_a_turn_takes_of_all_agencies_is_bounded_and_shared() {
    // So many agencies flood with so many messages: a turn hears all of them, or has answered enough before.
    for (agencies, words, times, hears_all) in
        [(40, "ack", 256 * 1024, true), (100, "batch 1", 1024, false)]
    {
        let mut world = World::of(agencies as u32);
        let flood = encode(words).repeat(times);
        for agency in 1..=agencies {
            world.hears(agency, format!("hello {agency}"));
        }
        for agency in 1..=agencies {
            world.sends(agency, &flood);
        }
        world.turn();
        let mut read: Vec<usize> = (1..=agencies)
            .map(|agency| flood.len() - world.peer(agency).unread_bytes())
            .collect();
        assert!(read.iter().sum::<usize>() <= Rank::Agency.share().turn_bytes);
        read.retain(|bytes| *bytes > 0);
        assert_eq!(read.len() == agencies, hears_all, "{read:?}");
    }
}

/// These words, and so many bytes of a message of which more is to come.
fn unfinished(words: &str, bytes: usize) -> Vec<u8> {
    let message = encode(&format!("batch 1{}", " 10".repeat(1_400)));
    [&encode(words)[..], &message[..bytes]].concat()
}

#[test]
fn when_all_hold_too_much_the_largest_holders_go_strangers_first_and_then_those_that_stand_still() {
    // Memory bound in KiB; for each peer a message and the KiB of an unfinished one; which peer is closed.
    for (max, says, closed) in [
        // The largest stranger, though agencies hold more.
        (170, "hello 1+60, +16, +32, hello 2+60", C),
        // Of equals the oldest.
        (100, "+16, +32, +32, +32", B),
        // The one without progress in this turn.
        (70, "+16, +32, status+24", B),
        // A stranger, though it gets on, and an agency only when no stranger is left.
        (75, "hello 1+60, status+12", B),
        (75, "hello 1+24, hello 2+60", A),
    ] {
        let max = max * 1024;
        let mut world = World::with(2, |setup| setup.limits.memory_bytes_max = max);
        for (name, said) in (A..).zip(says.split(", ")) {
            let (words, kibibytes) = said.split_once('+').unwrap();
            world.waits(SECOND);
            world.hears(
                name,
                unfinished(words, kibibytes.parse::<usize>().unwrap() * 1024),
            );
            assert!(world.reactor.memory_bytes <= max);
        }
        for (name, _) in (A..).zip(says.split(", ")) {
            assert_eq!(world.is_closed(name), name == closed, "{says}");
        }
        assert_eq!(times_logged("action: max_memory | result: success"), 1);
    }
}

#[test]
fn overdue_connections_are_closed_and_the_log_says_why() {
    let message = unfinished("", 50);
    // What a peer says first, with so many bytes of a message; what it says each ten seconds, or that message byte by
    // byte; and for what it is closed after a minute.
    for (first, begun, each, reason) in [
        ("", 0, Some(""), Some("silent")),
        ("", 0, Some("status"), Some("not identified")),
        ("", 0, Some("batch 1"), Some("not identified")),
        ("", 0, None, Some("not identified")),
        ("hello 1", 0, Some(""), Some("silent")),
        ("hello 1", 0, Some("ack"), None),
        ("hello 1", 20, None, Some("unfinished message")),
        ("park 1", 0, Some(""), None),
        ("park 1, ack", 0, Some(""), None),
        ("park 1", 20, None, None),
    ] {
        let timeout = Some(SECOND * 60);
        let mut world = World::with(2, |setup| setup.limits.idle_timeout = timeout);
        world.hears(A, unfinished(first, begun));
        let mut closed_at = None;
        for byte in &message[begun..begun + 30] {
            world.waits(SECOND * 10);
            if world.is_closed(A) {
                closed_at.get_or_insert(world.now);
            } else {
                world.hears(A, each.map_or(vec![*byte], encode));
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
    // What it says, the bytes it takes of what it is told, and how long it may wait for the draw.
    for (words, takes, draw_timeout) in [
        ("hello 1", 0, None),
        ("park 1", 0, None),
        ("nonsense", 0, None),
        ("park 1", 15, Some(SECOND * 10)),
    ] {
        let mut world = World::with(2, |setup| {
            setup.limits.idle_timeout = timeout;
            setup.rules.draw_timeout = draw_timeout;
        });
        world.takes(A, takes);
        world.hears(A, words);
        world.waits(draw_timeout.unwrap_or_default());
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
