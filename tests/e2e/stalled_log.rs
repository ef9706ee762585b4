//! A log that nobody reads, or that cannot be written: the programs work and end all the same.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, PipeReader, PipeWriter, Write, pipe};
use std::process::Stdio;

use crate::kit::Message::InformWinners;
use crate::kit::{Bet, Dataset, Log, Program, Server, losing_bets};
use rustix::fs::{OFlags, fcntl_setfl};

/// A pipe that has no room, and whose writers wait for it or are told so.
fn full_pipe(writers_wait: bool) -> (Option<PipeReader>, PipeWriter) {
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
    (Some(reader), writer)
}

/// Outputs that take nothing, and who may read them later.
fn bad_outputs() -> [(Option<PipeReader>, Stdio); 4] {
    let full_disk = File::create("/dev/full").unwrap();
    let (_, without_reader) = pipe().unwrap();
    let pipes = [true, false].map(full_pipe);
    let [blocking, failing] = pipes.map(|(reader, writer)| (reader, writer.into()));
    let (full_disk, without_reader) = (full_disk.into(), without_reader.into());
    [blocking, failing, (None, without_reader), (None, full_disk)]
}

#[test]
fn a_server_whose_log_is_stuck_serves_and_ends_and_tells_all_to_a_reader_that_comes_back() {
    for (reader, output) in bad_outputs() {
        let server = Server::lottery(1).set("LOGGING_LEVEL", "DEBUG");
        let mut server = server.start_logging_to(output);
        let mut agency = server.connect();
        // Each bet has a line of its own, and all of them more than a pipe holds.
        for bets in losing_bets(1, 5_000).chunks(100) {
            agency.store(bets);
        }
        agency.store(&[Bet::winning(1, 7)]);
        agency.finish();
        agency.expect(InformWinners(vec![7]));
        let lines = |reader| BufReader::new(reader).lines().map(Result::unwrap);
        // What filled the pipe was empty lines.
        let mut lines = reader.map(|reader| lines(reader).filter(|line| !line.is_empty()));
        let mut log = Log::default();
        for line in lines.iter_mut().flatten() {
            let is_draw = line.contains("action: resumen");
            log.extend([line]);
            if is_draw {
                break;
            }
        }
        server.terminate().expect_success();
        if let Some(lines) = lines {
            log.extend(lines);
            assert_eq!(log.count("action: apuesta_almacenada"), 5_001);
            for action in ["agencia_lista", "sorteo", "signal_received", "shutdown"] {
                let event = format!("action: {action} | result: success");
                assert_eq!(log.count(&event), 1, "{event}");
            }
            log.events();
        }
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
