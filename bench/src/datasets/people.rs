//! The people who bet: invented, each a function of the seed and an index.

use std::sync::LazyLock;

use time::{Date, macros::date};

const DNI_FIRST: u32 = 1_000_000;
const DNI_END: u32 = 47_000_000;

/// How many people there are, and so bets of all agencies together: every bettor is another person.
pub const PEOPLE_MAX: u32 = DNI_END - DNI_FIRST;
const SHUFFLE_MASK: u32 = PEOPLE_MAX.next_power_of_two() - 1;

/// The DNI that somebody born on a day can expect: they are handed out in order, roughly at birth.
const DNI_AT_BIRTH: [(Date, u32); 9] = [
    (date!(1930 - 01 - 01), DNI_FIRST),
    (date!(1940 - 01 - 01), 4_200_000),
    (date!(1950 - 01 - 01), 8_000_000),
    (date!(1960 - 01 - 01), 14_000_000),
    (date!(1970 - 01 - 01), 21_300_000),
    (date!(1980 - 01 - 01), 27_900_000),
    (date!(1990 - 01 - 01), 34_900_000),
    (date!(2000 - 01 - 01), 42_400_000),
    (date!(2005 - 12 - 31), DNI_END),
];

/// How far a birthdate may lie from the day at which its DNI was due.
const REGISTERED_DAYS_OFF_MAX: u32 = 200;

const ONE_IN_TWO_GIVEN_NAMES: u32 = 3;
const ONE_IN_TWO_SURNAMES: u32 = 12;
// Rare enough to look natural, frequent enough that each bundled file has some quoted fields.
const ONE_IN_NICKNAME: u32 = 150;
const ONE_IN_SUFFIX: u32 = 150;

/// Women's and men's given names, surnames, women's and men's nicknames, the most common first.
static NAMES: LazyLock<Vec<Vec<&str>>> = LazyLock::new(|| {
    let lists = include_str!("names.txt").trim().split("\n\n");
    let lists = lists.map(|list| list.split(',').map(str::trim).collect());
    lists.collect()
});

/// Somebody who bets.
#[derive(Debug, PartialEq, Eq)]
pub struct Person {
    /// Given names; some with a nickname in double quotes.
    pub first_name: String,
    /// Surnames; some with a suffix after a comma.
    pub last_name: String,
    /// No two people share one.
    pub dni: u32,
    /// From 1930 to 2005, and near what the DNI suggests.
    pub birthdate: Date,
}

/// The people of a seed, computed from their index.
pub struct People {
    seed: u64,
    shuffle_keys: [u32; 4],
}

impl People {
    pub fn of_seed(seed: u64) -> People {
        let mut random = SplitMix64::of_stream(seed, u64::from(PEOPLE_MAX));
        People {
            seed,
            shuffle_keys: [(); 4].map(|()| random.below(SHUFFLE_MASK + 1)),
        }
    }

    /// The person of an index below [`PEOPLE_MAX`].
    pub fn person(&self, index: u32) -> Person {
        let [women, men, surnames, women_nicknames, men_nicknames] = &NAMES[..] else {
            unreachable!("names.txt has five lists");
        };
        let mut random = SplitMix64::of_stream(self.seed, u64::from(index));
        let dni = DNI_FIRST + self.shuffled(index);
        let birthdate = birthdate(dni, &mut random);
        let (given_names, nicknames, suffix) = if random.one_in(2) {
            (women, women_nicknames, "hija")
        } else {
            (men, men_nicknames, "hijo")
        };
        let mut first_name = given_name(given_names, &mut random);
        if random.one_in(ONE_IN_NICKNAME) {
            first_name += &format!(" \"{}\"", common(nicknames, &mut random));
        }
        let mut last_name = common(surnames, &mut random).to_owned();
        if random.one_in(ONE_IN_TWO_SURNAMES) {
            last_name += &format!(" {}", common(surnames, &mut random));
        }
        if random.one_in(ONE_IN_SUFFIX) {
            last_name += &format!(", {suffix}");
        }
        Person {
            first_name,
            last_name,
            dni,
            birthdate,
        }
    }

    /// A permutation of the indices, so that no two people get the same DNI. Each round is a bijection
    /// on the bits of the mask; a value outside the people is shuffled on until it falls inside.
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
    let at = DNI_AT_BIRTH.map(|(date, dni)| (i64::from(date.to_julian_day()), i64::from(dni)));
    let (dni, last) = (i64::from(dni), at.len() - 1);
    let next = at.partition_point(|&(_, due)| due <= dni).clamp(1, last);
    let ((from_day, from_dni), (to_day, to_dni)) = (at[next - 1], at[next]);
    let due = from_day + (dni - from_dni) * (to_day - from_day) / (to_dni - from_dni);
    let off = i64::from(random.below(2 * REGISTERED_DAYS_OFF_MAX + 1));
    let born = due + off - i64::from(REGISTERED_DAYS_OFF_MAX);
    let born = born.clamp(at[0].0, at[last].0) as i32;
    Date::from_julian_day(born).expect("a day between two dates is a date")
}

fn given_name(list: &[&str], random: &mut SplitMix64) -> String {
    let first = common(list, random);
    if random.one_in(ONE_IN_TWO_GIVEN_NAMES) {
        let second = common(list, random);
        // Nobody is called María María, nor María del Carmen Juan Ignacio.
        if first != second && !first.contains(' ') && !second.contains(' ') {
            return format!("{first} {second}");
        }
    }
    first.to_owned()
}

/// One of a list, rather from its front, as some names are far more common than others.
fn common<'a>(list: &[&'a str], random: &mut SplitMix64) -> &'a str {
    let end = list.len() as u32;
    list[random.below(end).min(random.below(end)) as usize]
}

/// SplitMix64 (Steele, Lea and Flood, 2014). Our own, because the committed files must stay
/// reproducible byte for byte: a library's generator may change its sequence with any version.
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// The generator of one of a seed's streams, which neither overlap nor resemble each other.
    pub fn of_stream(seed: u64, stream: u64) -> SplitMix64 {
        SplitMix64(mix(seed.wrapping_add(mix(stream))))
    }

    /// A number from 0 to `end - 1`; the bias of multiplying instead of rejecting is below 2⁻³².
    pub fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        (((mix(self.0) >> 32) * u64::from(end)) >> 32) as u32
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }
}

fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
