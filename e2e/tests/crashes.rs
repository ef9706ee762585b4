//! Crashes for real: the programs are killed with SIGKILL at random moments, again and again, and
//! in the end every file, closing and winner is exactly what it should be.
//!
//! A seed decides who is killed, and at which moment as far as a test can name one: how long the
//! file of bets is, which line the server has logged, and some microseconds more or less. What the
//! system makes of a moment differs from run to run, so a seed is a good beginning and not a
//! replay; the simulator replays. `CRASH_SEED` sets it, `CRASH_KILLS` the kills of each test.

#![allow(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use fastrand::Rng;
use lottery_e2e::dataset::{expect_all_stored, rows_of};
use lottery_e2e::wire::{HandBet, LOSING_NUMBER, WINNING_NUMBER};
use lottery_e2e::{ClientProcess, ClientSetup, Dataset, Ended, ServerProcess, ServerSetup, log};

/// Kills of each test, of which there is one for each durability: more than a hundred in all.
const KILLS: usize = 48;

/// Kills of one lottery.
const KILLS_OF_RUN_MAX: usize = 12;

const AGENCIES: u32 = 4;
const BETS_MAX: u32 = 1_500;

/// How long to wait for a moment that may not come, because those who would bring it about are
/// waiting themselves.
const MOMENT_WAIT_MAX: Duration = Duration::from_millis(100);

/// Some microseconds more or less, so that the moments differ that the same sign announces.
const SPIN_MICROSECONDS_MAX: u64 = 2_000;

#[test]
fn nothing_is_lost_or_doubled_by_kills_when_every_turn_is_synced() {
    survive("always");
}

#[test]
fn nothing_is_lost_or_doubled_by_kills_when_every_second_is_synced() {
    survive("everysec");
}

#[test]
fn nothing_is_lost_or_doubled_by_kills_when_nothing_is_synced() {
    survive("no");
}

/// Holds lotteries until there have been enough kills.
fn survive(durability: &str) {
    let setting = |name| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let seed = setting("CRASH_SEED").unwrap_or_else(|| RandomState::new().hash_one(durability));
    let kills = setting("CRASH_KILLS").map_or(KILLS, |kills: u64| kills as usize);
    let mut rng = Rng::with_seed(seed);
    let mut total = Tally::default();
    let mut runs = 0;
    while total.kills() < kills {
        runs += 1;
        // The harness shows this only when the test fails.
        eprintln!("CRASH_SEED={seed}: durability {durability}, run {runs}, so far {total}");
        let mut lottery = Lottery::new(durability, rng.fork());
        lottery.suffer(KILLS_OF_RUN_MAX.min(kills - total.kills()));
        lottery.finish();
        total.add(&lottery.tally);
    }
    println!("durability {durability}: {runs} runs, {total}");
    assert!(total.server > 0 && total.agencies > 0, "{total}");
}

/// What was met.
#[derive(Default)]
struct Tally {
    server: usize,
    server_while_starting: usize,
    agencies: usize,
    resumed: usize,
    torn_records: usize,
}

impl Tally {
    fn kills(&self) -> usize {
        self.server + self.server_while_starting + self.agencies
    }

    fn add(&mut self, other: &Tally) {
        self.server += other.server;
        self.server_while_starting += other.server_while_starting;
        self.agencies += other.agencies;
        self.resumed += other.resumed;
        self.torn_records += other.torn_records;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} kills: {} of the server, {} of it while it started, {} of agencies; \
             {} resumptions, {} torn records",
            self.kills(),
            self.server,
            self.server_while_starting,
            self.agencies,
            self.resumed,
            self.torn_records
        )
    }
}

/// One lottery, from empty files to the winners.
struct Lottery {
    rng: Rng,
    setup: ServerSetup,
    server: Option<ServerProcess>,
    seats: Vec<Seat>,
    tally: Tally,
}

/// An agency, whose program is started again whenever it was killed.
struct Seat {
    dataset: Dataset,
    setup: ClientSetup,
    process: Option<ClientProcess>,
    /// What its killed processes knew to be stored.
    acknowledged_before: u64,
    /// How it ended by itself.
    ended: Option<Ended>,
}

impl Lottery {
    fn new(durability: &str, mut rng: Rng) -> Lottery {
        let setup = ServerSetup::lottery(AGENCIES)
            .with_own_address()
            .setting("LOGGING_LEVEL", "INFO")
            .setting("DURABILITY", durability);
        let server = Some(setup.start());
        let seats = (1..=AGENCIES)
            .map(|agency| Seat::new(agency, &setup, &mut rng))
            .collect();
        Lottery {
            rng,
            setup,
            server,
            seats,
            tally: Tally::default(),
        }
    }

    /// Kills one or the other until there were this many kills, or everybody has ended.
    fn suffer(&mut self, kills: usize) {
        while self.tally.kills() < kills && !self.is_over() {
            self.wait_for_moment(kills - self.tally.kills());
            let deadline = Instant::now() + self.some_microseconds();
            while Instant::now() < deadline {
                std::hint::spin_loop();
            }
            match self.rng.u32(..10) {
                0..5 => self.crash_server(),
                _ => self.crash_agency(),
            }
        }
    }

    fn is_over(&self) -> bool {
        let has_ended = |process: &ClientProcess| process.has_ended();
        self.seats
            .iter()
            .all(|seat| seat.process.as_ref().is_none_or(has_ended))
    }

    fn some_microseconds(&mut self) -> Duration {
        Duration::from_micros(self.rng.u64(..SPIN_MICROSECONDS_MAX))
    }

    /// Waits for a moment, of which there are to be as many more in this lottery.
    fn wait_for_moment(&mut self, moments: usize) {
        let deadline = Instant::now() + MOMENT_WAIT_MAX;
        let server = self.server.as_ref().expect("crashes start it again");
        match self.rng.u32(..10) {
            // When the next agency closes, or the draw is held.
            0..2 => {
                let happened = |server: &ServerProcess| {
                    let log = server.log();
                    log::count(&log, "agencia_lista") + log::count(&log, "sorteo")
                };
                let before = happened(server);
                wait_until(deadline, || happened(server) > before);
            }
            // When somebody comes back.
            2 => {
                let accepted = |server: &ServerProcess| log::count(&server.log(), "accept_");
                let before = accepted(server);
                wait_until(deadline, || accepted(server) > before);
            }
            // When so many bytes more are stored that the moments spread over the whole file.
            3..9 => {
                let path = self.setup.storage().join("bets.csv");
                let stored = || std::fs::metadata(&path).unwrap().len();
                let all: usize = self
                    .seats
                    .iter()
                    .map(|seat| seat.dataset.stored_rows().len())
                    .sum();
                let left = (all as u64).saturating_sub(stored());
                let goal = stored() + self.rng.u64(..=2 * left / moments as u64);
                wait_until(deadline, || stored() >= goal);
            }
            // At once.
            _ => {}
        }
    }

    fn crash_server(&mut self) {
        let server = self.server.take().expect("crashes start it again");
        let acknowledged: Vec<u64> = self.seats.iter().map(Seat::acknowledged).collect();
        server.kill();
        self.tally.server += 1;
        self.expect_promise(&acknowledged);
        // It may die again before it listens.
        while self.rng.u32(..4) == 0 {
            let deadline = Instant::now() + self.some_microseconds();
            self.setup.kill_after(|| {
                while Instant::now() < deadline {
                    std::hint::spin_loop();
                }
            });
            self.tally.server_while_starting += 1;
            self.expect_promise(&acknowledged);
        }
        // An agency may die while there is no server, too.
        if self.rng.u32(..4) == 0 {
            self.crash_agency();
        }
        let server = self.setup.start();
        let cut = "action: recuperacion | result: success";
        self.tally.torn_records += log::count(&server.log(), cut);
        self.server = Some(server);
    }

    fn crash_agency(&mut self) {
        let seat = self.rng.choice(&mut self.seats).expect("there are some");
        if let Some(process) = seat.process.take() {
            let ended = process.kill();
            self.tally.resumed += log::count(&ended.log, "action: reanudar");
            let acknowledged = acknowledged(&ended.log);
            seat.acknowledged_before = seat.acknowledged_before.max(acknowledged);
            match ended.code {
                None => {
                    self.tally.agencies += 1;
                    seat.process = Some(seat.setup.start());
                }
                // It had just ended by itself.
                Some(_) => seat.ended = Some(ended),
            }
        }
    }

    /// While the server is dead: what an agency knows to be stored is there, and what is there are
    /// its first rows.
    fn expect_promise(&self, acknowledged: &[u64]) {
        let stored = self.setup.bets_file();
        // What comes after the last whole row is torn, and was not acknowledged.
        let whole = stored.rfind("\r\n").map_or("", |end| &stored[..end + 2]);
        for (seat, acknowledged) in self.seats.iter().zip(acknowledged) {
            let agency = seat.dataset.agency();
            let rows = rows_of(whole, agency);
            assert!(
                seat.dataset.stored_rows().starts_with(&rows),
                "agency {agency}: these are not its first rows"
            );
            let count = rows.lines().count() as u64;
            assert!(
                count >= *acknowledged,
                "agency {agency}: {count} stored, {acknowledged} acknowledged"
            );
        }
    }

    /// Nobody is killed any more: everybody gets the winners, and everything is as it should be.
    fn finish(&mut self) {
        for seat in &mut self.seats {
            let ended = seat.expect_winners();
            self.tally.resumed += log::count(&ended.log, "action: reanudar");
        }
        let datasets: Vec<Dataset> = self.seats.iter().map(|seat| seat.dataset.clone()).collect();
        let expect_good_end = |server: ServerProcess| {
            let ended = server.terminate();
            assert_eq!(ended.code, Some(0), "{ended:#?}");
            assert_eq!(log::count(&ended.log, "result: fail"), 0, "{ended:#?}");
            expect_all_stored(&self.setup, &datasets);
        };
        expect_good_end(self.server.take().expect("crashes start it again"));
        // Who asks again, of a server that was started again, is told the same.
        let server = self.setup.start();
        for seat in &mut self.seats {
            seat.process = Some(seat.setup.start());
            seat.expect_winners();
        }
        expect_good_end(server);
    }
}

impl Seat {
    /// An agency with some bets and a pace of its own, started.
    fn new(agency: u32, server: &ServerSetup, rng: &mut Rng) -> Seat {
        let bets: Vec<HandBet> = (0..rng.u32(BETS_MAX / 3..BETS_MAX))
            .map(|_| {
                let number = match rng.u32(..100) {
                    0 => WINNING_NUMBER,
                    _ => LOSING_NUMBER,
                };
                HandBet::new(agency, rng.u32(1..=99_999_999), number)
            })
            .collect();
        let dataset = Dataset::of(agency, &bets);
        let setup = ClientSetup::with(&dataset, server.own_address())
            .flag("batch-max-amount", &rng.u32(1..=16).to_string())
            .flag("batch-window", &rng.u32(1..=8).to_string());
        Seat {
            dataset,
            process: Some(setup.start()),
            acknowledged_before: 0,
            setup,
            ended: None,
        }
    }

    /// The bets that the agency, by its own logs, knows to be stored.
    fn acknowledged(&self) -> u64 {
        let by_now = self.process.as_ref().map(|process| process.log());
        let by_now = acknowledged(&by_now.unwrap_or_default());
        by_now.max(self.acknowledged_before)
    }

    /// Waits for its end, at which it has its own winners.
    fn expect_winners(&mut self) -> Ended {
        let ended = match self.process.take() {
            Some(process) => process.wait_for_end(),
            None => self.ended.take().expect("it is running or has ended"),
        };
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_eq!(log::count(&ended.log, "result: fail"), 0, "{ended:#?}");
        assert_eq!(ended.winners(), self.dataset.winners());
        ended
    }
}

/// The bets that an agency with this log knows to be stored.
fn acknowledged(log: &[String]) -> u64 {
    let resumed = "action: reanudar | result: success";
    let last = log.iter().rposition(|line| line.contains(resumed));
    let (before, since) = match last {
        Some(last) => (log::sum(&log[last..=last], resumed, "apuestas"), last + 1),
        None => (0, 0),
    };
    let sent = "action: apuesta_enviada | result: success";
    before + log::sum(&log[since..], sent, "cantidad")
}

/// Waits until it has happened, or until the deadline.
fn wait_until(deadline: Instant, has_happened: impl Fn() -> bool) {
    while !has_happened() && Instant::now() < deadline {
        std::thread::yield_now();
    }
}
