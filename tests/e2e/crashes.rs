//! The programs are killed at random moments, again and again, the server with SIGKILL or SIGTERM, and
//! in the end every file, closing and winner is exactly what it should be.
//!
//! A moment is named by how long the file of bets is. What the system makes of it differs from run to
//! run; the simulator replays.

use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::process::Signal;

use crate::kit::{Bet, Dataset, Log, Process, Program, Server, rows_of};

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
        let mut lottery = Lottery::new(durability, Rng::new());
        for kills_left in (1..=KILLS).rev() {
            lottery.wait_for_moment(kills_left);
            match lottery.rng.bool() {
                true => lottery.crash_server(),
                false => lottery.crash_agency(),
            }
        }
        lottery.finish();
    }
}

/// One lottery, from empty files to the winners.
struct Lottery {
    rng: Rng,
    server: Server,
    seats: Vec<Seat>,
}

/// An agency, whose program is started again whenever it was killed.
struct Seat {
    dataset: Dataset,
    program: Program,
    process: Process,
    /// What its killed processes knew to be stored.
    acknowledged_before: u64,
}

impl Lottery {
    fn new(durability: &str, mut rng: Rng) -> Lottery {
        let server = Server::lottery(4).set("DURABILITY", durability).start();
        let seats = (1..=4).map(|agency| {
            let bet = |_| match (rng.u32(1..=99_999_999), rng.u32(..100)) {
                (document, 0) => Bet::winning(agency, document),
                (document, _) => Bet::losing(agency, document),
            };
            let dataset = Dataset::of(agency, (0..500 + 250 * agency).map(bet).collect());
            let program = Program::agency(&dataset, server.address)
                .set("CLI_BATCH_MAXAMOUNT", rng.u32(1..=16))
                .set("CLI_BATCH_WINDOW", rng.u32(1..=8));
            Seat {
                process: program.start(),
                dataset,
                program,
                acknowledged_before: 0,
            }
        });
        Lottery {
            seats: seats.collect(),
            rng,
            server,
        }
    }

    /// Waits until so many bytes more are stored that the moments of the kills that are left spread over
    /// the whole file, and the end of the day.
    fn wait_for_moment(&mut self, kills_left: u64) {
        let stored = || {
            std::fs::metadata(self.server.path("bets.csv"))
                .unwrap()
                .len()
        };
        let all = self.seats.iter().map(|seat| seat.dataset.rows().len());
        let left = (all.sum::<usize>() as u64).saturating_sub(stored());
        let goal = stored() + self.rng.u64(..=2 * left / kills_left);
        let deadline = Instant::now() + MOMENT_WAIT_MAX;
        while stored() < goal && Instant::now() < deadline {
            thread::yield_now();
        }
    }

    fn crash_server(&mut self) {
        let acknowledged: Vec<u64> = self.seats.iter().map(Seat::acknowledged).collect();
        let signal = self.rng.choice([Signal::KILL, Signal::TERM]);
        self.server.end_by(signal.expect("there are some"));
        self.expect_promise(&acknowledged);
        self.server.restart();
    }

    fn crash_agency(&mut self) {
        let seat = self.rng.choice(&mut self.seats).expect("there are some");
        seat.process.signal(Signal::KILL);
        // It may have ended by itself before, and asks again now.
        let killed = std::mem::replace(&mut seat.process, seat.program.start());
        let log = killed.wait_for_end().log;
        seat.acknowledged_before = seat.acknowledged_before.max(acknowledged(&log));
    }

    /// While the server is dead: what an agency knows to be stored is there, and what is there are
    /// its first rows.
    fn expect_promise(&self, acknowledged: &[u64]) {
        let stored = self.server.bets();
        // What comes after the last whole row is torn, and was not acknowledged.
        let whole = stored.rfind("\r\n").map_or("", |end| &stored[..end + 2]);
        for (seat, acknowledged) in self.seats.iter().zip(acknowledged) {
            let rows = rows_of(whole, seat.dataset.agency);
            assert!(seat.dataset.rows().starts_with(&rows), "other rows");
            let stored = rows.lines().count() as u64;
            assert!(stored >= *acknowledged, "{stored}, {acknowledged}");
        }
    }

    /// Nobody is killed any more: everybody gets the winners, and everything is as it should be.
    fn finish(mut self) {
        let mut datasets = Vec::new();
        for seat in self.seats {
            let ended = seat.process.wait_for_end();
            ended.expect_success();
            assert_eq!(ended.winners(), seat.dataset.winners());
            datasets.push(seat.dataset);
        }
        self.server.terminate().expect_success();
        self.server.expect_stored(&datasets);
    }
}

impl Seat {
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
