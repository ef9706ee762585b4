//! The seeded generator of the agencies' CSV files, `.data/agency-N.csv` among them.
//!
//! The same options always give the same bytes. An agency's bets depend on nothing but the seed and
//! the sizes of the agencies up to it: more agencies leave the first files as they were.

mod people;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Parser;

use people::{PEOPLE_MAX, People, Person, SplitMix64};

/// The number drawn by default, and the largest that can be bet on.
const WINNING_NUMBER: u32 = 7_574;
const NUMBER_MAX: u32 = 9_999;

/// The bets and the winning bets of the five bundled files. With more agencies the list starts over.
const BUNDLED: [(u32, u32); 5] = [(26_936, 5), (25_518, 2), (16_014, 8), (9_238, 3), (991, 0)];

/// From this many winning bets on, an agency's last one is of the person who made its first: winners
/// are counted by bet, and somebody who won twice shows it.
const WINNERS_WITH_A_REPEAT_MIN: u32 = 4;

/// What was asked for. The defaults make the bundled files.
#[derive(Parser)]
#[command(after_help = "The same options always make the same files, byte for byte.")]
pub struct Options {
    /// Agencies, and so files
    #[arg(long, value_name = "N", default_value = "5", value_parser = 1..=10_000)]
    agencies: i64,
    /// Bets of each agency [default: 26936, 25518, 16014, 9238, 991, and over again]
    #[arg(long, value_name = "N")]
    bets: Option<u32>,
    /// Multiplies the bets of each agency
    #[arg(long, value_name = "K", default_value_t = 1)]
    times: u32,
    /// Another seed makes other people and other bets; 1893 is when the lottery was founded
    #[arg(long, value_name = "S", default_value_t = 1893)]
    seed: u64,
    /// Folder for the files, made if missing; files of the same name are replaced
    #[arg(long, value_name = "DIR", default_value = ".data")]
    pub output: PathBuf,
}

impl Options {
    pub fn plan_of(flags: &str) -> Result<Vec<AgencyPlan>> {
        let words = format!("datasets {flags}");
        Options::try_parse_from(words.split_whitespace())?.plan()
    }

    /// A plan for each agency, from agency 1; an error when there are more bets than people.
    pub fn plan(&self) -> Result<Vec<AgencyPlan>> {
        let mut people = 0;
        let bundled = BUNDLED.iter().cycle().take(self.agencies as usize);
        let plans = (1..).zip(bundled).map(|(agency, (bundled_bets, bundled_winners))| {
            let bets = u64::from(self.bets.unwrap_or(*bundled_bets)) * u64::from(self.times);
            let first_person = people as u32;
            people += bets;
            ensure!(
                people <= u64::from(PEOPLE_MAX),
                "the agencies up to {agency} would have {people} bets: expected at most {PEOPLE_MAX} together, a person each"
            );
            Ok(AgencyPlan {
                agency,
                bets: bets as u32,
                winners: (*bundled_winners).min(bets as u32),
                first_person,
                seed: self.seed,
            })
        });
        plans.collect()
    }
}

/// What the file of one agency will hold.
pub struct AgencyPlan {
    /// From 1.
    pub agency: u32,
    pub bets: u32,
    /// How many of them win.
    pub winners: u32,
    /// The index of the first of its people; the earlier ones bet at the agencies before it.
    first_person: u32,
    seed: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Bet {
    pub person: Person,
    pub number: u32,
}

impl AgencyPlan {
    /// The bets in the order of the file, made one at a time.
    pub fn bets(&self) -> impl Iterator<Item = Bet> {
        let people = People::of_seed(self.seed);
        // Counted from the far end, as the people have the streams from 0.
        let stream = u64::MAX - u64::from(self.agency);
        let mut random = SplitMix64::of_stream(self.seed, stream);
        let repeats = self.winners >= WINNERS_WITH_A_REPEAT_MIN;
        let (mut winners_left, mut first_winner) = (self.winners, None);
        let end = self.first_person + self.bets;
        (self.first_person..end).map(move |index| {
            // Selection sampling: places exactly the planned winners, every choice of rows being
            // equally likely.
            let wins = random.below(end - index) < winners_left;
            let (index, number) = if wins {
                winners_left -= 1;
                let first = *first_winner.get_or_insert(index);
                let is_repeat = repeats && winners_left == 0;
                (if is_repeat { first } else { index }, WINNING_NUMBER)
            } else {
                let drawn = random.below(NUMBER_MAX);
                (index, drawn + u32::from(drawn >= WINNING_NUMBER))
            };
            let person = people.person(index);
            Bet { person, number }
        })
    }

    /// Writes the file: no header, CRLF, and quotes only where a field needs them, as Python's
    /// `csv.writer` does by default.
    pub fn write_csv(&self, output: impl Write) -> io::Result<()> {
        let mut writer = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(output);
        for Bet { person, number } in self.bets() {
            writer.write_record([
                person.first_name,
                person.last_name,
                person.dni.to_string(),
                person.birthdate.to_string(),
                number.to_string(),
            ])?;
        }
        writer.flush()
    }

    /// Writes `agency-N.csv` into a folder, which is made if missing, and returns its path. The file
    /// appears under its name only when whole, so that no agency reads half of one.
    pub fn write_file(&self, folder: &Path) -> Result<PathBuf> {
        let path = folder.join(format!("agency-{}.csv", self.agency));
        // Not a random name: what a killed run left behind is overwritten by the next.
        let partial = path.with_extension("csv.partial");
        let write = || {
            fs::create_dir_all(folder)?;
            self.write_csv(File::create(&partial)?)?;
            fs::rename(&partial, &path)
        };
        write().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.data");

    #[test]
    fn the_committed_files_are_what_the_defaults_make() {
        // Somebody who put the course's files in place has other ones, on purpose.
        let mut archives = ["dataset.zip", "datasets.zip"].into_iter();
        if archives.any(|name| Path::new(DATA).join(name).exists()) {
            return eprintln!("skipped: a zip file in .data has replaced the committed files");
        }
        let folder = tempfile::tempdir().unwrap();
        for plan in Options::plan_of("").unwrap() {
            let made = plan.write_file(folder.path()).unwrap();
            let committed = Path::new(DATA).join(made.file_name().unwrap());
            let is_same = fs::read(made).unwrap() == fs::read(committed).unwrap();
            assert!(is_same, "agency {}: run `make datasets`", plan.agency);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), BUNDLED.len());
    }

    #[test]
    fn the_readme_names_every_winner_and_everybody_bets_once() {
        let readme = fs::read_to_string(Path::new(DATA).join("README.md")).unwrap();
        let mut people = HashSet::new();
        for plan in Options::plan_of("").unwrap() {
            people.extend(plan.bets().map(|bet| bet.person.dni));
            let winning = plan.bets().filter(|bet| bet.number == WINNING_NUMBER);
            let dnis: Vec<_> = winning.map(|bet| bet.person.dni.to_string()).collect();
            assert_eq!(dnis.len(), plan.winners as usize);
            let dnis = dnis.join(", ");
            let shown = if dnis.is_empty() { "none" } else { &dnis };
            let (agency, bets, winners) = (plan.agency, plan.bets, plan.winners);
            let row = format!("| {agency} | {bets} | {winners} | {shown} |");
            assert!(readme.contains(&row), "the README lacks {row}");
        }
        let repeated = 2;
        assert_eq!(people.len(), 78_697 - repeated);
    }

    #[test]
    fn flags_decide_everything_and_more_agencies_leave_the_first_as_they_were() {
        let fifth = |flags| {
            let plan = &Options::plan_of(flags).unwrap()[4];
            plan.bets().collect::<Vec<_>>()
        };
        assert_eq!(fifth("--agencies 10"), fifth(""));
        assert_ne!(fifth("--seed 2"), fifth(""));
        assert_eq!(fifth("--bets 50 --times 2").len(), 100);
        let sixth = &Options::plan_of("--agencies 6").unwrap()[5];
        assert_eq!((sixth.bets, sixth.winners), BUNDLED[0]);
        let error = Options::plan_of("--bets 23000001").err().unwrap();
        let expected = "the agencies up to 2 would have 46000002 bets";
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}
