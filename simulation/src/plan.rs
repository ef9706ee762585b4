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
use time::macros::date;

/// The day on which every world takes place.
pub const TODAY: Date = date!(2026 - 11 - 21);

/// The number drawn in every world. There are few numbers, so that there are winners.
pub const WINNING_NUMBER: u32 = 3;

const NUMBERS: u32 = 8;

/// Messages of agencies are at most this long in every world, so that bounds are met.
pub const FRAME_BYTES_MAX: usize = 8192;

/// A bet that owns its names.
#[derive(Clone, Debug)]
pub struct OwnedBet {
    /// The agency.
    pub agency: u32,
    /// First names.
    pub first_name: &'static str,
    /// Last names.
    pub last_name: &'static str,
    /// DNI.
    pub document: u32,
    /// Birthdate.
    pub birthdate: Date,
    /// The number.
    pub number: u32,
}

const FIRST_NAMES: &[&str] = &["Ana", "María José", "Juan \"Tito\"", "Ñ", " Luz "];
const LAST_NAMES: &[&str] = &["Paz", "García, hijo", "D'Angelo", "Núñez", "\","];

impl OwnedBet {
    /// A bet of `agency` whose DNI is `document`.
    pub fn random(agency: u32, document: u32, rng: &mut Rng) -> OwnedBet {
        OwnedBet {
            agency,
            first_name: FIRST_NAMES[rng.usize(..FIRST_NAMES.len())],
            last_name: LAST_NAMES[rng.usize(..LAST_NAMES.len())],
            document,
            birthdate: Date::from_julian_day(rng.i32(2_430_000..2_450_000)).unwrap_or(TODAY),
            number: rng.u32(..NUMBERS),
        }
    }

    /// The bet as production's code takes it.
    pub fn as_bet(&self) -> Bet<'_> {
        Bet {
            agency: self.agency,
            first_name: name(self.first_name),
            last_name: name(self.last_name),
            document: self.document,
            birthdate: self.birthdate,
            number: self.number,
        }
    }

    /// The row that must be stored, made here and not by production's code.
    pub fn row(&self) -> String {
        let quoted = |name: &str| match name.contains([',', '"']) {
            true => format!("\"{}\"", name.replace('"', "\"\"")),
            false => name.to_owned(),
        };
        format!(
            "{},{},{},{},{},{}",
            self.agency,
            quoted(self.first_name),
            quoted(self.last_name),
            self.document,
            self.birthdate,
            self.number
        )
    }
}

fn name(text: &'static str) -> Name<'static> {
    Name::new(text.as_bytes()).expect("the names of this file are valid")
}

/// The bets of an agency, as its file would give them.
#[derive(Clone, Debug)]
pub struct Bets {
    bets: Rc<[OwnedBet]>,
    next: usize,
}

impl Bets {
    /// A source of these bets.
    pub fn new(bets: Rc<[OwnedBet]>) -> Bets {
        Bets { bets, next: 0 }
    }
}

impl BetSource for Bets {
    fn rewind(&mut self) -> Result<(), SourceError> {
        self.next = 0;
        Ok(())
    }

    fn next_bet<T>(&mut self, take: impl FnOnce(&Bet<'_>) -> T) -> Result<Option<T>, SourceError> {
        let bet = self.bets.get(self.next);
        self.next += 1;
        Ok(bet.map(|bet| take(&bet.as_bet())))
    }

    fn rejected(&self) -> u64 {
        0
    }
}

/// An agency as planned.
#[derive(Clone, Debug)]
pub struct AgencyPlan {
    /// Its number.
    pub number: u32,
    /// Its bets.
    pub bets: Rc<[OwnedBet]>,
    /// How it sends them.
    pub pace: Pace,
    /// Whether it knows Hello.
    pub says_hello: bool,
    /// Of a hundred steps that it could take, how many it takes.
    pub diligence: u8,
}

/// A world as planned.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The lottery's rules.
    pub rules: Rules,
    /// Its agencies.
    pub agencies: Vec<AgencyPlan>,
    /// Steps in which anything may fail.
    pub faulty_steps: u32,
}

impl Plan {
    /// What `rng` makes of it.
    pub fn random(rng: &mut Rng) -> Plan {
        let agencies = rng.u32(1..=4);
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
            },
            agencies: (1..=agencies)
                .map(|number| AgencyPlan::random(number, rng))
                .collect(),
            faulty_steps: rng.u32(..800),
        }
    }
}

impl AgencyPlan {
    fn random(number: u32, rng: &mut Rng) -> AgencyPlan {
        let bets = match rng.u8(..8) {
            0 => 0,
            1 => 1,
            _ => rng.u32(..40),
        };
        let document = |index| number * 1_000_000 + index;
        AgencyPlan {
            number,
            bets: (1..=bets)
                .map(|index| OwnedBet::random(number, document(index), rng))
                .collect(),
            pace: Pace {
                batch_bets_max: rng.u32(1..10),
                window: rng.usize(1..5),
            },
            // Without Hello an agency is known by its bets, so it must have one.
            says_hello: bets == 0 || rng.u8(..6) != 0,
            diligence: if rng.u8(..5) == 0 { rng.u8(2..20) } else { 100 },
        }
    }
}
