//! The promise, checked from outside: by the bytes on the disk and the replies that arrive.
//!
//! Rows are compared with rows made by the simulator, never by production's code.

use std::collections::{BTreeMap, HashMap};

use lottery_core::store::{BETS_FILE, CLOSINGS_FILE, DRAW_FILE};
use server::central::Durability;
use thiserror::Error;

use crate::operator::Operator;
use crate::plan::{Plan, WINNING_NUMBER};

/// How the promise was broken, in words.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Broken(pub(crate) String);

pub fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Broken> {
    match holds {
        true => Ok(()),
        false => Err(Broken(otherwise())),
    }
}

/// Rows that are stored in their order and from the first one on: all bets of an agency that says Hello, whose
/// number it is, or one attempt of another agency to send a batch.
pub type Series = u64;

type Rows = BTreeMap<Series, usize>;

/// What must be true, and what was promised so far.
pub struct Promise {
    durability: Durability,
    agencies: u32,
    /// For each row its series, and its place in it.
    places: HashMap<String, (Series, usize)>,
    /// Bets of each agency that says Hello.
    planned: BTreeMap<u32, usize>,
    /// Rows of each series of which an agency knows that they are stored.
    acknowledged: Rows,
    /// The state of the disk that was looked at last.
    checked: Option<u64>,
}

impl Promise {
    /// The promise to the agencies of `plan`.
    pub fn new(plan: &Plan) -> Promise {
        let mut promise = Promise {
            durability: plan.rules.durability,
            agencies: plan.rules.agencies,
            places: HashMap::new(),
            planned: BTreeMap::new(),
            acknowledged: Rows::new(),
            checked: None,
        };
        for agency in plan.agencies.iter().filter(|plan| plan.dialect.is_none()) {
            let rows = agency.bets.iter().map(|bet| bet.row(agency.number));
            promise.note_series(agency.number.into(), rows);
            promise.planned.insert(agency.number, agency.bets.len());
        }
        promise
    }

    /// These rows may be stored from here on.
    pub fn note_series(&mut self, series: Series, rows: impl IntoIterator<Item = String>) {
        for (place, row) in rows.into_iter().enumerate() {
            self.places.insert(row, (series, place));
        }
    }

    /// An agency learned that so many rows are stored.
    pub fn note_acknowledged(&mut self, series: Series, rows: usize) {
        let acknowledged = self.acknowledged.entry(series).or_default();
        *acknowledged = rows.max(*acknowledged);
        self.checked = None;
    }

    /// The power is gone, or a sync failed: without `always`, what was not synced may be gone with it,
    /// acknowledged or not, and what is left is what counts.
    pub fn note_loss(&mut self, files: &Operator) -> Result<(), Broken> {
        self.checked = None;
        if self.durability != Durability::Always {
            let stored = self.stored(&files.cached(BETS_FILE))?;
            for (series, rows) in &mut self.acknowledged {
                *rows = (*rows).min(count(&stored, *series));
            }
        }
        Ok(())
    }

    /// Checks the disk, if anything happened since the last time.
    pub fn check_files(&mut self, files: &Operator) -> Result<(), Broken> {
        let generation = files.generation();
        if self.checked == Some(generation) {
            return Ok(());
        }
        let cached = self.stored(&files.cached(BETS_FILE))?;
        let promised = match self.durability {
            Durability::Always => self.stored(&files.synced(BETS_FILE))?,
            Durability::EverySecond | Durability::No => cached,
        };
        for (series, rows) in &self.acknowledged {
            let stored = count(&promised, *series);
            expect(stored >= *rows, || {
                format!("series {series}: {rows} bets were acknowledged and {stored} are stored")
            })?;
        }
        for (agency, finished) in closings(&files.cached(CLOSINGS_FILE)) {
            let planned = self.planned.get(&agency).copied().unwrap_or(finished);
            expect(finished == planned, || {
                format!("agency {agency} finished with {finished} bets and has {planned}")
            })?;
        }
        self.checked = Some(generation);
        Ok(())
    }

    /// An agency was told of the draw, or of its winners too. The medium must bear that out.
    pub fn check_drawn(
        &self,
        agency: u32,
        told: Option<&[u32]>,
        files: &Operator,
    ) -> Result<(), Broken> {
        let finished = closings(&files.synced(CLOSINGS_FILE));
        let mut agencies = 1..=self.agencies;
        if let Some(missing) = agencies.find(|number| !finished.contains_key(number)) {
            return Err(Broken(format!(
                "agency {agency} was told of the draw, and {missing} has not finished"
            )));
        }
        let bets = files.synced(BETS_FILE);
        self.expect_complete(&bets)?;
        let won = (1..=self.agencies).map(|agency| stored_winners(agency, &bets).len());
        let (rows, won) = (rows(&bets).count(), won.sum::<usize>());
        let expected = format!("{WINNING_NUMBER},{},{rows},{won}\r\n", self.agencies);
        let found = String::from_utf8_lossy(&files.synced(DRAW_FILE)).into_owned();
        expect(found == expected, || {
            format!(
                "agency {agency} was told of the draw, draw.csv has {found:?}, not {expected:?}"
            )
        })?;
        let winners = stored_winners(agency, &bets);
        expect(told.is_none_or(|told| told == winners), || {
            format!("agency {agency} was told winners {told:?}, and they are {winners:?}")
        })
    }

    /// Says that these bets are all bets of the agencies that say Hello.
    pub fn expect_complete(&self, bets: &[u8]) -> Result<(), Broken> {
        let stored = self.stored(bets)?;
        self.planned.iter().try_for_each(|(agency, planned)| {
            let stored = count(&stored, (*agency).into());
            expect(stored == *planned, || {
                format!("agency {agency} has {planned} bets, and {stored} are stored")
            })
        })
    }

    /// What whole rows of `bets.csv` hold, each of which must be the next of its series.
    fn stored(&self, contents: &[u8]) -> Result<Rows, Broken> {
        let mut stored = Rows::new();
        for (index, row) in rows(contents).enumerate() {
            let wrong = || {
                Broken(format!(
                    "bets.csv row {}: {row:?} does not belong there",
                    index + 1
                ))
            };
            let (series, place) = *self.places.get(row).ok_or_else(wrong)?;
            let rows = stored.entry(series).or_default();
            if *rows != place {
                return Err(wrong());
            }
            *rows += 1;
        }
        Ok(stored)
    }
}

fn count(rows: &Rows, series: Series) -> usize {
    rows.get(&series).copied().unwrap_or_default()
}

/// The rows that have an end, up to where a power cut left zeros in place of a sector.
fn rows(contents: &[u8]) -> impl Iterator<Item = &str> {
    let hole = contents.iter().position(|byte| *byte == 0);
    let contents = &contents[..hole.unwrap_or(contents.len())];
    let text = str::from_utf8(contents).unwrap_or_else(|error| {
        str::from_utf8(&contents[..error.valid_up_to()]).unwrap_or_default()
    });
    let whole = text.rfind("\r\n").map_or("", |end| &text[..end]);
    whole.split("\r\n").filter(|row| !row.is_empty())
}

fn closings(contents: &[u8]) -> BTreeMap<u32, usize> {
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
