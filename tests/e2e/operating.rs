//! What an operator looks at: results and audits of the files, and HTTP.

use std::fs::{self, File};

use kit::Message::InformWinners;
use kit::{Bet, Ended, Peer, Server, losing_bets, own_address, rows};

/// What `winners` prints with these arguments; lines end in `\n` or `\r\n`.
const WINNERS: &str = r#"
    winners => number drawn: 7574\n\nagency  winners  documents\n     1        2  8, 7\n     2        0\n total        2
    winners --agency 2 => number drawn: 7574\n\nagency  winners  documents\n     2        0\n total        0
    winners --format csv => 1,8\r\n1,7\r
    winners --format json => {"agencies":[{"agency":1,"winners":[8,7]},{"agency":2,"winners":[]}],"bets":4,"number":7574}"#;

/// Requests, and the status and the end of the answer to each.
const ANSWERS: &str = "
    GET /healthz HTTP/1.0 | 200 OK | ok
    GET /healthz?x=1 HTTP/1.1 | 200 OK | ok
    GET /readyz HTTP/1.1 | 200 OK | ready
    HEAD /readyz HTTP/1.1 | 200 OK | Content-Length: 6
    GET / HTTP/1.1 | 200 OK | </script>
    GET /bets.csv HTTP/1.1 | 404 Not Found | no such page
    POST / HTTP/1.1 | 405 Method Not Allowed | GET and HEAD only
    no request | 400 Bad Request | no HTTP request";

/// Runs a subcommand on the server's files, which takes its settings as the server does.
fn run(server: &Server, arguments: &str) -> Ended {
    let program = server.program.clone();
    let arguments = arguments.split(' ');
    arguments
        .fold(program, |program, argument| program.arg(argument))
        .run()
}

#[test]
fn winners_and_audits_are_to_be_had_while_the_server_runs_and_after() {
    let mut server = Server::lottery(2).start();
    let bets = [Bet::winning(1, 8), Bet::losing(1, 9), Bet::winning(1, 7)];
    let mut agency = server.parked(1, &bets);
    run(&server, "winners").expect_complaint(1, "the draw was not held yet");
    let closings = server.closings();
    let crc = closings.trim_end().rsplit(',').next().unwrap();
    let open = [
        " agency       bets      crc32 closed winners".to_owned(),
        format!("      1          3 {crc:>10}    yes       2"),
        "  total          3                 1       2".to_owned(),
    ];
    assert_eq!(run(&server, "audit").log[..], open);
    server
        .parked(2, &losing_bets(2, 1))
        .expect(InformWinners(vec![]));
    agency.expect(InformWinners(vec![8, 7]));
    for is_running in [true, false] {
        if !is_running {
            server.terminate().expect_success();
        }
        for line in WINNERS.lines().skip(1) {
            let (arguments, expected) = line.trim().split_once(" => ").unwrap();
            let ended = run(&server, arguments);
            ended.expect_success();
            assert_eq!(ended.log.join("\\n").replace('\r', "\\r"), expected);
        }
        let audit = run(&server, "audit");
        assert_eq!(
            audit.log.last().unwrap(),
            "  total          4                 2       2"
        );
        // Nobody reads it, as of `winners | head`.
        let full_disk = File::create("/dev/full").unwrap();
        let unread = server.program.clone().arg("winners");
        let unread = unread.start_logging_to(full_disk).wait_for_end();
        unread.expect_complaint(1, "standard output: ");
    }
    fs::write(server.path("bets.csv"), rows(&bets[1..])).unwrap();
    run(&server, "audit").expect_complaint(1, "closings.csv line 1: ");
    run(&server, "winners").expect_complaint(1, "draw.csv says 2 winning bets, and bets.csv has 1");
}

#[test]
fn http_tells_how_it_is_and_how_far_it_is_and_takes_nothing_else() {
    let address = own_address();
    let server = Server::lottery(2)
        .set("HTTP_PORT", address.port())
        .set("HTTP_BIND", address.ip());
    let server = server.start();
    server.wait_for_line(&format!("port: {} | protocolo: http", address.port()));
    let ask = |request: &str| {
        let mut viewer = Peer::connect(address);
        viewer.send(request.as_bytes());
        String::from_utf8(viewer.rest()).unwrap()
    };
    let get = |path: &str| ask(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
    let mut betting = server.newcomer(2);
    betting.store(&[Bet::winning(2, 44_444_444)]);
    let mut agency = server.parked(1, &losing_bets(1, 3));
    let large = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(9_000));
    assert!(ask(&large).starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"));
    for line in ANSWERS.lines().skip(1) {
        let [request, status, end] = line.trim().split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let answer = ask(&format!("{request}\r\n\r\n"));
        let is_expected = answer.starts_with(&format!("HTTP/1.1 {status}\r\n"));
        assert!(
            is_expected && answer.trim_end().ends_with(end),
            "{request:?}: {answer}"
        );
    }
    let status = get("/status.json");
    for part in [
        r#""agencies":2,"missing":1,"bets":4,"#,
        r#""drawn":false,"agency_states":[{"agency":1,"bets":3,"#,
        r#""state":"waiting","connected":true}"#,
        r#""state":"betting","connected":true}]}"#,
    ] {
        assert!(status.contains(part), "{part}: {status}");
    }
    betting.finish();
    betting.expect(InformWinners(vec![44_444_444]));
    agency.expect(InformWinners(vec![]));
    let status = get("/status.json");
    assert!(
        status.contains(r#""drawn":true,"number":7574,"winners":1,"#),
        "{status}"
    );
    assert!(
        !(status + &get("/metrics")).contains("44444444"),
        "a DNI is nobody's to see"
    );
}
