//! How often each duration occurred, in little memory and with a known error.

use std::time::Duration;

/// Buckets that each power of two is cut into, as a power of two: 64 buckets, so that a bucket is
/// at most 1/64 of its value wide and a quantile at most 1.6 % too high.
const DIVISION_BITS: u32 = 6;
const DIVISIONS: usize = 1 << DIVISION_BITS;

/// All of `u64` has this many buckets, 30 kB of counters.
const BUCKETS: usize = DIVISIONS * (64 - DIVISION_BITS as usize + 1);

/// Durations in log-linear buckets of nanoseconds: exact below 64 ns, and within 1.6 % above.
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max_ns: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram {
            buckets: vec![0; BUCKETS],
            count: 0,
            max_ns: 0,
        }
    }
}

impl Histogram {
    /// Counts a duration.
    pub fn record(&mut self, duration: Duration) {
        self.record_ns(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Counts a duration of so many nanoseconds.
    pub fn record_ns(&mut self, ns: u64) {
        self.buckets[bucket_of(ns)] += 1;
        self.count += 1;
        self.max_ns = self.max_ns.max(ns);
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Histogram) {
        for (own, others) in self.buckets.iter_mut().zip(&other.buckets) {
            *own += others;
        }
        self.count += other.count;
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The longest, exactly; zero when there was none.
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.max_ns)
    }

    /// The shortest time that a share `quantile` of all did not exceed, from 0 to 1; `None` when
    /// there were none.
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        if self.count == 0 {
            return None;
        }
        let rank = (quantile * self.count as f64).ceil().max(1.0) as u64;
        let mut counted = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            counted += count;
            if counted >= rank {
                return Some(Duration::from_nanos(last_of(bucket).min(self.max_ns)));
            }
        }
        Some(self.max())
    }
}

fn bucket_of(ns: u64) -> usize {
    if ns < DIVISIONS as u64 {
        return ns as usize;
    }
    let shift = u64::BITS - 1 - ns.leading_zeros() - DIVISION_BITS;
    // The highest bit is the same for the whole power of two; the next six choose the bucket.
    let division = (ns >> shift) as usize - DIVISIONS;
    DIVISIONS * (shift as usize + 1) + division
}

/// The largest value in a bucket.
fn last_of(bucket: usize) -> u64 {
    let Some(shift) = (bucket / DIVISIONS).checked_sub(1) else {
        return bucket as u64;
    };
    let first = ((DIVISIONS + bucket % DIVISIONS) as u64) << shift;
    first + ((1_u64 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_a_bucket_that_ends_at_most_a_sixty_fourth_above_it() {
        let around_powers = (0..64).flat_map(|bit| {
            let power = 1_u64 << bit;
            [power - 1, power, power + 1, power + power / 3]
        });
        for ns in around_powers.chain([u64::MAX]) {
            let last = last_of(bucket_of(ns));
            assert!(last >= ns, "{ns}");
            assert!(last - ns <= ns / 64, "{ns} is told as {last}");
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn buckets_follow_each_other_without_gaps() {
        for bucket in 1..BUCKETS {
            assert_eq!(bucket_of(last_of(bucket - 1) + 1), bucket);
        }
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_values_within_the_error() {
        let mut histogram = Histogram::default();
        for ns in (1..=100_000_u64).rev() {
            histogram.record_ns(ns);
        }
        for (quantile, exact) in [(0.5, 50_000.0), (0.99, 99_000.0), (0.999, 99_900.0)] {
            let told = histogram.quantile(quantile).unwrap().as_nanos() as f64;
            assert!((exact..=exact * 1.016).contains(&told), "{told}");
        }
        assert_eq!(histogram.quantile(0.0), Some(Duration::from_nanos(1)));
        assert_eq!(histogram.quantile(1.0), Some(histogram.max()));
        assert_eq!(histogram.max(), Duration::from_nanos(100_000));
    }

    #[test]
    fn an_empty_histogram_has_no_quantiles() {
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn merging_is_as_if_one_had_counted_all() {
        let (mut one, mut other, mut all) = <(Histogram, Histogram, Histogram)>::default();
        for ns in 1..1000 {
            if ns % 3 == 0 { &mut one } else { &mut other }.record_ns(ns * ns);
            all.record_ns(ns * ns);
        }
        one.merge(&other);
        assert_eq!(one.count(), all.count());
        for quantile in [0.1, 0.5, 0.9, 0.99, 1.0] {
            assert_eq!(one.quantile(quantile), all.quantile(quantile));
        }
    }
}
