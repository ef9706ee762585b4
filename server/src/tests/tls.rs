//! Which agency a connection speaks for that has shown a certificate.

use std::net::Ipv4Addr;

use crate::testing::{A, Authority, B, Received, World};

#[test]
fn a_connection_speaks_for_the_agency_of_its_certificate_and_others_may_ask_how_far_it_is() {
    let authority = Authority::new();
    let mut world = World::of(2);
    world.connects_with_tls(A, &authority, "agency-1");
    world.says(A, "hello 1, batch 1 10!", "welcome 0 betting, stored");
    let nobodys = [
        "board",
        "agency-",
        "agency-0",
        "agency-x",
        "agency-3.example",
    ];
    for other in nobodys.into_iter().chain(["agency-2"]) {
        for words in ["hello 1", "batch 1 11", "park 1"] {
            world.connects_with_tls(B, &authority, other);
            world.says(B, format!("status, {words}"), "status 2/2, refused 4");
            assert!(world.is_over(B));
        }
    }
    world.says(A, "batch 1 12", "stored");
    world.connects_with_tls(B, &authority, "agency-2");
    world.says(B, "park 2", "welcome 0 betting");
    world.says(A, "finish, winners", "winners [10]");
    world.expect(B, "winners []");
}

#[test]
fn what_a_session_keeps_of_a_record_and_of_answers_counts_as_memory() {
    let authority = Authority::new();
    let mut world = World::of(1);
    for peer in [A, B] {
        world.connects_with_tls(peer, &authority, "board");
    }
    assert_eq!(world.reactor.memory_bytes(), 0);
    // The beginning of a record of 16,639 bytes.
    let record = [&[0x17, 3, 3, 0x40, 0xff][..], &[0; 16_000]].concat();
    world.peer(A).send_raw(&record);
    world.hears(A, "");
    assert_eq!(world.reactor.memory_bytes(), record.len());
    world.dies(A);
    world.run();
    world.takes(B, 0);
    for _ in 0..1000 {
        world.hears(B, "status");
    }
    assert!(world.reactor.memory_bytes() >= 1000 * "00aaaabbbbc".len());
    world.takes(B, usize::MAX);
    world.run();
    assert_eq!(world.reactor.memory_bytes(), 0);
}

#[test]
fn whoever_leaves_before_the_handshake_was_answered_delays_nobody() {
    let authority = Authority::new();
    let mut world = World::of(1);
    for name in 10..60 {
        world.begins_tls(name, Ipv4Addr::LOCALHOST, &authority, "agency-1");
        world.ends(name);
        assert!(world.peer(name).is_closed());
    }
    world.begins_tls(A, Ipv4Addr::LOCALHOST, &authority, "agency-1");
    world.turn();
    assert!(matches!(world.peer(A).receive(), Received::Bytes(_)));
}
