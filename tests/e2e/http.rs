//! HTTP for those who watch: what it answers, and that it takes nothing from agencies.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::kit::Message::Hello;
use crate::kit::{Bet, Dataset, Peer, Server, expect_winners, losing_bets, wait_until};

use super::flood::has_descriptors;

/// Requests, the status of the answer to each, and what that has. The words in capitals and `…` stand for
/// bytes.
const ANSWERS: &str = r#"
    GET / HOST | 200 OK | Content-Type: text/html; charset=utf-8
    GET /?a=b HOST | 200 OK | Content-Security-Policy: default-src 'none';
    GET / HTTP/1.0 | 200 OK | </script>
    GET /status.json HOST | 200 OK | {"agencies":2,"agency_states":[{"agency":1,
    GET /metrics HOST | 200 OK | Content-Type: text/plain; version=0.0.4
    GET /healthz HOST | 200 OK | ok
    GET /readyz HOST | 200 OK | ready
    HEAD /events HOST | 200 OK | text/event-stream
    GET /bets.csv HOST | 404 Not Found | no such page
    GET /../config.ini HOST | 404 Not Found | no such page
    POST / HOST | 405 Method Not Allowed | Allow: GET, HEAD
    PRI * HTTP/2.0 | 400 Bad Request | no HTTP request
    no request | 400 Bad Request | no HTTP request
    TLS | 400 Bad Request | no HTTP request
    GET /… HOST | 431 Request Header Fields Too Large | too large
    GET / HOST LONG | 431 Request Header Fields Too Large | too large
    GET / HOST MANY | 431 Request Header Fields Too Large | too large"#;

const FOLLOW: &str = "GET /events HTTP/1.1\r\n\r\n";
const UNFINISHED: &str = "GET / HTTP/1.1\r\nX: ";

/// Requests that are slow, broken, oversized or not read, in turn, while agencies are at work.
const BAD_REQUESTS: usize = 5_000;

/// The most memory that the server may need for them, next to its agencies.
const MEMORY_BYTES_MAX: u64 = 32 << 20;

#[test]
fn each_request_has_one_answer_however_it_comes() {
    let server = Server::lottery(2).with_http().start();
    for line in ANSWERS.lines().skip(1) {
        let [request, status, part] = line.trim().split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let mut request = format!("{request}\r\n\r\n");
        for (word, bytes) in [
            ("HOST", "HTTP/1.1\r\nHost: board"),
            (" LONG", &format!("\r\nX: {}", "y".repeat(9_000))),
            (" MANY", &"\r\nX: y".repeat(65)),
            ("…", &"a".repeat(9_000)),
            ("TLS", "\x16\x03\x01"),
        ] {
            request = request.replace(word, bytes);
        }
        let answer = server.ask(&request);
        let has_status = answer.starts_with(&format!("HTTP/1.1 {status}\r\n"));
        assert!(has_status && answer.contains(part), "{request}: {answer}");
        let changes = part.contains("agencies") || part.contains("version");
        if changes || request.len() > 99 {
            continue;
        }
        assert_eq!(server.ask(&request.repeat(100)), answer);
        let mut slow = server.view("");
        request.bytes().for_each(|byte| slow.send(&[byte]));
        slow.half_close();
        assert_eq!(String::from_utf8(slow.rest()).unwrap(), answer);
        if request.starts_with("GET") {
            let head = server.ask(&request.replacen("GET", "HEAD", 1));
            let (expected, _) = answer.split_once("\r\n\r\n").unwrap();
            assert_eq!(head, format!("{expected}\r\n\r\n"));
        }
    }
    let mut cut = server.view("GET / HTTP/1.1\r\nHost");
    cut.half_close();
    cut.expect_closed();
}

/// Parts of pages before the draw and after it; `¶` is the end of a line.
const STATUS: &str = r#"
    {"agencies":2,"agency_states":[{"agency":1,"bets":3,"connected":true,
    "state":"waiting"},
    "state":"betting"}],"bets":4,"drawn":false,"history":[
    ],"missing":1,"rate":"#;
const METRICS: &str = r#"
    ¶lottery_bets_total 4¶
    ¶lottery_batches_total 2¶
    ¶lottery_connections{kind="agency"} 2¶
    ¶lottery_connections{kind="viewer"} 1¶
    ¶lottery_refusals_total{code="6"} 1¶
    ¶lottery_agencies{kind="parked"} 1¶
    ¶lottery_drawn 0¶
    ¶lottery_sync_duration_seconds_bucket{le="+Inf"}"#;
const STATUS_DRAWN: &str = r#"
    "drawn":true,
    "number":7574,"rate":
    ,"winners":1}
    "state":"informed","winners":1}],"#;

#[test]
fn status_and_metrics_say_how_far_it_is_and_nothing_of_anybody() {
    let server = Server::lottery(2).with_http().start();
    let mut betting = server.newcomer(2);
    betting.store(&[Bet::winning(2, 44_444_444)]);
    let mut agency = server.parked(1, &losing_bets(1, 3));
    let mut refused = server.connect();
    refused.say(Hello(3));
    refused.expect_refusal(6);
    let expect = |path: &str, parts: &str| {
        let page = server.get(path);
        for part in parts.trim().lines() {
            let part = part.trim().replace('¶', "\n");
            assert!(page.contains(&part), "{part}: {page}");
        }
        assert!(!page.contains("44444444"), "a DNI is nobody's to see");
    };
    expect("/status.json", STATUS);
    expect("/metrics", METRICS);
    betting.finish();
    betting.expect_winners(&[44_444_444]);
    agency.expect_winners(&[]);
    expect("/status.json", STATUS_DRAWN);
    expect("/metrics", "¶lottery_drawn 1¶");
}

#[test]
fn a_request_that_does_not_end_is_closed_and_one_that_follows_is_not() {
    let server = Server::lottery(1).with_http().set("IDLE_TIMEOUT", "1s");
    let server = server.start();
    let mut follower = server.view(FOLLOW);
    let mut slow = server.view(UNFINISHED);
    let mut silent = server.view("");
    wait_until(|| slow.pester(b"y").is_err());
    silent.expect_closed();
    server.newcomer(1).store(&losing_bets(1, 3));
    let mut told = String::new();
    // It was told how it is, and is told how it changes.
    while !told.contains("\"bets\":3,") {
        told.extend(follower.take(1).into_iter().map(char::from));
    }
    let first = "\r\n\r\nretry: 1000\ndata: {\"agencies\":1,";
    assert!(told.contains(first), "{told}");
}

#[test]
fn viewers_and_agencies_keep_to_their_shares_of_descriptors() {
    let server = Server::lottery(1).under("ulimit -n 200; exec");
    let server = server.with_http().start();
    let viewers: Vec<Peer> = (0..400).map(|_| server.view(FOLLOW)).collect();
    let strangers: Vec<Peer> = (0..300).map(|_| server.connect()).collect();
    server.parked(1, &[]).expect_winners(&[]);
    assert!(server.get("/status.json").contains("\"drawn\":true"));
    drop((viewers, strangers));
}

/// Makes a bad request of each kind in turn, and keeps those that are slow or not read.
fn bad_request(server: &Server, number: usize) -> Option<Peer> {
    let mut viewer = server.view("");
    let (request, is_kept) = match number % 5 {
        0 => (UNFINISHED.to_owned(), true),
        1 => ("\u{16}\u{3}\u{1} nonsense\r\n\r\n".to_owned(), false),
        2 => (UNFINISHED.to_owned() + &"y".repeat(100_000), false),
        3 => ("GET / HTTP/1.1".to_owned() + &"\r\nX: y".repeat(65), true),
        _ => (FOLLOW.to_owned(), true),
    };
    // The server may have closed it before it is all sent.
    let _ = viewer.pester(request.as_bytes());
    is_kept.then_some(viewer)
}

#[test]
fn thousands_of_slow_broken_and_oversized_requests_slow_no_agency() {
    if !has_descriptors() {
        return;
    }
    let server = Server::lottery(6).with_http().start();
    let datasets = [1, 2, 3, 4, 5].map(Dataset::with_winner);
    let mut last = server.newcomer(6);
    let mut bets = Vec::new();
    let are_made = AtomicBool::new(false);
    thread::scope(|scope| {
        let viewers = scope.spawn(|| {
            let bad = (0..BAD_REQUESTS).map(|number| bad_request(&server, number));
            let mut kept: Vec<Peer> = bad.flatten().collect();
            are_made.store(true, Ordering::Relaxed);
            kept.retain_mut(|viewer| viewer.pester(b"y").is_ok());
            kept.len()
        });
        let agencies = server.start_agencies(&datasets);
        // One is at work for as long as requests come.
        while !are_made.load(Ordering::Relaxed) {
            let bet = Bet::losing(6, 1 + bets.len() as u32);
            last.store(std::slice::from_ref(&bet));
            bets.push(bet);
        }
        last.finish();
        last.expect_winners(&[]);
        expect_winners(agencies, &datasets);
        assert!(viewers.join().unwrap() > 0, "some wait");
    });
    server.expect_stored(&[&datasets[..], &[Dataset::of(6, bets)]].concat());
    assert!(server.get("/healthz").ends_with("\r\n\r\nok\n"));
    let peak_bytes = server.memory_peak_bytes();
    assert!(peak_bytes <= MEMORY_BYTES_MAX, "{peak_bytes} bytes");
}
