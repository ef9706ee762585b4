//! Lines on their way to a reader who may stall.

use std::io::{self, ErrorKind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use log::Level;

/// The most that waits to be written: some 40,000 lines.
const QUEUE_BYTES_MAX: usize = 4 << 20;

/// What of that lines of a rank leave to those of the rank above.
const RESERVE_BYTES: usize = 512 << 10;

/// Room for the line that tells of lost ones.
const LOST_LINE_BYTES_MAX: usize = 160;

/// The most that is written at once, so that a slow reader soon makes room for more lines.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// How long lines gather after a write, so that many cost one system call. A lone line goes at once.
const GATHERING_PAUSE: Duration = Duration::from_micros(500);

/// How long a failed write waits for its next attempt.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Which lines are left out last. Strangers can cause trouble as often as they like, so there is a
/// rank above it that they cannot crowd out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// DEBUG and INFO.
    Ordinary,
    /// WARN and ERROR.
    Trouble,
    /// What happens a few times a day.
    Milestone,
}

impl Rank {
    fn queue_bytes_max(self) -> usize {
        QUEUE_BYTES_MAX - RESERVE_BYTES * (Rank::Milestone as usize - self as usize)
    }
}

/// Whole lines within a bound. Those for which there is no room are counted, and a line in their
/// place tells how many they were.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    flushing: Condvar,
    written: Condvar,
}

#[derive(Default)]
struct State {
    lines: String,
    /// Bytes that the writer has taken out of `lines` and not written yet.
    writing_bytes: usize,
    /// Lines left out behind the last one in `lines`.
    lost: u64,
    lost_total: u64,
    flushes: usize,
}

impl State {
    fn is_written(&self) -> bool {
        self.lines.is_empty() && self.writing_bytes == 0 && self.lost == 0
    }

    fn tell_of_lost(&mut self) {
        if self.lost > 0 {
            let event = format_args!("action: log | result: in_progress | lost: {}", self.lost);
            let (line, _) = super::format_line(Level::Warn, module_path!(), &event);
            self.lines.push_str(&line);
            self.lost = 0;
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line in, or leaves it out.
    pub fn push(&self, line: &str, rank: Rank) {
        let mut state = self.lock();
        let bytes = state.lines.len() + state.writing_bytes + LOST_LINE_BYTES_MAX + line.len();
        if bytes > rank.queue_bytes_max() {
            state.lost += 1;
            state.lost_total += 1;
            return;
        }
        let wakes = state.lines.is_empty();
        state.tell_of_lost();
        state.lines.push_str(line);
        drop(state);
        if wakes {
            self.filled.notify_one();
        }
    }

    /// Waits until everything is written, but no longer than `within`; says whether it is.
    pub fn flush(&self, within: Duration) -> bool {
        let mut state = self.lock();
        state.flushes += 1;
        self.flushing.notify_one();
        let waited = self
            .written
            .wait_timeout_while(state, within, |state| !state.is_written());
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.flushes -= 1;
        state.is_written()
    }

    /// Lines left out so far.
    pub fn lines_lost(&self) -> u64 {
        self.lock().lost_total
    }

    /// Hands all lines that there are to `write`, and again when there are more, for ever.
    pub fn write_lines(&self, mut write: impl FnMut(&Lines<'_>)) -> ! {
        loop {
            let text = self.take();
            write(&Lines { queue: self, text });
            let is_unhurried = |state: &mut State| state.flushes == 0;
            let state = self.lock();
            let _ = self
                .flushing
                .wait_timeout_while(state, GATHERING_PAUSE, is_unhurried);
        }
    }

    fn take(&self) -> String {
        let state = self.filled.wait_while(self.lock(), |state| {
            state.lines.is_empty() && state.lost == 0
        });
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.tell_of_lost();
        let text = std::mem::take(&mut state.lines);
        state.writing_bytes = text.len();
        text
    }

    fn note_written(&self, bytes: usize) {
        let mut state = self.lock();
        state.writing_bytes -= bytes;
        if state.flushes > 0 && state.is_written() {
            self.written.notify_all();
        }
    }
}

/// Lines that were taken out of the queue to be written.
pub struct Lines<'a> {
    queue: &'a Queue,
    text: String,
}

impl Lines<'_> {
    /// Writes them all, however often `write` fails, takes a part of them, or blocks.
    pub fn write_to(&self, mut write: impl FnMut(&[u8]) -> io::Result<usize>) {
        let mut rest = self.text.as_bytes();
        while !rest.is_empty() {
            match write(&rest[..rest.len().min(WRITE_BYTES_MAX)]) {
                Ok(bytes @ 1..) => {
                    rest = &rest[bytes..];
                    self.queue.note_written(bytes);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A disk may have room again, and a pipe another reader.
                Ok(0) | Err(_) => thread::sleep(RETRY_PAUSE),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// What a queue writes. Whoever holds the lock is a reader that stalls.
    type Written = Arc<Mutex<String>>;

    /// A queue whose writes have these outcomes, bytes or a failure, and succeed afterwards.
    fn queue(outcomes: &[Result<usize, ErrorKind>]) -> (Arc<Queue>, Written) {
        let (queue, written) = (Arc::new(Queue::default()), Written::default());
        let (writer, sink) = (Arc::clone(&queue), Arc::clone(&written));
        let mut outcomes = VecDeque::from(outcomes.to_vec());
        let mut write = move |bytes: &[u8]| {
            let bytes_max = outcomes.pop_front().unwrap_or(Ok(usize::MAX))?;
            let bytes = &bytes[..bytes.len().min(bytes_max)];
            let mut written = sink.lock().unwrap();
            written.push_str(std::str::from_utf8(bytes).unwrap());
            Ok(bytes.len())
        };
        thread::spawn(move || writer.write_lines(|lines| lines.write_to(&mut write)));
        (queue, written)
    }

    #[test]
    fn lesser_lines_are_lost_first_and_told_of_in_their_place() {
        let (queue, written) = queue(&[]);
        let stalled = written.lock().unwrap();
        let mut expected = String::new();
        for rank in [Rank::Ordinary, Rank::Trouble, Rank::Milestone] {
            let lost_before = queue.lines_lost();
            for number in 0.. {
                let line = format!("{rank:?} {number}\n");
                queue.push(&line, rank);
                if queue.lines_lost() > lost_before {
                    break;
                }
                expected.push_str(&line);
            }
            queue.push("another\n", rank);
            expected.push_str("lost: 2\n");
        }
        assert!(expected.len() > QUEUE_BYTES_MAX - 1024 && expected.len() < QUEUE_BYTES_MAX);
        assert!(!queue.flush(Duration::from_millis(1)), "nobody reads");
        drop(stalled);
        assert!(queue.flush(PATIENCE));
        queue.push("there is room again\n", Rank::Ordinary);
        expected.push_str("there is room again\n");
        assert!(queue.flush(PATIENCE));
        assert_eq!(queue.lines_lost(), 6);
        let mut told = 0;
        let written = written.lock().unwrap();
        for (line, expected) in written.lines().zip(expected.lines()) {
            if expected.starts_with("lost") {
                told += 1;
                let event = "WARN  [lottery_program::log::queue] action: log | result: in_progress";
                assert_eq!(line[20..], format!("{event} | {expected}"));
                assert!(line.len() < LOST_LINE_BYTES_MAX);
            } else {
                assert_eq!(line, expected);
            }
        }
        assert_eq!(
            (told, written.lines().count()),
            (3, expected.lines().count())
        );
    }

    #[test]
    fn a_write_that_fails_or_takes_a_part_is_continued_where_it_stopped() {
        let (queue, written) = queue(&[
            Err(ErrorKind::StorageFull),
            Ok(3),
            Err(ErrorKind::Interrupted),
            Err(ErrorKind::WouldBlock),
            Ok(0),
            Ok(1),
            Err(ErrorKind::BrokenPipe),
        ]);
        for line in ["one\n", "two\n"] {
            queue.push(line, Rank::Ordinary);
            assert!(queue.flush(PATIENCE));
        }
        assert_eq!(*written.lock().unwrap(), "one\ntwo\n");
        assert_eq!(queue.lines_lost(), 0);
    }
}
