//! What a run waits for: all of it comes through one channel.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

/// The signals by which a user wants an end.
const END_SIGNALS: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];

/// Events that may wait to be handled; the processes wait beyond that, by their full pipes.
const EVENTS_MAX: usize = 1024;

/// The longest line that is read as one.
const LINE_BYTES_MAX: u64 = 16 << 10;

/// A process of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The server.
    Central,
    /// The client of this number.
    Agency(u32),
}

impl Who {
    /// Its place in a list of all processes.
    pub fn index(self) -> usize {
        match self {
            Who::Central => 0,
            Who::Agency(number) => number as usize,
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Who::Central => formatter.write_str("central"),
            Who::Agency(number) => write!(formatter, "agency {number}"),
        }
    }
}

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// A process wrote a line.
    Line {
        /// Who wrote it.
        who: Who,
        /// The line, without its end.
        text: String,
        /// When it was read.
        at: Instant,
    },
    /// A process will write no more.
    OutputEnded(Who),
    /// A signal came: some process ended, or the user wants an end.
    Signal,
}

/// All that happens, from the moment it is made.
#[derive(Debug)]
pub struct Events {
    sender: SyncSender<Event>,
    receiver: Receiver<Event>,
    end_signal: Arc<AtomicUsize>,
}

impl Events {
    /// Begins to watch for signals. The end of a process is one too, so that nobody has to ask for
    /// it again and again.
    ///
    /// # Errors
    ///
    /// When the system takes no handlers.
    pub fn watch() -> io::Result<Events> {
        let (sender, receiver) = sync_channel(EVENTS_MAX);
        let end_signal = Arc::new(AtomicUsize::new(0));
        for signal in END_SIGNALS {
            flag::register_usize(signal, Arc::clone(&end_signal), signal as usize)?;
        }
        let mut signals = Signals::new(END_SIGNALS.iter().chain([&SIGCHLD]))?;
        let events = sender.clone();
        thread::Builder::new().spawn(move || {
            for _ in signals.forever() {
                if events.send(Event::Signal).is_err() {
                    return;
                }
            }
        })?;
        Ok(Events {
            sender,
            receiver,
            end_signal,
        })
    }

    /// Where further events may be sent.
    pub fn sender(&self) -> &SyncSender<Event> {
        &self.sender
    }

    /// The next event, if one comes in time.
    pub fn next(&self, timeout: Duration) -> Option<Event> {
        self.receiver.recv_timeout(timeout).ok()
    }

    /// The signal by which the user wants an end. It overtakes the events before it.
    pub fn end_signal(&self) -> Option<i32> {
        match self.end_signal.load(Ordering::Relaxed) {
            0 => None,
            signal => i32::try_from(signal).ok(),
        }
    }
}

/// Sends what a process writes, line by line, until it ends or nobody listens any more.
///
/// # Errors
///
/// When the system has no thread for it.
pub fn read_lines(
    who: Who,
    output: impl Read + Send + 'static,
    events: SyncSender<Event>,
) -> io::Result<()> {
    thread::Builder::new().spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        // An output that cannot be read any more has ended, whatever the reason.
        while let Ok(1..) = (&mut output)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
        {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            let at = Instant::now();
            if events.send(Event::Line { who, text, at }).is_err() {
                return;
            }
            line.clear();
        }
        // When nobody listens there is nobody to tell.
        let _ = events.send(Event::OutputEnded(who));
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_read_line_by_line_to_its_end() {
        let (sender, receiver) = sync_channel(EVENTS_MAX);
        read_lines(Who::Agency(1), &b"one\r\n\ntwo \xff"[..], sender).unwrap();
        let texts: Vec<String> = receiver
            .iter()
            .map(|event| match event {
                Event::Line { text, .. } => text,
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(texts, ["one", "", "two \u{fffd}", "OutputEnded(Agency(1))"]);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let (sender, receiver) = sync_channel(EVENTS_MAX);
        read_lines(Who::Central, io::repeat(b'x').take(40_000), sender).unwrap();
        assert_eq!(receiver.iter().count(), 3 + 1);
    }
}
