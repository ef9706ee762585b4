//! The promise, checked from outside: by the bytes on the disk and the replies that arrive.
//!
//! Rows are compared with rows made by the simulator, never by production's code.

use std::collections::{BTreeMap, BTreeSet};

use lottery_core::store::{BETS_FILE, CLOSINGS_FILE, DRAW_FILE};
use server::central::Durability;
use thiserror::Error;

use crate::operator::Operator;
use crate::plan::{OwnedBet, Plan, WINNING_NUMBER};

/// How the promise was broken, in words.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Broken(pub String);

/// Says that something holds.
///
/// # Errors
///
/// When it does not, with these words.
pub fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Broken> {
    match holds {
        true => Ok(()),
        false => Err(Broken(otherwise())),
    }
}

/// What must be true, and what was promised so far.
pub struct Promise {
    durability: Durability,
    /// The rows of each agency that says Hello, in order.
    rows: BTreeMap<u32, Vec<String>>,
    winners: BTreeMap<u32, Vec<u32>>,
    /// Bets of each agency that were acknowledged to it.
    acknowledged: BTreeMap<u32, u64>,
    plain: PlainRows,
    /// The state of the disk that was looked at last.
    checked: Option<u64>,
}

/// The rows of agencies without Hello: each attempt to send a batch has rows of its own.
#[derive(Default)]
struct PlainRows {
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
        let hello = plan.agencies.iter();
        let hello = hello.filter(|agency| agency.dialect.is_none());
        let rows = |bets: &[OwnedBet]| bets.iter().map(OwnedBet::row).collect();
        let winners = |bets: &[OwnedBet]| {
            let winners = bets.iter().filter(|bet| bet.number == WINNING_NUMBER);
            winners.map(|bet| bet.document).collect()
        };
        Promise {
            durability: plan.rules.durability,
            rows: hello
                .clone()
                .map(|agency| (agency.number, rows(&agency.bets)))
                .collect(),
            winners: hello
                .map(|agency| (agency.number, winners(&agency.bets)))
                .collect(),
            acknowledged: BTreeMap::new(),
            plain: PlainRows::default(),
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
    pub fn note_attempt(&mut self, attempt: u64, bets: &[OwnedBet]) {
        for (place, bet) in bets.iter().enumerate() {
            self.plain.places.insert(bet.row(), (attempt, place));
            self.plain.agency.insert(attempt, bet.agency);
        }
        self.plain.lengths.insert(attempt, bets.len());
    }

    /// That batch was acknowledged; its winners count from here on.
    pub fn note_attempt_acknowledged(&mut self, attempt: u64) {
        // An empty batch leaves no trace.
        if self.plain.agency.contains_key(&attempt) {
            self.plain.acknowledged.insert(attempt);
            self.checked = None;
        }
    }

    /// The power is gone, or a sync failed: without `always`, what was not synced may be gone with it,
    /// acknowledged or not, and what is left is what counts.
    pub fn note_loss(&mut self, files: &Operator) -> Result<(), Broken> {
        self.checked = None;
        if self.durability != Durability::Always {
            let stored = self.stored(&files.cached(BETS_FILE))?;
            for (agency, acknowledged) in &mut self.acknowledged {
                *acknowledged = (*acknowledged).min(stored.bets(*agency));
            }
            self.plain
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
    pub fn check_files(&mut self, files: &Operator) -> Result<(), Broken> {
        let generation = files.generation();
        if self.checked == Some(generation) {
            return Ok(());
        }
        let promised = match self.durability {
            Durability::Always => files.synced(BETS_FILE),
            Durability::EverySecond | Durability::No => files.cached(BETS_FILE),
        };
        let stored = self.stored(&promised)?;
        for (agency, acknowledged) in &self.acknowledged {
            let stored = stored.bets(*agency);
            expect(stored >= *acknowledged, || {
                format!(
                    "agency {agency}: {acknowledged} bets were acknowledged and {stored} are stored"
                )
            })?;
        }
        for attempt in &self.plain.acknowledged {
            expect(stored.attempts.contains(attempt), || {
                let agency = self.plain.agency[attempt];
                format!("agency {agency}, without Hello: an acknowledged batch is not stored")
            })?;
        }
        self.stored(&files.cached(BETS_FILE))?;
        self.check_closings(&files.cached(CLOSINGS_FILE))?;
        self.checked = Some(generation);
        Ok(())
    }

    /// An agency was told that the draw was held.
    ///
    /// # Errors
    ///
    /// When the medium does not bear that out.
    pub fn check_drawn(&self, agency: u32, agencies: u32, files: &Operator) -> Result<(), Broken> {
        let finished = closings(&files.synced(CLOSINGS_FILE));
        let missing = (1..=agencies).find(|number| !finished.contains_key(number));
        expect(missing.is_none(), || {
            format!(
                "agency {agency} was told of the draw while {missing:?} had not finished for good"
            )
        })?;
        let bets = files.synced(BETS_FILE);
        let won = (1..=agencies).map(|agency| stored_winners(agency, &bets).len());
        let (bets, won) = (rows(&bets).count(), won.sum::<usize>());
        let expected = format!("{WINNING_NUMBER},{agencies},{bets},{won}\r\n");
        let found = String::from_utf8_lossy(&files.synced(DRAW_FILE)).into_owned();
        expect(found == expected, || {
            format!(
                "agency {agency} was told of the draw while draw.csv has {found:?}, not {expected:?}"
            )
        })
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
        agencies: u32,
        files: &Operator,
    ) -> Result<(), Broken> {
        self.check_drawn(agency, agencies, files)?;
        let expected = match self.winners.get(&agency) {
            Some(winners) => winners.clone(),
            None => stored_winners(agency, &files.cached(BETS_FILE)),
        };
        expect(told == expected, || {
            format!("agency {agency} was told winners {told:?}, and they are {expected:?}")
        })
    }

    /// Says that all bets of the agencies with Hello are stored, as they must be in the end.
    ///
    /// # Errors
    ///
    /// When some are missing.
    pub fn check_complete(&self, files: &Operator) -> Result<(), Broken> {
        let stored = self.stored(&files.cached(BETS_FILE))?;
        self.rows
            .iter()
            .try_for_each(|(agency, rows)| expect_all(*agency, stored.bets(*agency), rows.len()))
    }

    fn check_closings(&self, contents: &[u8]) -> Result<(), Broken> {
        closings(contents)
            .into_iter()
            .try_for_each(|(agency, finished)| match self.rows.get(&agency) {
                Some(rows) => expect_all(agency, finished, rows.len()),
                None => Ok(()),
            })
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
                    let expected = rows.get(place);
                    expect(expected.is_some_and(|expected| expected == found), || {
                        format!("bets.csv row {row}: found {found:?}, expected {expected:?}")
                    })?;
                }
                None => self.take_plain_row(&mut stored, row, found)?,
            }
        }
        Ok(stored)
    }

    fn take_plain_row(&self, stored: &mut Stored, row: usize, found: &str) -> Result<(), Broken> {
        let wrong = || {
            Broken(format!(
                "bets.csv row {row}: {found:?} of an agency without Hello is not where it belongs"
            ))
        };
        let (attempt, place) = *self.plain.places.get(found).ok_or_else(wrong)?;
        let expected = stored.plain.entry(attempt).or_default();
        if *expected != place {
            return Err(wrong());
        }
        *expected += 1;
        if Some(&*expected) == self.plain.lengths.get(&attempt) {
            stored.attempts.insert(attempt);
        }
        Ok(())
    }
}

fn expect_all(agency: u32, finished: u64, planned: usize) -> Result<(), Broken> {
    expect(finished == planned as u64, || {
        format!("agency {agency} finished with {finished} bets and has {planned}")
    })
}

/// What is in `bets.csv`.
#[derive(Default)]
struct Stored {
    bets: BTreeMap<u32, u64>,
    /// Rows of each attempt of an agency without Hello.
    plain: BTreeMap<u64, usize>,
    /// Attempts that are there as a whole.
    attempts: BTreeSet<u64>,
}

impl Stored {
    fn bets(&self, agency: u32) -> u64 {
        self.bets.get(&agency).copied().unwrap_or_default()
    }
}

/// The rows that have an end, up to where a power cut left zeros in place of a sector.
fn rows(contents: &[u8]) -> impl Iterator<Item = &str> {
    let hole = contents.iter().position(|byte| *byte == 0);
    let contents = &contents[..hole.unwrap_or(contents.len())];
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

fn stored_winners(agency: u32, contents: &[u8]) -> Vec<u32> {
    let start = format!("{agency},");
    let end = format!(",{WINNING_NUMBER}");
    let won = rows(contents).filter(|row| row.starts_with(&start) && row.ends_with(&end));
    won.filter_map(|row| row.rsplit(',').nth(2)?.parse().ok())
        .collect()
}
