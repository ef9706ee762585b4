//! Which runs there are: a row's name says its workload, word by word.

use anyhow::{Result, bail};

use crate::dialects::Dialect;
use crate::figures::table;

/// When the server syncs, the fastest first.
pub const DURABILITIES: [&str; 3] = ["no", "everysec", "always"];

/// What the words of a row's name mean.
pub const WORDS: &str = include_str!("tables/words.md");

/// All row names, or those of a quick run (what the targets need, and something of each curve), or of
/// these those that contain one of `asked`. An argument that matches nothing is taken as a row.
/// `start`, `store` and `handshakes` are [extras](crate::extras).
pub fn names(is_quick: bool, asked: &[String]) -> csv::Result<Vec<String>> {
    let rows: Vec<(String, bool)> = table(include_str!("tables/rows.csv"))?;
    let is_part = |name: &str| asked.is_empty() || asked.iter().any(|part| name.contains(part));
    let listed = rows.iter().filter(|(_, quick)| *quick || !is_quick);
    let listed = listed.map(|(name, _)| name).filter(|name| is_part(name));
    let is_unlisted = |part: &&String| !rows.iter().any(|(name, _)| name.contains(*part));
    let unlisted = asked.iter().filter(is_unlisted);
    Ok(listed.chain(unlisted).cloned().collect())
}

/// Who the agencies of a row are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// The real client, a process each.
    Clients,
    /// The [load](crate::load), all in one thread.
    Load,
    /// The load, with the server under strace.
    Calls,
}

/// A workload: everything in which rows differ.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    pub driver: Driver,
    /// The flags of the [generator](crate::datasets::Options) for what the agencies bet.
    pub data: String,
    pub batch_bets: u32,
    /// Batches of an agency that may be unanswered at once.
    pub window: u32,
    pub durability: &'static str,
    /// What the agencies speak; the real client knows the native one only.
    pub dialect: Dialect,
    pub is_tls: bool,
    /// Whether [viewers](crate::viewers) follow them.
    pub has_viewers: bool,
}

impl Row {
    /// The workload of a name, be it among the [`names`] or not.
    pub fn named(name: &str) -> Result<Row> {
        let mut row = Row {
            driver: Driver::Clients,
            data: String::new(),
            batch_bets: 125,
            window: 128,
            durability: "always",
            dialect: Dialect::Native,
            is_tls: false,
            has_viewers: false,
        };
        for word in name.split('-') {
            let (letters, count) = word.split_at(word.find(char::is_numeric).unwrap_or(word.len()));
            match (letters, count.parse::<u32>().ok()) {
                ("clients", None) => row.driver = Driver::Clients,
                ("load", None) => row.driver = Driver::Load,
                ("calls", None) => row.driver = Driver::Calls,
                ("x", Some(times)) => row.data = format!("--times {times}"),
                ("", Some(agencies)) => row.data = format!("--agencies {agencies} --bets 100"),
                ("b", Some(bets)) => row.batch_bets = bets,
                ("w", Some(window)) => row.window = window,
                ("tls", None) => row.is_tls = true,
                ("viewers", None) => row.has_viewers = true,
                _ => {
                    let dialect = Dialect::ALL.into_iter().find(|known| known.name() == word);
                    let durability = DURABILITIES.into_iter().find(|known| *known == word);
                    match (dialect, durability) {
                        (Some(dialect), _) => row.dialect = dialect,
                        (_, Some(durability)) => row.durability = durability,
                        _ => bail!("{name}: what is {word:?}?"),
                    }
                }
            }
        }
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_workload_of_its_own_as_its_name_says() {
        let mut rows = Vec::new();
        for name in &names(false, &[]).unwrap()[3..] {
            let row = Row::named(name).unwrap();
            assert!(!rows.contains(&row), "{name}");
            rows.push(row);
        }
        let row = Row::named("load-1000-b10-w1-everysec").unwrap();
        assert_eq!((row.driver, row.durability), (Driver::Load, "everysec"));
        assert_eq!((row.batch_bets, row.window), (10, 1));
        assert_eq!(row.data, "--agencies 1000 --bets 100");
        assert!(Row::named("load-fast-no").is_err());
    }

    #[test]
    fn a_part_of_a_name_is_all_that_contain_it_or_a_row_of_its_own() {
        let asked = ["clients-x50", "start", "load-x7-no"].map(str::to_owned);
        let chosen = names(false, &asked).unwrap();
        assert_eq!(chosen.len(), 7);
        assert_eq!([&chosen[0], &chosen[6]], ["start", "load-x7-no"]);
    }
}
