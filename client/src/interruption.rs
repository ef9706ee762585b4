//! Signals that end the program in good order, whatever it waits for.
//!
//! The client has one thread that works and, beside it, one that sleeps until a signal comes. That
//! one leaves a note and wakes the worker: by the condition variable on which it sleeps, by
//! shutting down the socket from which it reads, or by a message to where it awaits a result. The
//! worker finds the note and goes home the ordinary way, through its own returns.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::signal_name;
use thiserror::Error;

/// A signal has asked the program to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("interrupted by {signal}")]
pub struct Interrupted {
    /// The signal's name.
    pub signal: &'static str,
}

/// Where the signal is noted. Made once, at the start of the program, and shared by who waits.
#[derive(Clone)]
pub struct Interruption {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    noted: Condvar,
}

#[derive(Default)]
struct State {
    signal: Option<&'static str>,
    /// How to wake the worker, where the condition variable does not.
    wake: Option<Box<dyn FnMut() + Send>>,
}

impl Interruption {
    /// Begins to listen for SIGTERM and SIGINT.
    ///
    /// # Errors
    ///
    /// When the system lets no handler or no thread be made.
    pub fn listen() -> io::Result<Interruption> {
        let mut signals = Signals::new([SIGTERM, SIGINT])?;
        let interruption = Interruption::never();
        let listener = interruption.clone();
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                if let Some(signal) = signals.forever().next() {
                    listener.note(signal_name(signal).unwrap_or("unknown"));
                }
            })?;
        Ok(interruption)
    }

    /// An interruption that no signal causes.
    pub fn never() -> Interruption {
        let shared = Shared {
            state: Mutex::default(),
            noted: Condvar::new(),
        };
        Interruption {
            shared: Arc::new(shared),
        }
    }

    /// Says whether a signal came.
    ///
    /// # Errors
    ///
    /// [`Interrupted`], when one did.
    pub fn check(&self) -> Result<(), Interrupted> {
        check(&self.lock())
    }

    /// Sleeps for `duration`, or until a signal comes. Who sleeps works with no stream: one that
    /// was guarded is let go of, and closed if nobody else has it.
    ///
    /// # Errors
    ///
    /// [`Interrupted`], when one came.
    pub fn sleep(&self, duration: Duration) -> Result<(), Interrupted> {
        let end = Instant::now() + duration;
        let mut state = self.lock();
        state.wake = None;
        loop {
            check(&state)?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let waited = self.shared.noted.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Has a signal shut the stream down from here on, so that no read or write of it blocks.
    ///
    /// # Errors
    ///
    /// [`Interrupted`], when a signal came before.
    pub fn guard(&self, stream: &TcpStream) -> io::Result<Result<(), Interrupted>> {
        let stream = stream.try_clone()?;
        Ok(self.set_wake(move || {
            // A stream that is closed already blocks nobody.
            let _ = stream.shutdown(Shutdown::Both);
        }))
    }

    /// Runs work that cannot be interrupted, such as the resolution of a name, on a thread of its
    /// own, and waits for its result or for a signal; after a signal the work is left to itself.
    ///
    /// # Errors
    ///
    /// [`Interrupted`], when a signal came.
    pub fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Interrupted> {
        let (sender, receiver) = mpsc::channel();
        let wake_sender = sender.clone();
        self.set_wake(move || {
            let _ = wake_sender.send(None);
        })?;
        thread::spawn(move || sender.send(Some(work())));
        let result = receiver.recv().ok().flatten();
        self.lock().wake = None;
        match result {
            Some(result) => Ok(result),
            None => Err(Interrupted {
                signal: self.lock().signal.unwrap_or("unknown"),
            }),
        }
    }

    fn set_wake(&self, wake: impl FnMut() + Send + 'static) -> Result<(), Interrupted> {
        let mut state = self.lock();
        check(&state)?;
        state.wake = Some(Box::new(wake));
        Ok(())
    }

    fn note(&self, signal: &'static str) {
        let mut state = self.lock();
        state.signal = Some(signal);
        if let Some(wake) = &mut state.wake {
            wake();
        }
        self.shared.noted.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn check(state: &State) -> Result<(), Interrupted> {
    match state.signal {
        Some(signal) => Err(Interrupted { signal }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;

    const LONG: Duration = Duration::from_secs(600);

    /// Interrupts as soon as the other thread has begun, or any time after.
    fn interrupted_during<T: Send>(wait: impl FnOnce(&Interruption) -> T + Send) -> T {
        let interruption = Interruption::never();
        thread::scope(|scope| {
            let worker = scope.spawn(|| wait(&interruption));
            interruption.note("SIGTERM");
            worker.join().unwrap()
        })
    }

    #[test]
    fn a_signal_ends_a_sleep() {
        let result = interrupted_during(|interruption| interruption.sleep(LONG));
        assert_eq!(result, Err(Interrupted { signal: "SIGTERM" }));
    }

    #[test]
    fn a_signal_ends_a_wait_for_work_that_never_ends() {
        let result = interrupted_during(|interruption| interruption.run(|| thread::sleep(LONG)));
        assert_eq!(result, Err(Interrupted { signal: "SIGTERM" }));
    }

    #[test]
    fn a_signal_ends_a_read_from_a_silent_peer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let result = interrupted_during(|interruption| {
            let mut stream = TcpStream::connect(address).unwrap();
            if interruption.guard(&stream).unwrap().is_ok() {
                let _ = stream.read(&mut [0]);
            }
            interruption.check()
        });
        assert_eq!(result, Err(Interrupted { signal: "SIGTERM" }));
    }

    #[test]
    fn without_a_signal_everything_ends_in_its_own_time() {
        let interruption = Interruption::never();
        assert_eq!(interruption.sleep(Duration::from_millis(1)), Ok(()));
        assert_eq!(interruption.run(|| 7), Ok(7));
        assert_eq!(interruption.check(), Ok(()));
    }
}
