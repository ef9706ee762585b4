//! What an operator looks at: results, and audits of the files.

use std::fs::File;

use crate::kit::{Bet, Ended, Program, Server, losing_bets, rows};

/// What `winners` prints with these arguments; lines end in `\n` or `\r\n`.
const WINNERS: &str = r#"
    winners => number drawn: 7574\n\nagency  winners  documents\n     1        2  8, 7\n     2        0\n total        2
    winners --agency 2 => number drawn: 7574\n\nagency  winners  documents\n     2        0\n total        0
    winners --format csv => 1,8\r\n1,7\r
    winners --format json => {"agencies":[{"agency":1,"winners":[8,7]},{"agency":2,"winners":[]}],"bets":4,"number":7574}"#;

/// Runs a subcommand on the server's files, which takes its settings as the server does.
fn run(server: &Server, arguments: &str) -> Ended {
    let arguments = arguments.split(' ');
    arguments.fold(server.program.clone(), Program::arg).run()
}

#[test]
fn winners_and_audit_work_while_the_server_runs_and_after() {
    let mut server = Server::lottery(2).start();
    let bets = [Bet::winning(1, 8), Bet::losing(1, 9), Bet::winning(1, 7)];
    let mut agency = server.parked(1, &bets);
    run(&server, "winners").expect_complaint(1, "the draw was not held yet");
    let closings = server.file("closings.csv");
    let crc = closings.trim_end().rsplit(',').next().unwrap();
    let open = [
        " agency       bets      crc32 closed winners".to_owned(),
        format!("      1          3 {crc:>10}    yes       2"),
        "  total          3                 1       2".to_owned(),
    ];
    assert_eq!(run(&server, "audit").log[..], open);
    server.parked(2, &losing_bets(2, 1)).expect_winners(&[]);
    agency.expect_winners(&[8, 7]);
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
        let total = "  total          4                 2       2";
        assert_eq!(audit.log.last().unwrap(), total);
        // Nobody reads it, as of `winners | head`.
        let full_disk = File::create("/dev/full").unwrap();
        let unread = server.program.clone().arg("winners");
        let unread = unread.start_logging_to(full_disk).wait_for_end();
        unread.expect_complaint(1, "standard output: ");
    }
    server.put("bets.csv", rows(&bets[1..]));
    run(&server, "audit").expect_complaint(1, "closings.csv line 1: ");
    run(&server, "winners").expect_complaint(1, "draw.csv says 2 winning bets, and bets.csv has 1");
}
