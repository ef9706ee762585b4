//! When to try again, and when to give up.

use std::time::Duration;

/// The first pause, before jitter.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// The longest pause, before jitter.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// A connection that lasts this long was not taken over: the other client would be back by then.
pub const STEADY: Duration = Duration::from_secs(5);

/// Exponential backoff with jitter, for as long as there is progress.
///
/// Agencies that lose the same central would otherwise come back all at the same moment. Time and
/// chance are handed in.
#[derive(Debug)]
pub struct Retry {
    timeout: Duration,
    last_progress: Duration,
    pause: Duration,
    /// Bets known to be registered.
    registered: u64,
}

impl Retry {
    /// Tries until there was no progress for `timeout`, from `now` on.
    pub fn new(timeout: Duration, now: Duration) -> Retry {
        Retry {
            timeout,
            last_progress: now,
            pause: PAUSE_MIN,
            registered: 0,
        }
    }

    /// How long to wait after a failure at `now`, or `None` when it is time to give up. `chance` is
    /// a number from 0 to 1; pauses are between half and all of what is due.
    pub fn pause_after_failure(&mut self, now: Duration, chance: f64) -> Option<Duration> {
        let end = self.last_progress.saturating_add(self.timeout);
        let left = end.checked_sub(now)?;
        if left.is_zero() {
            return None;
        }
        let pause = self.pause.mul_f64(0.5 + chance / 2.0);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        Some(pause.min(left))
    }

    /// Notes how many bets are registered, after any reply: more than before are progress. Neither
    /// a Welcome without news nor a connection that lasted is.
    pub fn note_registered(&mut self, bets: u64, now: Duration) {
        if bets > self.registered {
            self.note_progress(now);
        }
        self.registered = bets;
    }

    /// Notes that a connection that waited for the draw ended after `lasted`. There was nothing
    /// more to achieve, so a steady one counts as progress up to its end.
    pub fn note_wait(&mut self, lasted: Duration, now: Duration) {
        if lasted >= STEADY {
            self.note_progress(now);
        }
    }

    fn note_progress(&mut self, now: Duration) {
        self.last_progress = now;
        self.pause = PAUSE_MIN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);

    #[test]
    fn pauses_double_up_to_a_bound_and_end_with_the_time_since_the_last_progress() {
        let mut now = Duration::from_secs(1000);
        let end = now + TIMEOUT;
        let mut retry = Retry::new(TIMEOUT, now);
        let mut pauses = Vec::new();
        while let Some(pause) = retry.pause_after_failure(now, 1.0) {
            pauses.push(pause.as_millis());
            now += pause;
        }
        assert_eq!(pauses[..7], [50, 100, 200, 400, 800, 1600, 2000]);
        assert!(pauses.iter().all(|pause| *pause <= 2000));
        assert_eq!(now, end);
        // Jitter takes at most half off, and without time there is no try.
        let first = |timeout| Retry::new(timeout, now).pause_after_failure(now, 0.0);
        assert_eq!(first(TIMEOUT), Some(PAUSE_MIN / 2));
        assert_eq!(first(Duration::ZERO), None);
    }

    #[test]
    fn only_progress_begins_the_time_anew() {
        type Note = fn(&mut Retry);
        let cases: [(Note, bool); 6] = [
            (|_| (), false),
            // A Welcome without news, and one after a loss; then one more bet.
            (|retry| retry.note_registered(5, TIMEOUT), false),
            (|retry| retry.note_registered(0, TIMEOUT), false),
            (|retry| retry.note_registered(6, TIMEOUT), true),
            (|retry| retry.note_wait(STEADY / 2, TIMEOUT), false),
            (|retry| retry.note_wait(STEADY, TIMEOUT), true),
        ];
        for (case, (note, is_progress)) in cases.into_iter().enumerate() {
            let mut retry = Retry::new(TIMEOUT, Duration::ZERO);
            retry.note_registered(5, Duration::ZERO);
            retry.pause_after_failure(Duration::ZERO, 1.0);
            note(&mut retry);
            let pause = retry.pause_after_failure(TIMEOUT, 1.0);
            assert_eq!(pause, is_progress.then_some(PAUSE_MIN), "case {case}");
        }
    }
}
