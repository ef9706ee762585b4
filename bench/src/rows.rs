//! Which runs there are.

use crate::trial::data::{BUNDLED_AGENCIES, Bets};
use crate::trial::lottery::Pace;

/// Batches of the real client's defaults.
pub const DEFAULT_PACE: Pace = Pace {
    batch_bets: 125,
    window: 128,
};

const SMALL_BATCH_BETS: u32 = 10;

/// The durabilities, the fastest first.
pub const DURABILITIES: [&str; 3] = ["no", "everysec", "always"];

/// Who the agencies of a row are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// The real client, a process each.
    Clients,
    /// The load, all in one thread.
    Load {
        /// Whether they say Hello.
        greets: bool,
    },
}

/// A row of the table: runs that differ in nothing.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Who the agencies are.
    pub driver: Driver,
    /// What they bet.
    pub bets: Bets,
    /// How many they are.
    pub agencies: u32,
    /// When the server syncs.
    pub durability: &'static str,
    /// How they send.
    pub pace: Pace,
}

const LOAD: Driver = Driver::Load { greets: true };

impl Row {
    fn bundled(driver: Driver, times: u32, durability: &'static str) -> Row {
        Row {
            driver,
            bets: Bets::Bundled { times },
            agencies: BUNDLED_AGENCIES,
            durability,
            pace: DEFAULT_PACE,
        }
    }

    fn each(driver: Driver, agencies: u32, durability: &'static str) -> Row {
        Row {
            bets: Bets::Each,
            agencies,
            ..Row::bundled(driver, 1, durability)
        }
    }

    fn paced(self, batch_bets: u32, window: u32) -> Row {
        Row {
            pace: Pace { batch_bets, window },
            ..self
        }
    }

    /// A name by which to ask for the row: `clients-x50-no`, `load-100-always-b10-w1`.
    pub fn name(&self) -> String {
        let driver = match self.driver {
            Driver::Clients => "clients",
            Driver::Load { greets: true } => "load",
            Driver::Load { greets: false } => "load-nohello",
        };
        let bets = match self.bets {
            Bets::Bundled { times } => format!("x{times}"),
            Bets::Each => self.agencies.to_string(),
        };
        let mut name = format!("{driver}-{bets}-{}", self.durability);
        if self.pace.batch_bets != DEFAULT_PACE.batch_bets {
            name += &format!("-b{}", self.pace.batch_bets);
        }
        if self.pace.window != DEFAULT_PACE.window {
            name += &format!("-w{}", self.pace.window);
        }
        name
    }
}

/// The rows of a quick run: those that the targets need, and what the curves need at least.
pub fn quick() -> Vec<Row> {
    let clients = [(1, "no"), (10, "no"), (50, "no"), (50, "always")];
    let clients =
        clients.map(|(times, durability)| Row::bundled(Driver::Clients, times, durability));
    let many = [100, 1000, 10_000].map(|agencies| Row::each(LOAD, agencies, "no"));
    let one_at_a_time = Row::bundled(LOAD, 1, "no").paced(DEFAULT_PACE.batch_bets, 1);
    let mut rows = Vec::from(clients);
    rows.extend([Row::bundled(LOAD, 1, "no"), one_at_a_time]);
    rows.extend(many);
    rows
}

/// All rows.
pub fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    for driver in [Driver::Clients, LOAD] {
        for times in [1, 10, 50] {
            rows.extend(DURABILITIES.map(|durability| Row::bundled(driver, times, durability)));
        }
    }
    for (batch_bets, window) in [
        (DEFAULT_PACE.batch_bets, 1),
        (SMALL_BATCH_BETS, DEFAULT_PACE.window),
        (SMALL_BATCH_BETS, 1),
    ] {
        rows.extend(
            DURABILITIES
                .map(|durability| Row::bundled(LOAD, 1, durability).paced(batch_bets, window)),
        );
    }
    rows.push(Row::bundled(Driver::Load { greets: false }, 10, "no"));
    for agencies in [100, 1000, 10_000] {
        rows.extend(DURABILITIES.map(|durability| Row::each(LOAD, agencies, durability)));
        for durability in ["no", "always"] {
            rows.push(Row::each(LOAD, agencies, durability).paced(SMALL_BATCH_BETS, 1));
        }
    }
    rows.extend(["no", "always"].map(|durability| Row::each(Driver::Clients, 100, durability)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_row_has_a_name_of_its_own() {
        let names: HashSet<_> = all().iter().map(Row::name).collect();
        assert_eq!(names.len(), all().len());
        assert!(names.contains("clients-x50-no"));
        assert!(names.contains("load-100-always-b10-w1"));
    }

    #[test]
    fn a_quick_run_is_part_of_the_whole() {
        let names: HashSet<_> = all().iter().map(Row::name).collect();
        assert!(quick().iter().all(|row| names.contains(&row.name())));
    }
}
