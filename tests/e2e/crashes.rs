//! The programs are killed at random moments, again and again, the server with SIGKILL or SIGTERM, and
//! in the end every file, closing and winner is exactly what it should be.
//!
//! A moment is named by how long the file of bets is. What the system makes of it differs from run to
//! run; the simulator replays.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::kit::{Bet, Dataset, Log, Process, Program, Server, rows, rows_of};

/// Lotteries with each durability, and kills in each: more than a hundred kills in all.
const LOTTERIES: u32 = 4;
const KILLS: u64 = 12;

/// How long to wait for a moment that may not come, because those who would bring it about are
/// waiting themselves.
const MOMENT_WAIT_MAX: Duration = Duration::from_millis(100);

#[test]
fn nothing_is_lost_or_doubled_by_kills_however_often_the_server_syncs() {
    thread::scope(|scope| {
        for durability in ["always", "everysec", "no"] {
            scope.spawn(move || survive(durability));
        }
    });
}

/// Holds lotteries in which one or the other is killed again and again.
fn survive(durability: &str) {
    for _ in 0..LOTTERIES {
        let mut server = Server::lottery(4).set("DURABILITY", durability).start();
        let mut seats = [1, 2, 3, 4].map(|agency| Seat::take(&server, agency));
        for kills_left in (1..=KILLS).rev() {
            wait_for_moment(&server, &seats, kills_left);
            if fastrand::bool() {
                seats[fastrand::usize(..4)].crash();
                continue;
            }
            let acknowledged = seats.each_ref().map(Seat::acknowledged);
            server.end_by([Signal::KILL, Signal::TERM][fastrand::usize(..2)]);
            expect_promise(&server.bets(), &seats, acknowledged);
            server.restart();
        }
        // Nobody is killed any more: everybody gets the winners, and everything is as it should be.
        let datasets = seats.map(|seat| {
            seat.process.wait_for_end().expect_winners(&seat.dataset);
            seat.dataset
        });
        server.terminate().expect_success();
        server.expect_stored(&datasets);
    }
}

/// Waits until so many bytes more are stored that the moments of the kills that are left spread over
/// the whole file, and the end of the day.
fn wait_for_moment(server: &Server, seats: &[Seat], kills_left: u64) {
    let path = server.path("bets.csv");
    let stored = || std::fs::metadata(&path).unwrap().len();
    let all = seats.iter().map(|seat| rows(&seat.dataset.bets).len());
    let left = (all.sum::<usize>() as u64).saturating_sub(stored());
    let goal = stored() + fastrand::u64(..=2 * left / kills_left);
    let deadline = Instant::now() + MOMENT_WAIT_MAX;
    while stored() < goal && Instant::now() < deadline {
        thread::yield_now();
    }
}

/// While the server is dead: what an agency knows to be stored is there, and what is there are its
/// first rows.
fn expect_promise(stored: &str, seats: &[Seat], acknowledged: [u64; 4]) {
    // What comes after the last whole row is torn, and was not acknowledged.
    let whole = stored.rfind("\r\n").map_or("", |end| &stored[..end + 2]);
    for (seat, acknowledged) in seats.iter().zip(acknowledged) {
        let own = rows_of(whole, seat.dataset.agency);
        assert!(rows(&seat.dataset.bets).starts_with(&own), "other rows");
        let stored = own.lines().count() as u64;
        assert!(stored >= acknowledged, "{stored}, {acknowledged}");
    }
}

/// An agency, whose program is started again whenever it was killed.
struct Seat {
    dataset: Dataset,
    program: Program,
    process: Process,
    /// What its killed processes knew to be stored.
    acknowledged_before: u64,
}

impl Seat {
    fn take(server: &Server, agency: u32) -> Seat {
        let bet = |_| match (fastrand::u32(1..=99_999_999), fastrand::u32(..100)) {
            (document, 0) => Bet::winning(agency, document),
            (document, _) => Bet::losing(agency, document),
        };
        let dataset = Dataset::of(agency, (0..500 + 250 * agency).map(bet).collect());
        let program = Program::agency(&dataset, server.address)
            .set("CLI_BATCH_MAXAMOUNT", fastrand::u32(1..=16))
            .set("CLI_BATCH_WINDOW", fastrand::u32(1..=8));
        Seat {
            process: program.start(),
            dataset,
            program,
            acknowledged_before: 0,
        }
    }

    fn crash(&mut self) {
        self.process.signal(Signal::KILL);
        // It may have ended by itself before, and asks again now.
        let killed = std::mem::replace(&mut self.process, self.program.start());
        let acknowledged = acknowledged(&killed.wait_for_end().log);
        self.acknowledged_before = self.acknowledged_before.max(acknowledged);
    }

    /// The bets that the agency, by its own logs, knows to be stored.
    fn acknowledged(&self) -> u64 {
        let by_now = acknowledged(&self.process.log());
        self.acknowledged_before.max(by_now)
    }
}

/// The bets that an agency with this log knows to be stored: those that it found, and those that it
/// sent since.
fn acknowledged(log: &Log) -> u64 {
    log.events().iter().fold(0, |bets, event| {
        let number = || event.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
        match event.split(" | ").next() {
            Some("action: reanudar") => number(),
            Some("action: apuesta_enviada") => bets + number(),
            _ => bets,
        }
    })
}
