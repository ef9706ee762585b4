//! What viewers are told, by HTTP.

use lottery_core::testing::Faults;

use crate::testing::*;

#[test]
fn viewers_are_told_how_the_lottery_is_and_followers_when_that_changes() {
    let mut world = World::with(2, |setup| setup.has_http = true);
    let asks = |world: &mut World, name: usize, path: &str| {
        world.connects_at(name, HTTP_DOOR);
        world.hears(name, format!("GET {path} HTTP/1.1\r\n\r\n").into_bytes());
        String::from_utf8(world.received(name)).unwrap()
    };
    world.hears(A, "batch 1 10! 11, batch 1");
    world.hears(B, "nonsense");
    let status = r#"{"agencies":2,"missing":2,"bets":2,"#;
    let followed = asks(&mut world, C, "/events");
    assert!(followed.ends_with("}\n\n") && followed.contains(&format!("\ndata: {status}")));
    let counted = "# TYPE lottery_bets_total counter\nlottery_bets_total 2\n";
    for (path, told) in [
        ("/status.json", status),
        ("/metrics", counted),
        ("/metrics", "lottery_refusals_total{code=\"1\"} 1\n"),
        ("/metrics", "lottery_connections{kind=\"viewer\"} 2\n"),
        ("/metrics", "lottery_agencies{kind=\"missing\"} 2\n"),
        ("/metrics", "lottery_commit_duration_seconds_count 1\n"),
        ("/readyz", "\r\n\r\nready\n"),
    ] {
        let answer = asks(&mut world, D, path);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains(told), "{answer}");
        assert!(world.is_over(D));
        world.dies(D);
    }
    world.hears(A, "batch 1 12");
    world.disk.set_faults(Faults::full_after(0));
    world.hears(A, "batch 1 13");
    world.waits(SECOND);
    let followed = String::from_utf8(world.received(C)).unwrap();
    assert!(followed.starts_with(r#"data: {"agencies":2,"missing":2,"bets":3,"#));
    assert!(asks(&mut world, D, "/readyz").starts_with("HTTP/1.1 503 "));
    world.disk.set_faults(Faults::default());
    for (name, words) in [(A, "park 1"), (B, "park 2")] {
        world.dies(name);
        world.hears(name, words);
    }
    let status = asks(&mut world, D, "/status.json");
    for part in [
        r#""drawn":true,"number":7574,"winners":1,"#,
        r#""state":"informed","connected":true,"winners":1}"#,
    ] {
        assert!(status.contains(part), "{status}");
    }
}
