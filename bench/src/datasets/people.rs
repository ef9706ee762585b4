use std::borrow::Cow;

use time::{Date, macros::date};

use super::{names, random::SplitMix64};

/// The smallest DNI given out: seven digits, as those of the oldest people here.
pub const DNI_FIRST: u32 = 1_000_000;

/// One more than the largest DNI given out.
pub const DNI_END: u32 = 47_000_000;

/// How many people there are, which bounds the bets of all agencies together: every bettor is another person.
pub const PEOPLE_MAX: u32 = DNI_END - DNI_FIRST;

/// The birthdate of the oldest people.
pub const BIRTHDATE_FIRST: Date = date!(1930 - 01 - 01);

/// The birthdate of the youngest people.
pub const BIRTHDATE_LAST: Date = date!(2005 - 12 - 31);

/// The DNI that somebody born on a day can expect: they are handed out in order, roughly at birth.
const DNI_AT_BIRTH: [(Date, u32); 9] = [
    (BIRTHDATE_FIRST, DNI_FIRST),
    (date!(1940 - 01 - 01), 4_200_000),
    (date!(1950 - 01 - 01), 8_000_000),
    (date!(1960 - 01 - 01), 14_000_000),
    (date!(1970 - 01 - 01), 21_300_000),
    (date!(1980 - 01 - 01), 27_900_000),
    (date!(1990 - 01 - 01), 34_900_000),
    (date!(2000 - 01 - 01), 42_400_000),
    (BIRTHDATE_LAST, DNI_END),
];

/// How far a birthdate may lie from the day at which its DNI was due.
const REGISTERED_DAYS_OFF_MAX: u32 = 200;

const ONE_IN_TWO_GIVEN_NAMES: u32 = 3;
const ONE_IN_TWO_SURNAMES: u32 = 12;
// Rare enough to look natural, frequent enough that each bundled file has some fields that need quoting.
const ONE_IN_NICKNAME: u32 = 150;
const ONE_IN_SUFFIX: u32 = 150;

/// The smallest power of two that holds [`PEOPLE_MAX`], less one.
const SHUFFLE_MASK: u32 = PEOPLE_MAX.next_power_of_two() - 1;

/// Somebody who bets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Given names; some with a nickname in double quotes.
    pub first_name: Cow<'static, str>,
    /// Surnames; some with a suffix after a comma.
    pub last_name: Cow<'static, str>,
    /// From [`DNI_FIRST`] to below [`DNI_END`]; no two people share one.
    pub dni: u32,
    /// From [`BIRTHDATE_FIRST`] to [`BIRTHDATE_LAST`], and near what the DNI suggests.
    pub birthdate: Date,
}

/// The people of a seed: each a function of the seed and the person's index, so that nobody has to be
/// remembered to bet again, and no DNIs to be told apart.
#[derive(Debug, Clone)]
pub(super) struct People {
    seed: u64,
    shuffle_keys: [u32; 4],
}

impl People {
    pub(super) fn of_seed(seed: u64) -> Self {
        let mut random = SplitMix64::of_stream(seed, u64::from(PEOPLE_MAX));
        Self {
            seed,
            shuffle_keys: [(); 4].map(|()| random.below(SHUFFLE_MASK + 1)),
        }
    }

    /// The person of an index below [`PEOPLE_MAX`].
    pub(super) fn person(&self, index: u32) -> Person {
        assert!(
            index < PEOPLE_MAX,
            "a plan asks for no more people than there are"
        );
        let mut random = SplitMix64::of_stream(self.seed, u64::from(index));
        let dni = DNI_FIRST + self.shuffled(index);
        let birthdate = birthdate(dni, &mut random);
        let is_woman = random.one_in(2);
        let (given_names, nicknames, suffix) = if is_woman {
            (names::WOMEN, names::WOMEN_NICKNAMES, "hija")
        } else {
            (names::MEN, names::MEN_NICKNAMES, "hijo")
        };

        let mut first_name = given_name(given_names, &mut random);
        if random.one_in(ONE_IN_NICKNAME) {
            first_name = format!("{first_name} \"{}\"", common(nicknames, &mut random)).into();
        }
        let mut last_name = surname(&mut random);
        if random.one_in(ONE_IN_SUFFIX) {
            last_name = format!("{last_name}, {suffix}").into();
        }
        Person {
            first_name,
            last_name,
            dni,
            birthdate,
        }
    }

    /// A permutation of the indices below [`PEOPLE_MAX`]: drawing DNIs at random would give some people the
    /// DNI of another, and remembering the drawn ones would take memory for each.
    ///
    /// Each round is a bijection on the 26 bits of the mask; a value outside the people is shuffled on until
    /// it falls inside, which it does, as its cycle leads back to the index it came from.
    fn shuffled(&self, index: u32) -> u32 {
        let mut value = index;
        loop {
            for key in self.shuffle_keys {
                value = (value ^ key).wrapping_mul(0x9e37_79b1) & SHUFFLE_MASK;
                value ^= value >> 13;
            }
            if value < PEOPLE_MAX {
                return value;
            }
        }
    }
}

fn birthdate(dni: u32, random: &mut SplitMix64) -> Date {
    let after = DNI_AT_BIRTH
        .partition_point(|&(_, due)| due <= dni)
        .clamp(1, DNI_AT_BIRTH.len() - 1);
    let ((from_date, from_dni), (to_date, to_dni)) = (DNI_AT_BIRTH[after - 1], DNI_AT_BIRTH[after]);
    let days = i64::from(to_date.to_julian_day() - from_date.to_julian_day());
    let due = i64::from(from_date.to_julian_day())
        + i64::from(dni - from_dni) * days / i64::from(to_dni - from_dni);

    let off = i64::from(random.below(2 * REGISTERED_DAYS_OFF_MAX + 1))
        - i64::from(REGISTERED_DAYS_OFF_MAX);
    let day = (due + off).clamp(
        i64::from(BIRTHDATE_FIRST.to_julian_day()),
        i64::from(BIRTHDATE_LAST.to_julian_day()),
    );
    Date::from_julian_day(day as i32).expect("a day between two dates is a date")
}

fn given_name(list: &[&'static str], random: &mut SplitMix64) -> Cow<'static, str> {
    let first = common(list, random);
    if random.one_in(ONE_IN_TWO_GIVEN_NAMES) {
        let second = common(list, random);
        // Nobody is called María María, nor María del Carmen Juan Ignacio.
        if first != second && !first.contains(' ') && !second.contains(' ') {
            return format!("{first} {second}").into();
        }
    }
    first.into()
}

fn surname(random: &mut SplitMix64) -> Cow<'static, str> {
    let father = common(names::SURNAMES, random);
    if random.one_in(ONE_IN_TWO_SURNAMES) {
        let mother = common(names::SURNAMES, random);
        return format!("{father} {mother}").into();
    }
    father.into()
}

/// One of a list, rather from its front, as some names are far more common than others.
fn common(list: &[&'static str], random: &mut SplitMix64) -> &'static str {
    let end = list.len() as u32;
    list[random.below(end).min(random.below(end)) as usize]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn sample() -> Vec<Person> {
        let people = People::of_seed(5);
        (0..PEOPLE_MAX)
            .step_by(997)
            .map(|index| people.person(index))
            .collect()
    }

    #[test]
    fn a_person_is_the_same_each_time() {
        assert_eq!(People::of_seed(5).person(42), People::of_seed(5).person(42));
        assert_ne!(People::of_seed(5).person(42), People::of_seed(6).person(42));
    }

    #[test]
    fn no_two_people_share_a_dni() {
        let people = sample();
        let dnis: HashSet<u32> = people.iter().map(|person| person.dni).collect();
        assert_eq!(dnis.len(), people.len());
    }

    #[test]
    fn the_shuffle_keeps_to_the_people_at_both_ends() {
        let people = People::of_seed(0);
        let ends = [0, 1, PEOPLE_MAX - 2, PEOPLE_MAX - 1].map(|index| people.shuffled(index));
        assert!(ends.iter().all(|&value| value < PEOPLE_MAX));
        assert_eq!(HashSet::from(ends).len(), 4);
    }

    #[test]
    fn dnis_and_birthdates_are_in_range_and_cover_it() {
        let people = sample();
        assert!(
            people
                .iter()
                .all(|person| (DNI_FIRST..DNI_END).contains(&person.dni))
        );
        assert!(
            people
                .iter()
                .all(|person| (BIRTHDATE_FIRST..=BIRTHDATE_LAST).contains(&person.birthdate))
        );
        assert!(
            people.iter().any(|person| person.dni < 10_000_000),
            "some DNIs have seven digits"
        );
        let years: HashSet<i32> = people
            .iter()
            .map(|person| person.birthdate.year())
            .collect();
        assert_eq!(years.len(), 76, "every year from 1930 to 2005 has births");
    }

    #[test]
    fn dnis_grow_with_the_birthdate() {
        let mut people = sample();
        people.sort_by_key(|person| person.dni);
        for pair in people.windows(2) {
            let back = (pair[0].birthdate - pair[1].birthdate).whole_days();
            assert!(back <= 2 * i64::from(REGISTERED_DAYS_OFF_MAX), "{pair:?}");
        }
    }

    #[test]
    fn names_are_valid_and_of_every_kind() {
        let people = sample();
        let first_names = || people.iter().map(|person| person.first_name.as_ref());
        let last_names = || people.iter().map(|person| person.last_name.as_ref());
        for name in first_names().chain(last_names()) {
            assert!((1..=255).contains(&name.len()), "{name}");
            assert!(!name.chars().any(char::is_control), "{name:?}");
            assert_eq!(name.trim(), name);
        }
        assert!(first_names().any(|name| name.contains(" \"Ñata\"")));
        assert!(first_names().any(|name| name == "María José"));
        for shown in [
            ", hijo",
            ", hija",
            "D'Angelo",
            "Ñancupil",
            "Ibáñez",
            "Núñez",
            "Peña",
        ] {
            assert!(last_names().any(|name| name.contains(shown)), "{shown}");
        }
    }

    #[test]
    fn no_name_is_listed_twice() {
        for list in [
            names::WOMEN,
            names::MEN,
            names::SURNAMES,
            names::WOMEN_NICKNAMES,
            names::MEN_NICKNAMES,
        ] {
            let distinct: HashSet<_> = list.iter().collect();
            assert_eq!(distinct.len(), list.len());
        }
    }
}
