//! What the seed decides before the world begins: the lottery's rules, and who bets what.

use std::rc::Rc;
use std::time::Duration;

use client::agency::Pace;
use client::bet_source::{BetSource, SourceError};
use fastrand::Rng;
use lottery_core::bet::Bet;
use lottery_core::date::Date;
use lottery_core::name::Name;
use server::central::{Durability, Rules};
use server::reactor::Limits;

use crate::dialects::{BetFields, Dialect};

/// The number drawn in every world. There are few numbers, so that there are winners.
pub const WINNING_NUMBER: u32 = 3;

const NUMBERS: u32 = 8;

/// Messages of agencies are at most this long in every world, so that bounds are met.
pub const MESSAGE_BYTES_MAX: usize = 8192;

pub const AGENCIES_MAX: u32 = 4;

/// Programs that run for agencies beside their own at once, at most.
pub const TWINS_MAX: usize = 2;

/// Names, those last that not every dialect can carry.
const FIRST_NAMES: &[&str] = &["Ana", "María José", "Juan \"Tito\"", "Ñ", " Luz "];
const LAST_NAMES: &[&str] = &["Paz", "D'Angelo", "Núñez", "García, hijo", "\","];

/// Names of each list that every dialect can carry.
pub const COMMON_NAMES: usize = 3;

pub type PlannedBet = BetFields<'static>;

/// A bet with a name of the first `names` of each list.
pub fn random_bet(document: u32, names: usize, rng: &mut Rng) -> PlannedBet {
    BetFields {
        first_name: FIRST_NAMES[rng.usize(..names)],
        last_name: LAST_NAMES[rng.usize(..names)],
        document,
        birthdate: Date::from_julian_day(rng.i32(2_430_000..2_450_000)).unwrap_or(Date::MAX),
        number: rng.u32(..NUMBERS),
    }
}

/// The bet as production's code takes it.
pub fn as_bet(agency: u32, bet: &PlannedBet) -> Bet<'static> {
    let name = |text: &'static str| Name::new(text.as_bytes()).expect("a name of this file");
    Bet {
        agency,
        first_name: name(bet.first_name),
        last_name: name(bet.last_name),
        document: bet.document,
        birthdate: bet.birthdate,
        number: bet.number,
    }
}

/// The bets of an agency, as its file would give them.
pub struct Bets {
    agency: u32,
    bets: Rc<[PlannedBet]>,
    next: usize,
}

impl BetSource for Bets {
    fn rewind(&mut self) -> Result<(), SourceError> {
        self.next = 0;
        Ok(())
    }

    fn next_bet<T>(&mut self, take: impl FnOnce(&Bet<'_>) -> T) -> Result<Option<T>, SourceError> {
        let bet = self.bets.get(self.next);
        self.next += 1;
        Ok(bet.map(|bet| take(&as_bet(self.agency, bet))))
    }

    fn rejected(&self) -> u64 {
        0
    }
}

#[derive(Clone)]
pub struct AgencyPlan {
    pub number: u32,
    pub bets: Rc<[PlannedBet]>,
    pub pace: Pace,
    /// What it speaks, if it does not know Hello.
    pub dialect: Option<Dialect>,
    /// Of a hundred steps that it could take, how many it takes.
    pub diligence: u8,
}

pub struct Plan {
    pub rules: Rules,
    pub limits: Limits,
    pub agencies: Vec<AgencyPlan>,
    /// Of a hundred turns that the central could make while there are faults, how many it makes: on a busy
    /// machine few, of many agencies each.
    pub turns: u8,
    /// Steps in which anything may fail.
    pub faulty_steps: u32,
    /// Whether the central speaks TLS and nothing else.
    pub has_tls: bool,
}

impl Plan {
    pub fn random(rng: &mut Rng) -> Plan {
        let agencies = rng.u32(1..=AGENCIES_MAX);
        let idle_timeout = (rng.u8(..4) == 0).then(|| Duration::from_secs(rng.u64(10..40)));
        Plan {
            rules: Rules {
                agencies,
                winning_number: WINNING_NUMBER,
                durability: match rng.u8(..4) {
                    0 => Durability::EverySecond,
                    1 => Durability::No,
                    _ => Durability::Always,
                },
                draw_timeout: (rng.u8(..4) == 0).then(|| Duration::from_secs(rng.u64(1..20))),
                agency_bets_max: None,
            },
            limits: Limits {
                // Room for every agency, and little more.
                connections_max: match rng.u8(..4) {
                    0 => agencies as usize + TWINS_MAX + 1,
                    _ => 10_000,
                },
                viewers_max: 0,
                // More than the agencies and three floods can take together.
                memory_bytes_max: match rng.u8(..4) {
                    0 => 64 * 1024,
                    _ => 1024 * 1024,
                },
                idle_timeout,
            },
            agencies: (1..=agencies)
                .map(|number| AgencyPlan::random(number, idle_timeout.is_some(), rng))
                .collect(),
            turns: match idle_timeout {
                None if rng.u8(..4) == 0 => 5,
                _ => 100,
            },
            faulty_steps: rng.u32(..800),
            has_tls: rng.u8(..16) == 0,
        }
    }
}

impl AgencyPlan {
    /// One that is `hurried` may be slow, but not so slow that it is taken for idle.
    pub fn random(number: u32, hurried: bool, rng: &mut Rng) -> AgencyPlan {
        let bets = match rng.u8(..8) {
            0 => 0,
            1 => 1,
            _ => rng.u32(..40),
        };
        let dialect = Dialect::ALL[rng.usize(..Dialect::ALL.len())];
        // An agency that is known by its bets alone must have one.
        let can_do_without_hello = bets > 0 || dialect.names_agency();
        let dialect = (rng.u8(..3) == 0 && can_do_without_hello).then_some(dialect);
        let names = match dialect {
            None | Some(Dialect::Native) => FIRST_NAMES.len(),
            Some(_) => COMMON_NAMES,
        };
        AgencyPlan {
            number,
            bets: (1..=bets)
                .map(|index| random_bet(number * 1_000_000 + index, names, rng))
                .collect(),
            pace: Pace {
                batch_bets_max: rng.u32(1..10),
                window: rng.usize(1..5),
            },
            dialect,
            diligence: match rng.u8(..5) {
                0 if hurried => 30,
                0 => rng.u8(2..20),
                _ => 100,
            },
        }
    }

    pub fn source(&self) -> Bets {
        Bets {
            agency: self.number,
            bets: self.bets.clone(),
            next: 0,
        }
    }
}
