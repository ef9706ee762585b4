//! `examples/agency.py`, the agency in another language, at the project's own central.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lottery_e2e::dataset::expect_all_stored;
use lottery_e2e::wire::{HandBet, losing_bets};
use lottery_e2e::{Answer, Dataset, PATIENCE, ServerSetup, log};
use rustix::process::{Pid, Signal, kill_process};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/agency.py");

/// Whether this machine has a Python; says on the terminal, past the capture of tests, when not.
fn has_python() -> bool {
    let script = "import sys; sys.exit(sys.version_info < (3, 9))";
    let has_python = Command::new("python3")
        .args(["-c", script])
        .status()
        .is_ok_and(|status| status.success());
    if !has_python {
        let line = "!!!! NOT RUN: examples/agency.py: python3 of 3.9 or later is missing\n";
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }
    has_python
}

/// A lottery on an address of its own, where it is found again after a kill. It takes no message that
/// is larger than agencies should send.
fn lottery(agencies: u32) -> ServerSetup {
    ServerSetup::lottery(agencies)
        .setting("LOGGING_LEVEL", "INFO")
        .setting("MAX_FRAME", "8KiB")
        .with_own_address()
}

/// The example as a process. It is killed when the test lets go of it.
struct Example(Child);

#[derive(Debug)]
struct ExampleEnded {
    code: Option<i32>,
    said: String,
    complaints: String,
}

impl Example {
    /// The agency of this file, which is written into the server's folder.
    fn start(setup: &ServerSetup, dataset: &Dataset) -> Example {
        let agency = dataset.agency();
        let file = setup.folder().join(format!("agency-{agency}.csv"));
        std::fs::write(&file, dataset.file()).unwrap();
        Example::start_with(agency, setup.own_address(), &file)
    }

    fn start_with(agency: u32, address: SocketAddr, file: &Path) -> Example {
        let mut command = Command::new("python3");
        command
            .args([EXAMPLE, &agency.to_string(), &address.to_string()])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Example(command.spawn().unwrap())
    }

    /// Waits until it ends; it says little enough to fit the pipes meanwhile.
    fn wait_for_end(mut self) -> ExampleEnded {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the example does not end");
            thread::sleep(Duration::from_millis(5));
        };
        let (mut said, mut complaints) = (String::new(), String::new());
        let streams = (self.0.stdout.take(), self.0.stderr.take());
        streams.0.unwrap().read_to_string(&mut said).unwrap();
        streams.1.unwrap().read_to_string(&mut complaints).unwrap();
        ExampleEnded {
            code: status.code(),
            said,
            complaints,
        }
    }

    fn terminate(self) -> ExampleEnded {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
        self.wait_for_end()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl ExampleEnded {
    /// It ended with this code and told of these winners, in the form of the client's log.
    fn expect_winners(&self, code: i32, winners: &[u32]) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        let count = winners.len();
        let winners: Vec<String> = winners.iter().map(u32::to_string).collect();
        let winners = winners.join(",");
        let expected = format!(
            "action: consulta_ganadores | result: success | cant_ganadores: {count}\n\
             action: ganadores | result: success | dnis: {winners}\n"
        );
        assert!(self.said.ends_with(&expected), "{self:#?}");
    }
}

#[test]
fn every_bet_is_stored_byte_for_byte_and_each_agency_learns_its_own_winners() {
    if !has_python() {
        return;
    }
    let datasets = [1, 2, 3, 4, 5].map(Dataset::bundled);
    let setup = lottery(5);
    let server = setup.start();
    let examples = datasets
        .each_ref()
        .map(|dataset| Example::start(&setup, dataset));
    for (example, dataset) in examples.into_iter().zip(&datasets) {
        let ended = example.wait_for_end();
        ended.expect_winners(0, &dataset.winners());
        assert_eq!(ended.complaints, "");
    }
    expect_all_stored(&setup, &datasets);
    assert_eq!(log::count(&server.terminate().log, "result: fail"), 0);
}

#[test]
fn it_goes_on_behind_what_is_stored_when_the_server_was_killed_amid_the_bets() {
    if !has_python() {
        return;
    }
    let dataset = Dataset::bundled(1);
    let setup = lottery(1);
    let server = setup.start();
    let example = Example::start(&setup, &dataset);
    server.wait_for_lines("action: apuesta_recibida | result: success", 10);
    server.kill();
    let server = setup.start();
    example.wait_for_end().expect_winners(0, &dataset.winners());
    expect_all_stored(&setup, &[dataset]);
    drop(server);
}

#[test]
fn it_skips_what_an_earlier_run_stored_and_asks_again_when_the_server_was_killed_before_the_draw() {
    if !has_python() {
        return;
    }
    let dataset = Dataset::bundled(4);
    let setup = lottery(2);
    // The numbers of the bundled agencies are only names here: agency 4 is made agency 1.
    let bets: Vec<HandBet> = dataset
        .file()
        .lines()
        .map(|row| HandBet::from_row(1, row))
        .collect();
    let file = setup.folder().join("agency-1.csv");
    std::fs::write(&file, dataset.file()).unwrap();
    let server = setup.start();
    for batch in bets[..5_000].chunks(100) {
        server.connect().store(batch);
    }
    let example = Example::start_with(1, server.address(), &file);
    server.wait_for_closing(1);
    server.kill();
    let server = setup.start();
    server.parked(2, &[]).expect(Answer::Winners(vec![]));
    example.wait_for_end().expect_winners(0, &dataset.winners());
    assert_eq!(server.connect().hello(1), Answer::welcome(&bets, 2));
    // Another run has nothing to send, and is told the same.
    let again = Example::start_with(1, server.address(), &file);
    again.wait_for_end().expect_winners(0, &dataset.winners());
    assert_eq!(server.connect().hello(1), Answer::welcome(&bets, 2));
}

#[test]
fn it_sends_nothing_to_a_central_that_has_other_bets() {
    if !has_python() {
        return;
    }
    let setup = lottery(1);
    let server = setup.start();
    let others = losing_bets(1, 3);
    server.connect().store(&others);
    let ended = Example::start(&setup, &Dataset::bundled(1)).wait_for_end();
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(
        ended
            .complaints
            .contains("3 bets of this agency that are not the first ones here")
    );
    assert_eq!(server.connect().hello(1), Answer::welcome(&others, 0));
}

#[test]
fn rows_that_are_no_bets_are_reported_and_left_out_and_the_exit_code_tells() {
    if !has_python() {
        return;
    }
    let setup = lottery(1);
    let server = setup.start();
    let good = "\"Ana \"\"la Ñ\"\"\",\"Paz, hija\",101,1999-03-17,7574\r\n";
    let rows = [
        "Ana,Paz,0,1999-03-17,1",
        "Ana,Paz,+1,1999-03-17,1",
        "Ana,Paz,1,1999-02-30,1",
        "Ana,Paz,1,19990317,1",
        "Ana,Paz,1,1999-W11-3,1",
        "Ana,Paz,1,1899-12-31,1",
        "Ana,Paz,1,2999-01-01,1",
        "Ana,Paz,1,1999-03-17,10000",
        "Ana,Paz,1,1999-03-17,",
        "Ana,Paz,1,1999-03-17",
        "Ana,Paz,1,1999-03-17,1,1",
        ",Paz,1,1999-03-17,1",
        "Ana,P\u{85}z,1,1999-03-17,1",
        "\"Ana,Paz,1,1999-03-17,1",
    ];
    let bad = rows.map(|row| format!("{row}\r\n")).concat();
    let long = format!("{},Paz,1,1999-03-17,1\r\n", "a".repeat(256));
    let file = [good, &bad, "\r\n", &long, good].concat().into_bytes();
    let file = [&file[..], b"An\xff,Paz,1,1999-03-17,1\n"].concat();
    let path = setup.folder().join("agency-1.csv");
    std::fs::write(&path, file).unwrap();
    let ended = Example::start_with(1, server.address(), &path).wait_for_end();
    ended.expect_winners(1, &[101, 101]);
    assert_eq!(
        ended.complaints.lines().count(),
        rows.len() + 2,
        "{ended:#?}"
    );
    assert_eq!(setup.bets_file(), format!("1,{good}1,{good}"));
}

#[test]
fn it_ends_well_by_a_signal_while_it_waits_and_complains_of_what_it_cannot_read() {
    if !has_python() {
        return;
    }
    let setup = lottery(2);
    let server = setup.start();
    let example = Example::start(&setup, &Dataset::bundled(1));
    server.wait_for_closing(1);
    assert_eq!(example.terminate().code, Some(0));
    let nowhere = Path::new("no/such/file.csv");
    let ended = Example::start_with(2, server.address(), nowhere).wait_for_end();
    assert_eq!(ended.code, Some(2), "{ended:#?}");
}
