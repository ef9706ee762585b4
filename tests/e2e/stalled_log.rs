//! A log that nobody reads, or that cannot be written: the programs work and end all the same.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, PipeReader, PipeWriter, Write, pipe};
use std::process::Stdio;

use rustix::fs::{OFlags, fcntl_setfl};

use crate::kit::{Bet, Dataset, Log, Program, Server, losing_bets};

/// A pipe that has no room, and whose writers wait for it or are told so.
fn full_pipe(writers_wait: bool) -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    let full = loop {
        if let Err(error) = writer.write(b"\n") {
            break error;
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    if writers_wait {
        fcntl_setfl(&writer, OFlags::empty()).unwrap();
    }
    (reader, writer)
}

/// Outputs that take nothing, and who may read them later.
fn bad_outputs() -> [(Option<PipeReader>, Stdio); 4] {
    let [(waiting, blocking), (coming, failing)] = [true, false].map(full_pipe);
    let (_, without_reader) = pipe().unwrap();
    let full_disk = File::create("/dev/full").unwrap();
    [
        (Some(waiting), blocking.into()),
        (Some(coming), failing.into()),
        (None, without_reader.into()),
        (None, full_disk.into()),
    ]
}

#[test]
fn a_server_whose_log_is_stuck_serves_and_ends_and_tells_a_reader_that_comes_back() {
    // Each bet has a line of its own. The first time they are more than are kept.
    for ((reader, output), bets) in bad_outputs().into_iter().zip([50_000, 5_000, 5_000, 5_000]) {
        let server = Server::lottery(1).set("LOGGING_LEVEL", "DEBUG");
        let mut server = server.start_logging_to(output);
        let mut agency = server.connect();
        for bets in losing_bets(1, bets).chunks(100) {
            agency.store(bets);
        }
        agency.store(&[Bet::winning(1, 7)]);
        agency.finish();
        agency.expect_winners(&[7]);
        let mut log = Log::default();
        let Some(reader) = reader else {
            server.terminate().expect_success();
            continue;
        };
        // What filled the pipe was empty lines.
        let lines = BufReader::new(reader).lines().map(Result::unwrap);
        let mut lines = lines.filter(|line| !line.is_empty());
        let before = |line: &String| !line.contains("action: resumen");
        log.0.extend(lines.by_ref().take_while(before));
        server.terminate().expect_success();
        log.0.extend(lines);
        for action in ["agencia_lista", "sorteo", "signal_received", "shutdown"] {
            let event = format!("action: {action} | result: success");
            assert_eq!(log.count(&event), 1, "{event}");
        }
        let lost = log.sum("action: log | result: in_progress", "lost");
        assert_eq!(lost > 0, bets > 5_000, "{lost}");
        log.events();
    }
}

#[test]
fn a_client_whose_log_is_stuck_sends_its_bets_and_ends() {
    let dataset = Dataset::losing(1, 2_000);
    for (_reader, output) in bad_outputs() {
        let server = Server::lottery(1).start();
        let agency = Program::agency(&dataset, server.address).set("CLI_BATCH_MAXAMOUNT", 1);
        let ended = agency.start_logging_to(output).wait_for_end();
        ended.expect_success();
        server.expect_stored(std::slice::from_ref(&dataset));
    }
}
