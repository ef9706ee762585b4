//! The promise, checked from outside: by the bytes on the disk and the replies that arrive.
//!
//! Rows are compared with rows made by the simulator, never by production's code.

use std::collections::{BTreeMap, BTreeSet};

use lottery_core::store::{BETS_FILE, CLOSINGS_FILE};
use server::central::Durability;
use thiserror::Error;

use crate::disk::SimDisk;
use crate::plan::{OwnedBet, Plan, WINNING_NUMBER};

/// How the promise was broken.
#[derive(Debug, Error)]
pub enum Broken {
    /// A stored row is not the one that must be there.
    #[error("bets.csv row {row}: found {found:?}, expected {expected:?}")]
    WrongRow {
        /// The row, from 1.
        row: usize,
        /// What is there.
        found: String,
        /// What should be.
        expected: String,
    },
    /// A batch of an agency without Hello is stored in part, twice, or out of order.
    #[error("bets.csv row {row}: {found:?} of an agency without Hello is not where it belongs")]
    WrongLegacyRow {
        /// The row, from 1.
        row: usize,
        /// What is there.
        found: String,
    },
    /// Bets were acknowledged and are not there.
    #[error("agency {agency}: {acknowledged} bets were acknowledged and {stored} are stored")]
    Lost {
        /// The agency.
        agency: u32,
        /// Bets acknowledged.
        acknowledged: u64,
        /// Bets that are there, on the medium where that is promised.
        stored: u64,
    },
    /// A batch of an agency without Hello was acknowledged and is not there.
    #[error("agency {agency}, without Hello: an acknowledged batch is not stored")]
    LostBatch {
        /// The agency.
        agency: u32,
    },
    /// An agency counts as finished that is not.
    #[error("agency {agency} is closed with {closed} bets and has {planned}")]
    ClosedEarly {
        /// The agency.
        agency: u32,
        /// Its closing.
        closed: u64,
        /// All its bets.
        planned: u64,
    },
    /// Winners were told before every closing was on the medium.
    #[error("agency {agency} was told winners while agency {missing} was not closed for good")]
    DrawnEarly {
        /// Who was told.
        agency: u32,
        /// Who was missing.
        missing: u32,
    },
    /// The wrong winners were told.
    #[error("agency {agency} was told winners {told:?}, and they are {expected:?}")]
    WrongWinners {
        /// The agency.
        agency: u32,
        /// What it was told.
        told: Vec<u32>,
        /// What is right.
        expected: Vec<u32>,
    },
    /// A Welcome counted fewer bets than had been acknowledged when the connection was made.
    #[error("agency {agency} was welcomed with {told} bets, and knew of {acknowledged}")]
    WrongWelcome {
        /// The agency.
        agency: u32,
        /// What it was told.
        told: u64,
        /// What it knew.
        acknowledged: u64,
    },
    /// An agency could not go on, and nothing justified it.
    #[error("agency {agency} gave up: {reason}")]
    GaveUp {
        /// The agency.
        agency: u32,
        /// Its reason.
        reason: String,
    },
    /// The store does not open after a crash.
    #[error("the store does not open: {0}")]
    DoesNotOpen(String),
    /// Faults have ceased, and somebody still waits.
    #[error("no end within {steps} steps after the faults ceased: {who}")]
    NoEnd {
        /// Steps taken.
        steps: u32,
        /// Who waits.
        who: String,
    },
}

/// What must be true, and what was promised so far.
pub struct Promise {
    durability: Durability,
    /// The rows of each agency that says Hello, in order.
    rows: BTreeMap<u32, Vec<String>>,
    winners: BTreeMap<u32, Vec<u32>>,
    /// Bets of each agency that were acknowledged to it.
    acknowledged: BTreeMap<u32, u64>,
    legacy: LegacyRows,
    /// The state of the disk that was looked at last.
    checked: Option<u64>,
}

/// The rows of agencies without Hello: each attempt to send a batch has rows of its own.
#[derive(Default)]
struct LegacyRows {
    /// For each row the attempt, and its place in it.
    places: BTreeMap<String, (u64, usize)>,
    /// Rows of each attempt.
    lengths: BTreeMap<u64, usize>,
    acknowledged: BTreeSet<u64>,
    agency: BTreeMap<u64, u32>,
}

impl Promise {
    /// The promise to the agencies of `plan`.
    pub fn new(plan: &Plan) -> Promise {
        let hello = plan.agencies.iter().filter(|agency| agency.says_hello);
        let winners = |bets: &[OwnedBet]| {
            let winners = bets.iter().filter(|bet| bet.number == WINNING_NUMBER);
            winners.map(|bet| bet.document).collect()
        };
        Promise {
            durability: plan.rules.durability,
            rows: hello
                .clone()
                .map(|agency| {
                    (
                        agency.number,
                        agency.bets.iter().map(OwnedBet::row).collect(),
                    )
                })
                .collect(),
            winners: hello
                .map(|agency| (agency.number, winners(&agency.bets)))
                .collect(),
            acknowledged: BTreeMap::new(),
            legacy: LegacyRows::default(),
            checked: None,
        }
    }

    /// An agency learned that `bets` of its bets are stored.
    pub fn note_acknowledged(&mut self, agency: u32, bets: u64) {
        let acknowledged = self.acknowledged.entry(agency).or_default();
        *acknowledged = bets.max(*acknowledged);
        self.checked = None;
    }

    /// Bets of the agency that were acknowledged, to any of its programs.
    pub fn acknowledged(&self, agency: u32) -> u64 {
        self.acknowledged.get(&agency).copied().unwrap_or_default()
    }

    /// An agency without Hello is about to send these bets in one batch.
    pub fn note_legacy_attempt(&mut self, attempt: u64, bets: &[OwnedBet]) {
        for (place, bet) in bets.iter().enumerate() {
            self.legacy.places.insert(bet.row(), (attempt, place));
            self.legacy.agency.insert(attempt, bet.agency);
        }
        self.legacy.lengths.insert(attempt, bets.len());
    }

    /// That batch was acknowledged; its winners count from here on.
    pub fn note_legacy_acknowledged(&mut self, attempt: u64) {
        self.legacy.acknowledged.insert(attempt);
        self.checked = None;
    }

    /// The power is gone: without `always`, what was not synced may be gone with it, acknowledged or
    /// not, and what is left is what counts.
    pub fn note_power_cut(&mut self, disk: &SimDisk) -> Result<(), Broken> {
        self.checked = None;
        if self.durability != Durability::Always {
            let stored = self.stored(&disk.cached(BETS_FILE))?;
            for (agency, acknowledged) in &mut self.acknowledged {
                *acknowledged = (*acknowledged).min(stored.bets(*agency));
            }
            self.legacy
                .acknowledged
                .retain(|attempt| stored.attempts.contains(attempt));
        }
        Ok(())
    }

    /// Checks the disk, if anything happened since the last time.
    ///
    /// # Errors
    ///
    /// When the promise is broken.
    pub fn check_disk(&mut self, disk: &SimDisk) -> Result<(), Broken> {
        let generation = disk.generation();
        if self.checked == Some(generation) {
            return Ok(());
        }
        let promised = match self.durability {
            Durability::Always => disk.synced(BETS_FILE),
            Durability::EverySecond | Durability::No => disk.cached(BETS_FILE),
        };
        let stored = self.stored(&promised)?;
        for (agency, acknowledged) in &self.acknowledged {
            let (agency, acknowledged) = (*agency, *acknowledged);
            if stored.bets(agency) < acknowledged {
                let stored = stored.bets(agency);
                return Err(Broken::Lost {
                    agency,
                    acknowledged,
                    stored,
                });
            }
        }
        for attempt in &self.legacy.acknowledged {
            if !stored.attempts.contains(attempt) {
                let agency = self.legacy.agency.get(attempt).copied().unwrap_or_default();
                return Err(Broken::LostBatch { agency });
            }
        }
        self.stored(&disk.cached(BETS_FILE))?;
        self.check_closings(&disk.cached(CLOSINGS_FILE))?;
        self.checked = Some(generation);
        Ok(())
    }

    /// An agency was told its winners.
    ///
    /// # Errors
    ///
    /// When they are wrong, or too early.
    pub fn check_winners(
        &self,
        agency: u32,
        told: &[u32],
        plan: &Plan,
        disk: &SimDisk,
    ) -> Result<(), Broken> {
        let closed = closings(&disk.synced(CLOSINGS_FILE));
        let mut participants = 1..=plan.rules.agencies;
        if let Some(missing) = participants.find(|number| !closed.contains_key(number)) {
            return Err(Broken::DrawnEarly { agency, missing });
        }
        let expected = match self.winners.get(&agency) {
            Some(winners) => winners.clone(),
            None => legacy_winners(agency, &disk.cached(BETS_FILE)),
        };
        if told != expected {
            let told = told.to_vec();
            return Err(Broken::WrongWinners {
                agency,
                told,
                expected,
            });
        }
        Ok(())
    }

    /// Whether all bets of the agency are stored, as they must be in the end.
    pub fn is_complete(&self, agency: u32, disk: &SimDisk) -> Result<bool, Broken> {
        let stored = self.stored(&disk.cached(BETS_FILE))?;
        let planned = self.rows.get(&agency).map(Vec::len);
        Ok(planned.is_none_or(|planned| stored.bets(agency) == planned as u64))
    }

    fn check_closings(&self, contents: &[u8]) -> Result<(), Broken> {
        for (agency, closed) in closings(contents) {
            if let Some(rows) = self.rows.get(&agency)
                && closed != rows.len() as u64
            {
                let planned = rows.len() as u64;
                return Err(Broken::ClosedEarly {
                    agency,
                    closed,
                    planned,
                });
            }
        }
        Ok(())
    }

    /// What whole rows of `bets.csv` hold. Each agency's must be the first of its bets.
    fn stored(&self, contents: &[u8]) -> Result<Stored, Broken> {
        let mut stored = Stored::default();
        for (index, found) in rows(contents).enumerate() {
            let row = index + 1;
            let agency: u32 = found
                .split(',')
                .next()
                .and_then(|number| number.parse().ok())
                .unwrap_or_default();
            let place = stored.bets(agency) as usize;
            *stored.bets.entry(agency).or_default() += 1;
            match self.rows.get(&agency) {
                Some(rows) => {
                    let expected = rows.get(place).cloned().unwrap_or_default();
                    if found != expected {
                        return Err(Broken::WrongRow {
                            row,
                            found: found.to_owned(),
                            expected,
                        });
                    }
                }
                None => self.take_legacy_row(&mut stored, row, found)?,
            }
        }
        Ok(stored)
    }

    fn take_legacy_row(&self, stored: &mut Stored, row: usize, found: &str) -> Result<(), Broken> {
        let wrong = || Broken::WrongLegacyRow {
            row,
            found: found.to_owned(),
        };
        let (attempt, place) = *self.legacy.places.get(found).ok_or_else(wrong)?;
        let expected = stored.legacy.entry(attempt).or_default();
        if *expected != place {
            return Err(wrong());
        }
        *expected += 1;
        if Some(&*expected) == self.legacy.lengths.get(&attempt) {
            stored.attempts.insert(attempt);
        }
        Ok(())
    }
}

/// What is in `bets.csv`.
#[derive(Default)]
struct Stored {
    bets: BTreeMap<u32, u64>,
    /// Rows of each attempt of an agency without Hello.
    legacy: BTreeMap<u64, usize>,
    /// Attempts that are there as a whole.
    attempts: BTreeSet<u64>,
}

impl Stored {
    fn bets(&self, agency: u32) -> u64 {
        self.bets.get(&agency).copied().unwrap_or_default()
    }
}

/// The rows that have an end.
fn rows(contents: &[u8]) -> impl Iterator<Item = &str> {
    let text = std::str::from_utf8(contents).unwrap_or_else(|error| {
        std::str::from_utf8(&contents[..error.valid_up_to()]).unwrap_or_default()
    });
    let whole = text.rfind("\r\n").map_or("", |end| &text[..end]);
    whole.split("\r\n").filter(|row| !row.is_empty())
}

fn closings(contents: &[u8]) -> BTreeMap<u32, u64> {
    rows(contents)
        .filter_map(|row| {
            let mut fields = row.split(',');
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        })
        .collect()
}

fn legacy_winners(agency: u32, contents: &[u8]) -> Vec<u32> {
    let start = format!("{agency},");
    let end = format!(",{WINNING_NUMBER}");
    let won = rows(contents).filter(|row| row.starts_with(&start) && row.ends_with(&end));
    won.filter_map(|row| row.rsplit(',').nth(2)?.parse().ok())
        .collect()
}
