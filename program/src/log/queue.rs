//! Lines that wait for a reader who may stall.

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use log::Level;

/// The most that may wait to be written: some 10,000 lines.
const QUEUE_BYTES_MAX: usize = 1 << 20;

/// Room that each rank leaves free for each rank above it.
const RESERVE_BYTES: usize = 128 << 10;

/// Room for the line that counts the dropped ones.
const LOST_LINE_BYTES_MAX: usize = 160;

/// The most that is written at once, so that a slow reader soon makes room for more lines.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// How long lines gather after a write, so that many cost one system call. A lone line goes at once.
const GATHERING_PAUSE: Duration = Duration::from_micros(500);

/// How long a failed write waits for its next attempt.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// What is dropped last. Strangers can cause any number of warnings, so milestones rank above them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// A bounded queue of whole lines. Dropped lines are counted and replaced by one line that says how
/// many.
pub struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    written: Condvar,
}

struct State {
    /// Lines that are not written yet.
    bytes: VecDeque<u8>,
    /// Lines dropped after the last of those.
    lost: u64,
    lost_total: u64,
}

impl State {
    fn is_written(&self) -> bool {
        self.bytes.is_empty() && self.lost == 0
    }

    fn tell_of_lost(&mut self) {
        if self.lost > 0 {
            let event = format!("action: log | result: in_progress | lost: {}", self.lost);
            let line = super::format_line(Level::Warn, module_path!(), &event);
            self.bytes.extend(line.as_bytes());
            self.lost = 0;
        }
    }
}

impl Queue {
    pub const fn new() -> Queue {
        Queue {
            state: Mutex::new(State {
                bytes: VecDeque::new(),
                lost: 0,
                lost_total: 0,
            }),
            filled: Condvar::new(),
            written: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a line, or drops it.
    pub fn push(&self, line: &str, rank: Rank) {
        let mut state = self.lock();
        let bytes = state.bytes.len() + LOST_LINE_BYTES_MAX + line.len();
        if bytes > rank.queue_bytes_max() {
            state.lost += 1;
            state.lost_total += 1;
            return;
        }
        let wakes_writer = state.bytes.is_empty();
        state.tell_of_lost();
        state.bytes.extend(line.as_bytes());
        if wakes_writer {
            self.filled.notify_one();
        }
    }

    /// Waits until everything is written, but no longer than `within`; says whether it is.
    pub fn wait_until_written(&self, within: Duration) -> bool {
        let is_waiting = |state: &mut State| !state.is_written();
        let waited = self
            .written
            .wait_timeout_while(self.lock(), within, is_waiting);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_written()
    }

    pub fn lines_lost(&self) -> u64 {
        self.lock().lost_total
    }

    /// Passes the lines to `write` for ever, even if it fails, takes only a part, or blocks.
    pub fn write_lines(&self, mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> ! {
        loop {
            match write(&self.next_lines()) {
                Ok(bytes @ 1..) => {
                    if self.forget(bytes) {
                        thread::sleep(GATHERING_PAUSE);
                    }
                }
                // A disk may have room again, and a pipe another reader.
                Ok(0) | Err(_) => thread::sleep(RETRY_PAUSE),
            }
        }
    }

    fn next_lines(&self) -> Vec<u8> {
        let waited = self
            .filled
            .wait_while(self.lock(), |state| state.is_written());
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        if state.bytes.is_empty() {
            state.tell_of_lost();
        }
        let bytes = state.bytes.make_contiguous();
        let bytes = &bytes[..bytes.len().min(WRITE_BYTES_MAX)];
        let last_end = bytes.iter().rposition(|byte| *byte == b'\n');
        bytes[..last_end.map_or(bytes.len(), |end| end + 1)].to_vec()
    }

    /// Drops what was written, and returns whether that was all.
    fn forget(&self, bytes: usize) -> bool {
        let mut state = self.lock();
        state.bytes.drain(..bytes);
        if state.is_written() {
            self.written.notify_all();
        }
        state.is_written()
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::sync::Arc;
    use std::time::Instant;

    use log::Log;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// What a queue writes. Whoever holds the lock is a reader that stalls.
    type Written = Arc<Mutex<String>>;

    /// A queue whose writes have these outcomes, bytes or a failure, and succeed afterwards.
    fn queue(outcomes: &'static [Result<usize, ErrorKind>]) -> (Arc<Queue>, Written) {
        let (queue, written) = (Arc::new(Queue::new()), Written::default());
        let (writer, sink) = (Arc::clone(&queue), Arc::clone(&written));
        let mut outcomes = outcomes.iter().copied();
        let write = move |bytes: &[u8]| {
            let bytes_max = outcomes.next().unwrap_or(Ok(usize::MAX))?;
            let bytes = &bytes[..bytes.len().min(bytes_max)];
            let mut written = sink.lock().unwrap();
            written.push_str(std::str::from_utf8(bytes).unwrap());
            Ok(bytes.len())
        };
        thread::spawn(move || writer.write_lines(write));
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
            queue.push("a line longer than those\n", rank);
            expected.push_str("lost: 2\n");
        }
        assert!(expected.len() > QUEUE_BYTES_MAX - 1024 && expected.len() < QUEUE_BYTES_MAX);
        // A flush waits for a reader, and no longer than a moment.
        let started = Instant::now();
        Log::flush(&*queue);
        assert!(started.elapsed() >= super::super::MOMENT);
        assert!(!queue.wait_until_written(Duration::ZERO));
        drop(stalled);
        assert!(queue.wait_until_written(PATIENCE));
        queue.push("there is room again\n", Rank::Ordinary);
        expected.push_str("there is room again\n");
        assert!(queue.wait_until_written(PATIENCE));
        assert_eq!(queue.lines_lost(), 6);
        let written = written.lock().unwrap();
        assert_eq!(written.lines().count(), expected.lines().count());
        for (line, expected) in written.lines().zip(expected.lines()) {
            if expected.starts_with("lost") {
                let event = "WARN  [lottery_program::log::queue] action: log | result: in_progress";
                assert_eq!(line[20..], format!("{event} | {expected}"));
                assert!(line.len() < LOST_LINE_BYTES_MAX);
            } else {
                assert_eq!(line, expected);
            }
        }
    }

    #[test]
    fn a_write_that_fails_or_takes_a_part_is_continued_where_it_stopped() {
        let (queue, written) = queue(&[
            Err(ErrorKind::StorageFull),
            Ok(3),
            Err(ErrorKind::WouldBlock),
            Ok(0),
            Ok(1),
            Err(ErrorKind::BrokenPipe),
        ]);
        for line in ["one\n", "two\n"] {
            queue.push(line, Rank::Ordinary);
            assert!(queue.wait_until_written(PATIENCE));
        }
        assert_eq!(*written.lock().unwrap(), "one\ntwo\n");
        assert_eq!(queue.lines_lost(), 0);
    }
}
