//! Thousands of connections that say nothing, say it a byte at a time, or ask and ask, while real
//! agencies hold their lottery: these get their share, and what the server keeps in memory is bounded.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use crate::kit::Message::{RegisterBets, Status};
use crate::kit::{Dataset, PATIENCE, Peer, Server, expect_winners, losing_bets, tell_not_run};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const SILENT: usize = 3_000;
const TRICKLING: usize = 1_000;
const PESTERING: usize = 8_000;

/// Descriptors for anything but those connections, other tests included.
const OTHER_DESCRIPTORS: usize = 1_500;

/// What a trickling connection says at most.
const TRICKLED_BYTES_MAX: usize = 4_000;

/// The most memory that the server may have had when all is over. It has some 5 MiB without anybody
/// and needs some hundred bytes for a silent connection; unfinished messages and unsent answers are
/// 4 KiB of a stranger at most, in twice the room, and a turn stages 4 MiB of bets.
const MEMORY_BYTES_MAX: u64 = 80 << 20;

/// Takes all the descriptors that this process may have, and says whether they are enough.
pub fn has_descriptors() -> bool {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.maximum;
    setrlimit(Resource::Nofile, Rlimit { current, ..limit }).unwrap();
    let needed = SILENT + TRICKLING + PESTERING + OTHER_DESCRIPTORS;
    let is_enough = current.is_none_or(|limit| limit >= needed as u64);
    if !is_enough {
        tell_not_run("it needs 14000 descriptors (ulimit -Hn)");
    }
    is_enough
}

/// Connects as many as this, in groups that fit the backlog; `accepted` connections were made before.
fn connect(server: &Server, accepted: usize, count: usize) -> Vec<Peer> {
    let mut peers = Vec::new();
    while peers.len() < count {
        peers.extend((peers.len()..count).take(500).map(|_| server.connect()));
        server.wait_for_lines("action: accept_connections", accepted + peers.len());
    }
    peers
}

/// Asks what costs a peer a few bytes and the server an answer, on each connection and again and again,
/// until the server is gone; says whether that was in time.
fn pester(mut peers: Vec<Peer>) -> bool {
    let questions = [Status, RegisterBets(vec![])].map(|message| message.encode());
    let questions = questions.concat().repeat(2_000);
    let mut sent = vec![0; peers.len()];
    let started = Instant::now();
    while started.elapsed() < 2 * PATIENCE {
        for (peer, sent) in peers.iter_mut().zip(&mut sent) {
            match peer.pester(&questions[*sent..]) {
                Ok(more) => *sent = (*sent + more) % questions.len(),
                Err(_) => return true,
            }
        }
    }
    false
}

#[test]
fn agencies_finish_in_a_flood() {
    if !has_descriptors() {
        return;
    }
    // However slow this machine is, the silent are there to the end.
    let server = Server::lottery(5).set("IDLE_TIMEOUT", "1h");
    // The usual limit at the start, which the server raises.
    let mut server = server.under("ulimit -S -n 1024; exec").start();
    let mut silent = connect(&server, 0, SILENT);
    let mut trickling = connect(&server, SILENT, TRICKLING);
    let mut pestering = connect(&server, SILENT + TRICKLING, PESTERING);
    let halves = [pestering.split_off(PESTERING / 2), pestering];
    let datasets = [1, 2, 3, 4, 5].map(Dataset::bundled);
    let is_enough = AtomicBool::new(false);
    thread::scope(|scope| {
        // Each says a byte in each round, and none gets to the end of its message.
        scope.spawn(|| {
            let message = RegisterBets(losing_bets(1, 500)).encode();
            let rounds = message[..TRICKLED_BYTES_MAX].chunks(1);
            for byte in rounds.take_while(|_| !is_enough.load(Ordering::Relaxed)) {
                trickling.iter_mut().for_each(|peer| peer.send(byte));
            }
        });
        let pestering = halves.map(|half| scope.spawn(|| pester(half)));
        expect_winners(server.start_agencies(&datasets), &datasets);
        server.connect().hello(5, &datasets[4].bets, 2);
        is_enough.store(true, Ordering::Relaxed);

        // Neither silence nor slowness is a reason to be closed.
        silent.iter_mut().for_each(Peer::expect_nothing_yet);
        server.expect_stored(&datasets);
        let peak_bytes = server.memory_peak_bytes();
        assert!(peak_bytes <= MEMORY_BYTES_MAX, "{peak_bytes} bytes");
        let is_flooded = pestering.iter().all(|half| !half.is_finished());
        assert!(is_flooded, "the flood lasts until the server ends");
        let ended = server.terminate();
        ended.expect_graceful("SIGTERM");
        // It has found descriptors for all of them, more than it was started with.
        let without_descriptors = "action: accept_connections | result: in_progress";
        assert_eq!(ended.log.count(without_descriptors), 0);
        let closed = ended.log.count("close_connection | result: success");
        assert!(closed >= SILENT + TRICKLING + PESTERING);
        for half in pestering {
            assert!(half.join().unwrap());
        }
    });
    silent.iter_mut().take(100).for_each(Peer::expect_closed);
}

#[test]
fn unfinished_messages_are_bounded_in_all_and_cost_strangers_their_connections_and_no_agency() {
    let server = Server::lottery(1).set("MEMORY_MAX", "1MiB").start();
    let mut agency = server.newcomer(1);
    let unfinished = &RegisterBets(losing_bets(1, 1_500)).encode()[..60_000];
    let before_bytes = server.memory_peak_bytes();
    let mut strangers = connect(&server, 1, 400);
    for stranger in &mut strangers {
        // It may be closed already.
        let _ = stranger.pester(unfinished);
    }
    server
        .wait_for_line("WARN  [server::log_lines] action: max_memory | result: success | bytes: ");
    agency.store(&losing_bets(1, 10));
    server.connect().hello(1, &losing_bets(1, 10), 0);
    let grown_bytes = server.memory_peak_bytes() - before_bytes;
    assert!(
        grown_bytes < 8 << 20,
        "{grown_bytes} of 24000000 bytes sent"
    );
}
