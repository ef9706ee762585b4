use super::{
    people::{People, Person},
    plan::{AgencyPlan, NUMBER_MAX, Plan},
    random::SplitMix64,
};

/// From this many winning bets on, an agency's last one is of the person who made its first: winners are
/// counted by bet, and somebody who won twice shows it.
pub const WINNERS_WITH_A_REPEAT_MIN: u32 = 4;

/// A row of an agency's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bet {
    /// Who bets.
    pub person: Person,
    /// From 0 to [`NUMBER_MAX`].
    pub number: u32,
}

/// The bets of one agency in the order of its file, made one at a time.
#[derive(Debug, Clone)]
pub struct Bets {
    people: People,
    random: SplitMix64,
    winning_number: u32,
    winners: u32,
    next_person: u32,
    bets_left: u32,
    winners_left: u32,
    first_winner: Option<u32>,
}

impl Bets {
    /// The bets of an agency of the plan.
    pub fn new(plan: &Plan, agency: &AgencyPlan) -> Self {
        Self {
            people: People::of_seed(plan.seed),
            // Counted from the far end, as the people have the streams from 0.
            random: SplitMix64::of_stream(plan.seed, u64::MAX - u64::from(agency.agency)),
            winning_number: plan.winning_number,
            winners: agency.winners,
            next_person: agency.first_person,
            bets_left: agency.bets,
            winners_left: agency.winners,
            first_winner: None,
        }
    }

    fn winning_bet(&mut self) -> Bet {
        let is_last = self.winners_left == 1;
        self.winners_left -= 1;
        let index = match self.first_winner {
            Some(first) if is_last && self.winners >= WINNERS_WITH_A_REPEAT_MIN => first,
            _ => self.next_person,
        };
        self.first_winner.get_or_insert(index);
        Bet {
            person: self.people.person(index),
            number: self.winning_number,
        }
    }

    fn losing_bet(&mut self) -> Bet {
        let drawn = self.random.below(NUMBER_MAX);
        let number = if drawn < self.winning_number {
            drawn
        } else {
            drawn + 1
        };
        Bet {
            person: self.people.person(self.next_person),
            number,
        }
    }
}

impl Iterator for Bets {
    type Item = Bet;

    fn next(&mut self) -> Option<Bet> {
        if self.bets_left == 0 {
            return None;
        }
        // Selection sampling: places exactly the planned winners, every choice of rows being equally likely.
        let wins = self.random.below(self.bets_left) < self.winners_left;
        let bet = if wins {
            self.winning_bet()
        } else {
            self.losing_bet()
        };
        self.next_person += 1;
        self.bets_left -= 1;
        Some(bet)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::datasets::Options;

    fn bets(options: &Options, agency: usize) -> Vec<Bet> {
        let plan = options.plan().unwrap();
        Bets::new(&plan, &plan.agencies[agency - 1]).collect()
    }

    fn winning_dnis(bets: &[Bet], winning_number: u32) -> Vec<u32> {
        bets.iter()
            .filter(|bet| bet.number == winning_number)
            .map(|bet| bet.person.dni)
            .collect()
    }

    #[test]
    fn exactly_the_planned_bets_win() {
        for (bets_asked, winners, winning_number) in [
            (1000, 0, 7574),
            (1000, 3, 0),
            (1000, 8, 9999),
            (5, 5, 1),
            (1, 1, 42),
            (0, 0, 42),
        ] {
            let options = Options {
                agencies: Some(2),
                bets: Some(vec![bets_asked]),
                winners: Some(vec![winners]),
                winning_number,
                ..Options::default()
            };
            let bets = bets(&options, 2);
            assert_eq!(bets.len(), bets_asked as usize);
            assert_eq!(winning_dnis(&bets, winning_number).len(), winners as usize);
        }
    }

    #[test]
    fn with_four_winners_the_last_is_the_first_again_and_all_others_are_different_people() {
        let options = Options {
            bets: Some(vec![500]),
            winners: Some(vec![4]),
            ..Options::default()
        };
        let bets = bets(&options, 3);
        let winners = winning_dnis(&bets, options.winning_number);
        assert_eq!(winners[0], winners[3]);
        let people: HashSet<u32> = bets.iter().map(|bet| bet.person.dni).collect();
        assert_eq!(people.len(), 499);
    }

    #[test]
    fn numbers_reach_both_ends_and_spread_evenly() {
        let options = Options {
            bets: Some(vec![200_000]),
            ..Options::default()
        };
        let numbers: Vec<u32> = bets(&options, 1).iter().map(|bet| bet.number).collect();
        assert_eq!(
            (numbers.iter().min(), numbers.iter().max()),
            (Some(&0), Some(&NUMBER_MAX))
        );
        let mut per_thousand = [0_u32; 10];
        numbers
            .iter()
            .for_each(|number| per_thousand[(number / 1000) as usize] += 1);
        assert!(
            per_thousand
                .iter()
                .all(|count| (19_000..21_000).contains(count)),
            "{per_thousand:?}"
        );
    }

    #[test]
    fn a_seed_decides_everything() {
        let of_seed = |seed| {
            bets(
                &Options {
                    bets: Some(vec![100]),
                    seed,
                    ..Options::default()
                },
                2,
            )
        };
        assert_eq!(of_seed(1), of_seed(1));
        assert_ne!(of_seed(1), of_seed(2));
    }

    #[test]
    fn more_agencies_leave_the_first_as_they_were() {
        let of_count = |agencies| {
            bets(
                &Options {
                    agencies: Some(agencies),
                    ..Options::default()
                },
                5,
            )
        };
        assert_eq!(of_count(5), of_count(10));
    }
}
