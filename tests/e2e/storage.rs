//! The server's files: what it finds in them when it is started again, what it does not accept there,
//! and what happens when a disk or somebody else gets in its way.

use std::process::Command;

use rustix::process::Signal;

use crate::kit::Message::RegisterBets;
use crate::kit::{Bet, Message, Server, has, losing_bets, rows, wait_until};

#[test]
fn a_torn_record_is_cut_with_a_warning_and_corruption_is_refused_with_file_and_line() {
    let bets = losing_bets(1, 3);
    let mut server = Server::lottery(2).start();
    drop(server.parked(1, &bets));
    server.terminate().expect_success();
    let closings = server.file("closings.csv");
    let corrupt = rows(&bets).replacen("10000001", "x", 1);
    for (bets_file, place) in [
        (corrupt, "bets.csv line 2: "),
        // The closing covers more than is there.
        (rows(&bets[..1]), "closings.csv line 1: "),
    ] {
        server.put("bets.csv", &bets_file);
        server.program.run().expect_complaint(1, place);
        assert_eq!(server.bets(), bets_file);
        assert_eq!(server.file("closings.csv"), closings);
    }
    let torn = "2,Juan,Pérez,1234";
    server.put("bets.csv", rows(&bets) + torn);
    server.restart();
    let log = server.log();
    let cut = "WARN  [server::log_lines] action: recuperacion | result: success";
    let bytes = torn.len().to_string();
    assert_eq!(log.values(cut, "bytes_cortados"), [bytes], "{log:#?}");
    assert_eq!(log.values(cut, "archivo"), ["bets.csv"]);
    server.connect().hello(1, &bets, 1);
    assert_eq!(server.bets(), rows(&bets));
}

#[test]
fn the_draw_is_recorded_before_it_is_told_and_stays_as_it_is_and_the_folder_is_one_servers() {
    let mut server = Server::lottery(1).start();
    let bets = [Bet::losing(1, 7), Bet::winning(1, 7)];
    server.parked(1, &bets).expect_winners(&[7]);
    let second = server.program.run();
    second.expect_complaint(1, "a server is using this folder; stop it first");
    server.connect().hello(1, &bets, 2);
    let log = server.end_by(Signal::KILL).log;
    let draw = "action: sorteo | result: success | numero: 7574";
    let summary = "action: resumen | result: success | numero: 7574 | agencias: 1 | apuestas: 2 | \
        ganadores: 1 | duracion: ";
    assert_eq!(log.position(summary), log.position(draw) + 1);
    assert_eq!(server.file("draw.csv"), "7574,1,2,1\r\n");
    let other = server.program.clone().set("WINNING_NUMBER", 1234).run();
    let held = "held with WINNING_NUMBER 7574 and NUM_AGENCIES 1, and the settings say 1234 and 1";
    other.expect_complaint(1, &format!("{held}; start with those"));
}

#[test]
fn a_limit_of_the_file_size_is_a_full_disk_and_the_server_goes_on() {
    // In blocks of 512 bytes, of which this is less than twice the batch.
    let server = Server::lottery(1).under("ulimit -f 4; exec");
    let mut server = server.with_http().start();
    let ready = "HTTP/1.1 200 OK";
    assert!(server.get("/readyz").starts_with(ready));
    let bets = losing_bets(1, 40);
    let mut agency = server.newcomer(1);
    agency.store(&bets);
    agency.say(RegisterBets(bets.clone()));
    agency.expect_refusal(7);
    assert_eq!(server.bets(), rows(&bets));
    let refuses = server.get("/readyz");
    assert!(refuses.starts_with("HTTP/1.1 503 Service"), "{refuses}");
    assert!(server.get("/healthz").starts_with(ready), "it lives");
    let mut agency = server.connect();
    agency.hello(1, &bets, 0);
    agency.store(&bets[..5]);
    assert!(server.get("/readyz").starts_with(ready));
    let log = server.terminate().log;
    let fails = "action: almacenamiento | result: in_progress | error: bets.csv: File too";
    let works = "action: almacenamiento | result: success";
    assert!(log.position(fails) < log.position(works));
    log.position("action: shutdown | result: success");
}

#[test]
fn a_file_changed_by_others_stops_the_server_at_the_next_commit() {
    for (touch, name) in [
        ("rm bets.csv", "bets.csv"),
        ("mv bets.csv old.csv", "bets.csv"),
        ("truncate -s 31 bets.csv", "bets.csv"),
        ("rm closings.csv", "closings.csv"),
    ] {
        let mut server = Server::lottery(1).start();
        let mut agency = server.newcomer(1);
        agency.store(&losing_bets(1, 3));
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", touch]).current_dir(server.path(""));
        assert!(shell.status().unwrap().success());
        agency.say(RegisterBets(losing_bets(1, 3)));
        // Nobody knows what is stored, so there is no answer.
        agency.expect_closed();
        let ended = server.wait_for_end();
        let complaint = format!("{name} was removed, replaced or cut by somebody else");
        ended.expect_complaint(1, &complaint);
        assert_eq!(ended.complaints.matches(&complaint).count(), 1);
        let said = format!("action: almacenamiento | result: fail | error: {complaint}");
        assert_eq!(ended.log.count(&said), 1, "{ended:#?}");
    }
}

/// The server under strace, which spoils syncs of files as this says, if there is a strace here.
fn with_syncs(server: Server, launcher: &'static str) -> Option<Server> {
    let has_strace = has("strace", &["-qq", "true"], "a strace that may trace");
    has_strace.then(|| server.under(launcher).start())
}

#[test]
fn a_failed_sync_ends_the_server_and_what_was_in_doubt_is_not_believed_later() {
    // Opening syncs both files, and the first batch the third time.
    let launcher = "exec strace -Dfyqq -o syncs -e trace=fsync,fdatasync \
        -e inject=fdatasync:error=EIO:when=4";
    let Some(mut server) = with_syncs(Server::lottery(1), launcher) else {
        return;
    };
    let bets = losing_bets(1, 3);
    let mut agency = server.newcomer(1);
    agency.store(&bets);
    agency.say(RegisterBets(losing_bets(1, 20)));
    agency.expect_closed();
    let ended = server.wait_for_end();
    ended.expect_complaint(1, "bets.csv: …Input/output error");
    assert_eq!(ended.log.count("action: almacenamiento | result: fail"), 1);
    assert_eq!(server.bets(), rows(&bets));
    // A folder is there for good once the one that it is in was synced.
    let syncs = std::fs::read_to_string(server.program.folder().join("syncs")).unwrap();
    for folder in ["lotteries>", "2026>", "today>"] {
        assert!(syncs.contains(folder), "{folder}: {syncs}");
    }
    let server = server.under("exec").start();
    server.connect().hello(1, &bets, 0);
}

#[test]
fn a_slow_sync_times_out_no_active_connection() {
    let launcher = "exec strace -Dfqq -o syncs -e trace=fdatasync \
        -e inject=fdatasync:delay_enter=3s:when=3";
    let server = Server::lottery(2).set("IDLE_TIMEOUT", "2s");
    let Some(server) = with_syncs(server, launcher) else {
        return;
    };
    let mut agencies = [1, 2].map(|agency| server.newcomer(agency));
    for (agency, number) in agencies.iter_mut().zip([1, 2]) {
        agency.say(RegisterBets(losing_bets(number, 3)));
        // The first batch is written, and being synced when the second is sent.
        wait_until(|| !server.bets().is_empty());
    }
    for agency in &mut agencies {
        agency.expect(Message::RegisterBetOk);
    }
}
