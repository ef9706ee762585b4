//! What viewers are told, by HTTP.

use crate::service::Behind;
use crate::testing::*;

#[test]
fn a_viewer_is_told_how_the_lottery_is_and_only_turns_that_store_something_count_as_commits() {
    let mut world = World::with(2, |setup| setup.has_http = true);
    world.hears(A, "batch 1 10! 11, batch 1");
    world.hears(B, "nonsense");
    for (path, told) in [
        ("/metrics", "\nlottery_commit_duration_seconds_count 1\n"),
        ("/status.json", r#""bets":2,"drawn":false,"#),
    ] {
        world.connects_at(C, Behind::Viewers);
        world.hears(C, format!("GET {path} HTTP/1.1\r\n\r\n").into_bytes());
        let answer = String::from_utf8(world.received(C)).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains(told), "{answer}");
        assert!(world.is_over(C));
    }
}
