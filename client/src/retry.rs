//! When to try again, and when to give up.

use std::time::Duration;

/// The first pause, before jitter.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// The longest pause, before jitter.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// How long a connection lasts with which nothing is wrong; more than the longest pause, so that two
/// programs that take over from each other never make one.
const STEADY: Duration = Duration::from_secs(5);

/// Exponential backoff with jitter, within a total time counted from the first failure.
///
/// Agencies that lose the same central would otherwise come back all at the same moment. Time and
/// chance are handed in.
#[derive(Debug)]
pub struct Retry {
    timeout: Duration,
    failing_since: Option<Duration>,
    pause: Duration,
}

impl Retry {
    /// Tries for `timeout` before giving up.
    pub fn new(timeout: Duration) -> Retry {
        Retry {
            timeout,
            failing_since: None,
            pause: PAUSE_MIN,
        }
    }

    /// How long to wait after a failure at `now`, or `None` when it is time to give up. `chance` is
    /// a number from 0 to 1; pauses are between half and all of what is due.
    pub fn pause_after_failure(&mut self, now: Duration, chance: f64) -> Option<Duration> {
        let since = *self.failing_since.get_or_insert(now);
        let left = (since + self.timeout).checked_sub(now)?;
        if left.is_zero() {
            return None;
        }
        let pause = self.pause.mul_f64(0.5 + chance / 2.0);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        Some(pause.min(left))
    }

    /// Notes that a connection ended that had lasted for `lasted`. After a steady one the time to try
    /// begins anew, as nothing was wrong before. A central that greets and then fails, or a second
    /// program that takes the agency over, gives no steady connections, and the time runs on.
    pub fn note_connection(&mut self, lasted: Duration) {
        if lasted >= STEADY {
            self.note_progress();
        }
    }

    /// Notes that something was achieved: the next failure is a first one.
    pub fn note_progress(&mut self) {
        self.failing_since = None;
        self.pause = PAUSE_MIN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);

    #[test]
    fn pauses_double_up_to_a_bound_and_end_with_the_time() {
        let mut retry = Retry::new(TIMEOUT);
        let mut now = Duration::from_secs(1000);
        let end = now + TIMEOUT;
        let mut pauses = Vec::new();
        while let Some(pause) = retry.pause_after_failure(now, 1.0) {
            pauses.push(pause.as_millis());
            now += pause;
        }
        assert_eq!(pauses[..7], [50, 100, 200, 400, 800, 1600, 2000]);
        assert!(pauses.iter().all(|pause| *pause <= 2000));
        assert_eq!(now, end);
    }

    #[test]
    fn jitter_takes_at_most_half_off() {
        let mut retry = Retry::new(TIMEOUT);
        assert_eq!(
            retry.pause_after_failure(Duration::ZERO, 0.0),
            Some(PAUSE_MIN / 2)
        );
    }

    #[test]
    fn progress_begins_the_time_anew() {
        let mut retry = Retry::new(TIMEOUT);
        assert!(retry.pause_after_failure(Duration::ZERO, 1.0).is_some());
        assert!(retry.pause_after_failure(TIMEOUT, 1.0).is_none());
        retry.note_progress();
        assert_eq!(retry.pause_after_failure(TIMEOUT, 1.0), Some(PAUSE_MIN));
    }

    #[test]
    fn only_a_steady_connection_begins_the_time_anew() {
        let mut retry = Retry::new(TIMEOUT);
        retry.pause_after_failure(Duration::ZERO, 1.0);
        retry.note_connection(STEADY - Duration::from_millis(1));
        assert_eq!(retry.pause_after_failure(TIMEOUT, 1.0), None);
        retry.note_connection(STEADY);
        assert_eq!(retry.pause_after_failure(TIMEOUT, 1.0), Some(PAUSE_MIN));
    }

    #[test]
    fn no_time_to_retry_means_no_retry() {
        assert_eq!(
            Retry::new(Duration::ZERO).pause_after_failure(Duration::ZERO, 1.0),
            None
        );
    }
}
