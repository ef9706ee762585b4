//! SIGTERM and SIGINT, whatever a program is at: a graceful shutdown.

use std::fs::File;

use crate::kit::Message::*;
use crate::kit::{
    Central, Dataset, Ended, Message, Peer, Process, Program, SIGNALS, Server, losing_bets,
    own_address, rows,
};

fn expect_graceful(ended: &Ended, signal: &str) {
    let closed = ended.expect_graceful(signal);
    assert_eq!(closed[0], "action: close_listener | result: success");
}

#[test]
fn a_server_at_any_stage_closes_everything_and_keeps_what_it_stored() {
    // Each gives the connections that are open then.
    let stages: [fn(&Server) -> Vec<Peer>; 5] = [
        |_| vec![],
        // One has said Hello, one nothing.
        |server| vec![server.newcomer(1), server.connect()],
        // In the middle of a batch.
        |server| {
            let bets = losing_bets(1, 50);
            let mut agency = server.connect();
            agency.store(&bets);
            let half = &RegisterBets(bets.clone()).encode()[..100];
            // The answer to Hello says that what is behind it was read too.
            agency.send(&[&Message::Hello(1).encode(), half].concat());
            agency.expect(Welcome(bets, 0));
            vec![agency]
        },
        // An agency waits for the draw.
        |server| vec![server.parked(1, &losing_bets(1, 3))],
        // After the draw.
        |server| {
            let mut peers = vec![server.parked(1, &[]), server.parked(2, &[])];
            for peer in &mut peers {
                peer.expect_winners(&[]);
            }
            peers
        },
    ];
    for stage in stages {
        for (name, signal) in SIGNALS {
            let mut server = Server::lottery(2).start();
            let peers = stage(&server);
            server.wait_for_lines("action: accept_connections", peers.len());
            let stored = server.bets();
            let ended = server.end_by(signal);
            expect_graceful(&ended, name);
            let closed = "close_connection | result: success | ip: 127.0.0.1";
            assert_eq!(ended.log.count(closed), peers.len(), "{ended:#?}");
            assert_eq!(ended.log.count("close_storage | result: success"), 1);
            peers.into_iter().for_each(|mut peer| peer.expect_closed());
            assert_eq!(server.bets(), stored);
            server.restart();
            let bets = server.log().sum("open_storage", "apuestas");
            assert_eq!(bets, stored.lines().count() as u64);
            assert_eq!(server.log().count("recuperacion"), 0);
        }
    }
}

#[test]
fn a_server_whose_agency_does_not_read_its_answers_ends() {
    let mut server = Server::lottery(1).start();
    let deaf = server.newcomer(1);
    // More than the server reads before somebody reads its answers.
    let sender = deaf.send_in_background(Message::Hello(1).encode().repeat(10_000_000));
    server.wait_for_line("action: accept_connections");
    expect_graceful(&server.terminate(), "SIGTERM");
    sender.join().unwrap().unwrap_err();
}

#[test]
fn a_server_that_is_still_starting_ends_and_leaves_its_files_alone() {
    // So many bets, or zeros behind them, that reading them all would take seconds.
    for (times, zeros) in [(20, 0), (1, 64 << 30)] {
        let server = Server::lottery(1).set("LOGGING_LEVEL", "DEBUG");
        let rows = rows(&losing_bets(1, 100_000)).repeat(times);
        let bytes = rows.len() as u64 + zeros;
        server.put("bets.csv", rows);
        let file = File::options().write(true).open(server.path("bets.csv"));
        file.unwrap().set_len(bytes).unwrap();
        let process = server.program.start();
        process.wait_for_line("action: config");
        let ended = process.terminate();
        ended.expect_graceful("SIGTERM");
        assert_eq!(ended.log.count("action: open_storage"), 0, "it was opened");
        let left = std::fs::metadata(server.path("bets.csv")).unwrap();
        assert_eq!(left.len(), bytes);
    }
}

/// Brings a client to a stage, with each signal in turn, and expects that it ends. `stage` gives the
/// central's end of a connection that is open then; this alone has a line when it is closed.
fn end_client_at(client: &Program, stage: impl Fn(&Process) -> Option<Peer>) {
    for (name, signal) in SIGNALS {
        let process = client.start();
        let peer = stage(&process);
        let ended = process.end_by(signal);
        let closed = ended.expect_graceful(name);
        let closing = "action: close_connection | result: success | client_id: 1";
        assert_eq!(closed.contains(&closing), peer.is_some(), "{closed:?}");
    }
}

fn echo(central: &Central) -> Program {
    let client = central.agency().set("CLI_MODE", "echo");
    client.set("CLI_LOOP_PERIOD", "1h")
}

#[test]
fn a_client_without_a_connection_ends() {
    let (overrun, _waiting) = Central::overrun();
    for client in [overrun.agency(), echo(&overrun)] {
        // It connects, and nobody answers.
        end_client_at(&client, |process| {
            process.wait_for_line("action: config");
            None
        });
        let nobody = client.set("CLI_SERVER_ADDRESS", own_address());
        end_client_at(&nobody, |process| {
            // By the third time the pauses are long enough to be met.
            process.wait_for_lines("action: connect | result: in_progress", 3);
            None
        });
    }
    // A pause between two messages: the connection is closed before it.
    let central = Central::listen();
    end_client_at(&echo(&central), |process| {
        let mut peer = central.accept();
        let message = "[CLIENT 1] Message N°1\n".as_bytes();
        assert_eq!(peer.take(message.len()), message);
        peer.send(message);
        process.wait_for_line("action: receive_message | result: success");
        peer.expect_closed();
        None
    });
}

#[test]
fn a_client_that_goes_through_a_huge_file_ends() {
    let central = Central::listen();
    let good = Dataset::losing(1, 1);
    // Rows that do not end, one of them in quotes; a file of holes takes no room.
    for beginning in ["x", "\""] {
        let client = Program::agency(&good, central.address);
        let path = client.write("bets.csv", good.file.clone() + beginning);
        let file = File::options().write(true).open(path).unwrap();
        file.set_len(64 << 30).unwrap();
        end_client_at(&client, |process| {
            let peer = central.greet(&good.bets, 0);
            process.wait_for_line("action: reanudar | result: success | apuestas: 1");
            Some(peer)
        });
    }
}

#[test]
fn a_client_that_waits_for_its_central_ends() {
    let central = Central::listen();
    // How many batches are answered, if not even the Hello, and a part of another answer.
    for (answered, half) in [
        (None, &[][..]),
        (Some(0), &[]),
        (Some(1), &[0]),
        // It waits for the draw.
        (Some(3), &[]),
    ] {
        end_client_at(&central.agency(), |_| {
            let mut peer = central.meet(answered);
            peer.send(half);
            Some(peer)
        });
    }
    end_client_at(&echo(&central), |_| {
        let mut peer = central.accept();
        peer.take(5);
        Some(peer)
    });
    // More than the system keeps for a central that does not read.
    let client = Program::agency(&Dataset::losing(1, 150_000), central.address);
    end_client_at(&client.set("CLI_BATCH_WINDOW", 4096), |_| {
        let mut peer = central.greet(&[], 0);
        peer.expect(RegisterBets(losing_bets(1, 125)));
        Some(peer)
    });
}
