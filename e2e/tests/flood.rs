//! Limits under load: thousands of connections that say nothing, say it a byte at a time, or say
//! rubbish, while real agencies hold their lottery; what the server keeps in memory is bounded.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use fastrand::Rng;
use lottery_e2e::dataset::expect_all_stored;
use lottery_e2e::wire::{self, HandBet, losing_bets};
use lottery_e2e::{Answer, ClientSetup, Dataset, HandAgency, ServerProcess, ServerSetup, log};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const SILENT: usize = 10_000;
const TRICKLING: usize = 1_000;
const RUBBISH: usize = 1_000;

/// Descriptors that are needed for anything but those connections.
const OTHER_DESCRIPTORS: usize = 500;

/// What a trickling connection comes to say at most, and the server to keep of it.
const TRICKLED_BYTES_MAX: usize = 4_000;

/// The most memory that the server may have had when all is over. It has some 5 MiB without anybody
/// and needs some hundred bytes for a silent connection; unfinished messages may be twice their
/// bytes, and a turn stages 4 MiB of bets.
const MEMORY_BYTES_MAX: u64 = 32 << 20;

/// How often the rubbish comes again, at most, while the agencies are at work.
const RUBBISH_ROUNDS_MAX: usize = 20;

/// Programs start with this limit of descriptors almost everywhere.
const USUAL_DESCRIPTORS: u32 = 1024;

/// How much of the crowd this machine has descriptors for: the whole, or a part in a thousand of
/// it, which is said aloud.
struct Scale {
    thousandths: usize,
}

impl Scale {
    /// Takes all the descriptors that this process may have, and so may the server.
    fn of_this_machine() -> Scale {
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit {
            current: limit.maximum,
            ..limit
        };
        setrlimit(Resource::Nofile, raised).unwrap();
        let descriptors = limit.maximum.map_or(usize::MAX, |limit| limit as usize);
        let room = descriptors.saturating_sub(OTHER_DESCRIPTORS);
        let wanted = SILENT + TRICKLING + RUBBISH;
        let thousandths = room.saturating_mul(1000).min(wanted * 1000) / wanted;
        if thousandths < 1000 {
            // Not by the macro, whose lines are shown only when a test fails.
            let _ = writeln!(
                std::io::stderr(),
                "\n!!!! flood: this machine allows {descriptors} descriptors (ulimit -Hn), so the \
                 crowd is {thousandths} thousandths of {wanted} connections\n"
            );
        }
        Scale { thousandths }
    }

    fn of(&self, count: usize) -> usize {
        count * self.thousandths / 1000
    }
}

/// Connects as many as this, in groups, so that they do not wait at a full backlog; `accepted`
/// connections were made before.
fn connect(server: &ServerProcess, accepted: usize, count: usize) -> Vec<HandAgency> {
    const GROUP: usize = 500;
    let mut connections = Vec::new();
    while connections.len() < count {
        let group = GROUP.min(count - connections.len());
        connections.extend((0..group).map(|_| server.connect()));
        server.wait_for_lines("action: accept_connections", accepted + connections.len());
    }
    connections
}

/// A message that no server should believe, of many kinds; each is refused or breaks off.
fn rubbish(rng: &mut Rng) -> Vec<u8> {
    let mut noise: Vec<u8> = (0..rng.usize(2..2_000)).map(|_| rng.u8(..)).collect();
    match rng.u32(..6) {
        0 => b"GET / HTTP/1.1\r\nHost: central\r\n\r\n".to_vec(),
        // Four gigabytes, to begin with.
        1 => [&[0, 1][..], &u32::MAX.to_be_bytes()].concat(),
        2 => wire::register_bets(&[HandBet::new(6, 1, 1)]),
        3 => wire::register_bets(&[HandBet::new(1, 0, 1)]),
        4 => wire::REQUEST_WINNERS.to_vec(),
        _ => {
            // No type begins like this.
            noise[0] |= 0x80;
            noise
        }
    }
}

/// Sends rubbish on as many connections as this, again and again, until it is enough. Each must be
/// refused. Gives the number of refusals.
fn send_rubbish(server: &ServerProcess, count: usize, is_enough: &AtomicBool) -> usize {
    let mut rng = Rng::with_seed(1);
    let mut refused = 0;
    for round in 0..RUBBISH_ROUNDS_MAX {
        if round > 0 && is_enough.load(Ordering::Relaxed) {
            break;
        }
        let mut senders: Vec<HandAgency> = (0..count)
            .map(|_| {
                let mut sender = server.connect();
                sender.send(&rubbish(&mut rng));
                sender
            })
            .collect();
        for sender in &mut senders {
            let answer = sender.answer();
            assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");
            refused += 1;
        }
    }
    refused
}

/// Sends a message on each connection, a byte in each round, until it is enough; none gets to its
/// end. Gives the number of rounds.
fn trickle(connections: &mut [HandAgency], is_enough: &AtomicBool) -> usize {
    let message = wire::register_bets(&losing_bets(1, 500));
    assert!(message.len() > TRICKLED_BYTES_MAX);
    let mut rounds = 0;
    for byte in &message[..TRICKLED_BYTES_MAX] {
        for connection in connections.iter_mut() {
            connection.send(&[*byte]);
        }
        rounds += 1;
        if is_enough.load(Ordering::Relaxed) {
            break;
        }
    }
    rounds
}

#[test]
fn five_agencies_finish_amid_a_crowd_and_the_memory_is_bounded() {
    let scale = Scale::of_this_machine();
    let server = ServerSetup::lottery(5)
        .setting("LOGGING_LEVEL", "INFO")
        // However slow this machine is, the silent are there to the end.
        .setting("IDLE_TIMEOUT", "1h")
        .descriptors_at_start(USUAL_DESCRIPTORS)
        .start();
    let alone_bytes = server.memory_peak_bytes();
    let mut silent = connect(&server, 0, scale.of(SILENT));
    let mut trickling = connect(&server, silent.len(), scale.of(TRICKLING));

    let datasets: Vec<Dataset> = (1..=5).map(Dataset::bundled).collect();
    let is_enough = AtomicBool::new(false);
    let (refused, rounds) = std::thread::scope(|scope| {
        let (server, is_enough) = (&server, &is_enough);
        let (count, trickling) = (scale.of(RUBBISH), &mut trickling);
        let rubbish = scope.spawn(move || send_rubbish(server, count, is_enough));
        let trickle = scope.spawn(move || trickle(trickling, is_enough));
        let agencies: Vec<_> = datasets
            .iter()
            .map(|dataset| ClientSetup::with(dataset, server.address()).start())
            .collect();
        for (agency, dataset) in agencies.into_iter().zip(&datasets) {
            let ended = agency.wait_for_end();
            assert_eq!(ended.code, Some(0), "{ended:#?}");
            assert_eq!(ended.winners(), dataset.winners());
            assert_eq!(log::count(&ended.log, "in_progress"), 0, "{ended:#?}");
        }
        is_enough.store(true, Ordering::Relaxed);
        (rubbish.join().unwrap(), trickle.join().unwrap())
    });

    // Neither silence nor slowness is a reason to be sent away.
    for connection in silent.iter_mut().chain(&mut trickling) {
        connection.expect_nothing_yet();
    }
    expect_all_stored(server.setup(), &datasets);
    let peak_bytes = server.memory_peak_bytes();
    println!(
        "{} silent, {} trickling {rounds} bytes each, {refused} refused: {} KiB of memory at most, \
         {} KiB of them before anybody came",
        silent.len(),
        trickling.len(),
        peak_bytes / 1024,
        alone_bytes / 1024,
    );
    assert!(
        peak_bytes <= MEMORY_BYTES_MAX,
        "{peak_bytes} bytes of memory, expected at most {MEMORY_BYTES_MAX}"
    );
    let connections = silent.len() + trickling.len();
    let ended = server.terminate();
    assert_eq!(ended.code, Some(0));
    // It has found descriptors for all of them, more than it was started with.
    let without_descriptors = "action: accept_connections | result: in_progress";
    assert_eq!(log::count(&ended.log, without_descriptors), 0);
    let closed = "action: close_connection | result: success";
    assert!(log::count(&ended.log, closed) >= connections);
    // Each was told so; the end, not an answer.
    for connection in silent.iter_mut().take(100) {
        let mut rest = Vec::new();
        connection.stream().read_to_end(&mut rest).unwrap();
        assert_eq!(rest, []);
    }
}
