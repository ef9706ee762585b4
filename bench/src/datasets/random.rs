/// SplitMix64 (Steele, Lea and Flood, 2014).
///
/// Our own, because the committed files must stay reproducible byte for byte: a library's generator may
/// change its sequence with any version, and this one cannot.
#[derive(Debug, Clone)]
pub(super) struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// The generator of one of a seed's streams. Streams are scrambled apart, so that those of neighbouring
    /// numbers neither overlap nor resemble each other.
    pub(super) fn of_stream(seed: u64, stream: u64) -> Self {
        Self {
            state: mix(seed.wrapping_add(mix(stream))),
        }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number from 0 to `end - 1`; 0 when `end` is 0. The bias of multiplying instead of rejecting is
    /// below one in 2³² for every 32-bit `end`.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        (((self.next() >> 32) * u64::from(end)) >> 32) as u32
    }

    /// True once in `n` times.
    pub(super) fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }
}

fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        let mut random = SplitMix64 { state: 1_234_567 };
        let sequence: Vec<u64> = (0..5).map(|_| random.next()).collect();
        assert_eq!(
            sequence,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821
            ]
        );
    }

    #[test]
    fn below_reaches_every_value_and_never_the_end() {
        let mut random = SplitMix64::of_stream(1, 1);
        let mut seen = [0_u32; 10];
        for _ in 0..10_000 {
            seen[random.below(10) as usize] += 1;
        }
        assert!(
            seen.iter().all(|&times| (800..1200).contains(&times)),
            "{seen:?}"
        );
    }

    #[test]
    fn streams_of_one_seed_differ() {
        let first = SplitMix64::of_stream(7, 0).next();
        let second = SplitMix64::of_stream(7, 1).next();
        assert_ne!(first, second);
    }
}
