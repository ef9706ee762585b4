use super::people::PEOPLE_MAX;

/// The seed of the committed files: the year in which the Lotería Nacional was founded.
pub const DEFAULT_SEED: u64 = 1893;

/// The number drawn, as the central's `WINNING_NUMBER`.
pub const DEFAULT_WINNING_NUMBER: u32 = 7574;

/// The bets of the five committed files. With more agencies the list starts over.
pub const DEFAULT_BETS: [u32; 5] = [26_936, 25_518, 16_014, 9_238, 991];

/// The winning bets of the five committed files. With more agencies the list starts over.
pub const DEFAULT_WINNERS: [u32; 5] = [5, 2, 8, 3, 0];

/// The most agencies: a file each, so that a slip of the keyboard does not fill a folder.
pub const AGENCIES_MAX: u32 = 10_000;

/// The largest number that can be bet on.
pub const NUMBER_MAX: u32 = 9_999;

/// What was asked for; what was not is `None`, or its default.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many agencies; without it as many as the lists of bets or winners have entries, or else five.
    pub agencies: Option<u32>,
    /// One count for every agency, or one for each; without it [`DEFAULT_BETS`], over and over.
    pub bets: Option<Vec<u32>>,
    /// One count for every agency, or one for each; without it [`DEFAULT_WINNERS`], over and over, and never
    /// more than an agency has bets.
    pub winners: Option<Vec<u32>>,
    /// Multiplies the bets of each agency.
    pub times: u32,
    /// Everything that is drawn follows from it.
    pub seed: u64,
    /// The number that precisely the winners bet on.
    pub winning_number: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            agencies: None,
            bets: None,
            winners: None,
            times: 1,
            seed: DEFAULT_SEED,
            winning_number: DEFAULT_WINNING_NUMBER,
        }
    }
}

/// Complete and checked: made by [`Options::plan`], carried out file by file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Everything that is drawn follows from it.
    pub seed: u64,
    /// The number that precisely the winners bet on.
    pub winning_number: u32,
    /// In order, from agency 1.
    pub agencies: Vec<AgencyPlan>,
}

/// What the file of one agency will hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgencyPlan {
    /// From 1.
    pub agency: u32,
    /// How many rows.
    pub bets: u32,
    /// How many of them are on the winning number.
    pub winners: u32,
    /// The index of the first of its people; the earlier ones bet at the agencies before it.
    pub(super) first_person: u32,
}

/// Options that no files can be made of.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the messages say what the fields are")]
pub enum PlanError {
    #[error("--agencies {agencies}: expected 1 to {AGENCIES_MAX}")]
    Agencies { agencies: u64 },
    #[error(
        "--{option} has {entries} entries for {agencies} agencies: expected one for all or one for each"
    )]
    ListLength {
        option: &'static str,
        entries: usize,
        agencies: u32,
    },
    #[error(
        "--winners asks for {winners} winners among the {bets} bets of agency {agency}: expected at most {bets}"
    )]
    Winners {
        agency: u32,
        winners: u32,
        bets: u32,
    },
    #[error(
        "the agencies up to {agency} would have {bets} bets: expected at most {PEOPLE_MAX} together, a person each"
    )]
    TooManyBets { agency: u32, bets: u64 },
    #[error("--winning-number {number}: expected 0 to {NUMBER_MAX}")]
    WinningNumber { number: u32 },
}

impl Options {
    /// Completes what was asked for with the defaults, and checks that it fits together.
    pub fn plan(&self) -> Result<Plan, PlanError> {
        if self.winning_number > NUMBER_MAX {
            return Err(PlanError::WinningNumber {
                number: self.winning_number,
            });
        }
        let count = self.agency_count()?;
        let bets_per_agency = per_agency("bets", self.bets.as_deref(), &DEFAULT_BETS, count)?;
        let winners_per_agency =
            per_agency("winners", self.winners.as_deref(), &DEFAULT_WINNERS, count)?;

        let mut agencies = Vec::with_capacity(count as usize);
        let mut first_person = 0;
        for (agency, (bets_once, winners_asked)) in
            (1..).zip(bets_per_agency.zip(winners_per_agency))
        {
            let bets_so_far =
                u64::from(first_person) + u64::from(bets_once) * u64::from(self.times);
            let next_person = u32::try_from(bets_so_far)
                .ok()
                .filter(|&people| people <= PEOPLE_MAX)
                .ok_or(PlanError::TooManyBets {
                    agency,
                    bets: bets_so_far,
                })?;
            let bets = next_person - first_person;
            let winners = if self.winners.is_none() {
                winners_asked.min(bets)
            } else {
                winners_asked
            };
            if winners > bets {
                return Err(PlanError::Winners {
                    agency,
                    winners,
                    bets,
                });
            }
            agencies.push(AgencyPlan {
                agency,
                bets,
                winners,
                first_person,
            });
            first_person = next_person;
        }
        Ok(Plan {
            seed: self.seed,
            winning_number: self.winning_number,
            agencies,
        })
    }

    fn agency_count(&self) -> Result<u32, PlanError> {
        let listed = [&self.bets, &self.winners]
            .into_iter()
            .flatten()
            .map(Vec::len)
            .find(|&entries| entries > 1);
        let agencies = match (self.agencies, listed) {
            (Some(agencies), _) => u64::from(agencies),
            (None, Some(entries)) => entries as u64,
            (None, None) => DEFAULT_BETS.len() as u64,
        };
        u32::try_from(agencies)
            .ok()
            .filter(|count| (1..=AGENCIES_MAX).contains(count))
            .ok_or(PlanError::Agencies { agencies })
    }
}

fn per_agency<'a>(
    option: &'static str,
    asked: Option<&'a [u32]>,
    default: &'a [u32],
    agencies: u32,
) -> Result<impl Iterator<Item = u32> + 'a, PlanError> {
    let list = match asked {
        Some(list) if list.len() == 1 || list.len() == agencies as usize => list,
        Some(list) => {
            return Err(PlanError::ListLength {
                option,
                entries: list.len(),
                agencies,
            });
        }
        None => default,
    };
    Ok(list.iter().copied().cycle().take(agencies as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bets_and_winners(options: &Options) -> Vec<(u32, u32)> {
        let plan = options.plan().expect("these options are valid");
        plan.agencies
            .iter()
            .map(|agency| (agency.bets, agency.winners))
            .collect()
    }

    #[test]
    fn the_defaults_are_the_five_committed_files() {
        assert_eq!(
            bets_and_winners(&Options::default()),
            [(26_936, 5), (25_518, 2), (16_014, 8), (9_238, 3), (991, 0)]
        );
    }

    #[test]
    fn more_agencies_repeat_the_default_lists_and_keep_the_first() {
        let ten = Options {
            agencies: Some(10),
            ..Options::default()
        }
        .plan()
        .unwrap();
        let five = Options::default().plan().unwrap();
        assert_eq!(ten.agencies[..5], five.agencies[..]);
        assert_eq!((ten.agencies[6].bets, ten.agencies[6].winners), (25_518, 2));
        assert_eq!(
            ten.agencies[5].first_person, 78_697,
            "nobody bets at two agencies"
        );
    }

    #[test]
    fn one_count_is_for_all_and_a_list_sets_the_number_of_agencies() {
        let one = Options {
            bets: Some(vec![100]),
            ..Options::default()
        };
        assert_eq!(
            bets_and_winners(&one),
            [(100, 5), (100, 2), (100, 8), (100, 3), (100, 0)]
        );
        let list = Options {
            bets: Some(vec![10, 0, 1]),
            ..Options::default()
        };
        assert_eq!(bets_and_winners(&list), [(10, 5), (0, 0), (1, 1)]);
        let winners = Options {
            bets: Some(vec![9]),
            winners: Some(vec![1, 9]),
            times: 2,
            ..Options::default()
        };
        assert_eq!(bets_and_winners(&winners), [(18, 1), (18, 9)]);
    }

    #[test]
    fn options_that_do_not_fit_together_are_refused_with_what_was_expected() {
        let defaults = Options::default;
        for (options, message) in [
            (
                Options {
                    agencies: Some(0),
                    ..defaults()
                },
                "--agencies 0: expected 1 to 10000",
            ),
            (
                Options {
                    agencies: Some(3),
                    bets: Some(vec![1, 2]),
                    ..defaults()
                },
                "--bets has 2 entries for 3 agencies: expected one for all or one for each",
            ),
            (
                Options {
                    bets: Some(vec![1, 2]),
                    winners: Some(vec![0, 0, 0]),
                    ..defaults()
                },
                "--winners has 3 entries for 2 agencies: expected one for all or one for each",
            ),
            (
                Options {
                    bets: Some(vec![5, 2]),
                    winners: Some(vec![3]),
                    ..defaults()
                },
                "--winners asks for 3 winners among the 2 bets of agency 2: expected at most 2",
            ),
            (
                Options {
                    bets: Some(vec![u32::MAX]),
                    times: u32::MAX,
                    ..defaults()
                },
                "the agencies up to 1 would have 18446744065119617025 bets: \
                 expected at most 46000000 together, a person each",
            ),
            (
                Options {
                    agencies: Some(2),
                    bets: Some(vec![23_000_001]),
                    ..defaults()
                },
                "the agencies up to 2 would have 46000002 bets: expected at most 46000000 together, a person each",
            ),
            (
                Options {
                    winning_number: 10_000,
                    ..defaults()
                },
                "--winning-number 10000: expected 0 to 9999",
            ),
        ] {
            assert_eq!(options.plan().unwrap_err().to_string(), message);
        }
    }
}
