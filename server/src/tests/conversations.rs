//! Peers that send much, read little, or send no more.

use crate::limits::{READ_BYTES, SHARES};
use crate::testing::*;

#[test]
fn the_end_of_a_run_stores_what_was_staged_and_sends_what_is_owed() {
    let mut world = World::of(1);
    world.takes(A, 0);
    world.hears(A, "batch 1 10");
    world.peer(A).set_room(100);
    world.shuts_down();
    world.expect(A, "stored");
}

#[test]
fn a_peer_that_sends_no_more_is_answered_everything_and_then_closed() {
    // What it says, bytes of a message that it does not finish, and what it is told once there is a draw.
    for (says, torn, told_at_draw) in [
        ("", 0, ""),
        ("hello 1", 3, ""),
        ("park 1", 0, "winners []"),
        ("park 1", 1, "winners []"),
        ("park 1, ack, winners", 0, "winners [], winners []"),
    ] {
        let mut world = World::of(2);
        world.sends(A, says);
        world.sends(A, &encode("batch 1")[..torn]);
        world.ends(A);
        world.run();
        let welcome = if says.is_empty() {
            ""
        } else {
            "welcome 0 betting"
        };
        world.expect(A, welcome);
        assert_eq!(world.is_closed(A), told_at_draw.is_empty());
        world.hears(B, "park 2");
        world.expect(A, told_at_draw);
        assert!(world.is_closed(A));
        let line = format!(
            "action: receive_message | result: in_progress | ip: 127.0.0.1 | error: the connection \
             ended {torn} bytes into a message"
        );
        assert_eq!(times_logged(&line), usize::from(torn > 0));
    }
}

#[test]
fn a_peer_that_floods_and_does_not_read_is_read_no_further_until_it_does() {
    for (message, times) in [("winners", 32), ("batch 1", 64), ("hello 1", 64)] {
        let mut world = World::of(1);
        world.hears(A, "batch 1 10, park 1");
        world.told(A);
        world.takes(A, 0);
        let message = encode(message).repeat(1024);
        for _ in 0..times {
            world.hears(A, &message);
        }
        let unread = world.peer(A).unread_bytes();
        assert!(unread > message.len() * times / 4, "{unread}");
        assert_eq!(world.deadline(), None);
        world.says(B, "status", "status drawn");
        // It is answered to the last message once it reads, at whatever pace, and then closed.
        world.ends(A);
        let mut told = 0;
        for takes in 1..1_000 {
            world.takes(A, [SHARES[0].unsent_bytes_max / 2, READ_BYTES][takes % 2]);
            world.run();
            let replies = world.told(A);
            told += replies.split_terminator(", ").count();
        }
        assert_eq!(told, 1024 * times);
        assert!(world.is_closed(A));
    }
}

#[test]
fn a_flood_from_a_parked_peer_stays_in_the_socket() {
    let mut world = World::of(2);
    world.hears(A, "park 1");
    for _ in 0..8 {
        world.hears(A, encode("ack").repeat(READ_BYTES));
    }
    assert!(world.peer(A).unread_bytes() >= 14 * READ_BYTES);
    world.hears(B, "park 2");
    assert_eq!(world.peer(A).unread_bytes(), 0);
}
