//! Everything that the client waits for, and the signals that end every wait.
//!
//! A wait is a `poll(2)` of what is waited for and of a pipe into which the handler of SIGTERM and
//! SIGINT writes. Once a signal has come, each wait and each `Signals::check` fails. The program
//! returns to `main` through these errors, and what it holds logs that it is closed.

use std::ffi::c_int;
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::{pipe, signal_name};

use crate::log_lines;

/// The signals that end the client. Made once, at its start; clones share all of it.
#[derive(Clone, Debug)]
pub struct Signals(Option<Arc<Listener>>);

#[derive(Debug)]
struct Listener {
    /// The signal that came, or 0. The handler sets it before it writes into the pipe.
    arrived: Arc<AtomicUsize>,
    pipe: UnixStream,
    noticed: Once,
}

impl Signals {
    /// Begins to listen for SIGTERM and SIGINT.
    ///
    /// # Errors
    ///
    /// When the system lets no handler be made.
    pub fn listen() -> io::Result<Signals> {
        let arrived = Arc::new(AtomicUsize::new(0));
        let (pipe, writer) = UnixStream::pair()?;
        for signal in [SIGTERM, SIGINT] {
            flag::register_usize(signal, Arc::clone(&arrived), signal as usize)?;
            pipe::register(signal, writer.try_clone()?)?;
        }
        Ok(Signals(Some(Arc::new(Listener {
            arrived,
            pipe,
            noticed: Once::new(),
        }))))
    }

    /// No signals: a wait ends with what it waits for, or at its deadline.
    pub fn none() -> Signals {
        Signals(None)
    }

    /// Fails when a signal has come; the first time, the signal is logged. Work that takes long and
    /// never waits calls this now and then.
    pub(crate) fn check(&self) -> io::Result<()> {
        let Some(listener) = &self.0 else {
            return Ok(());
        };
        let signal = listener.arrived.load(Ordering::SeqCst);
        if signal == 0 {
            return Ok(());
        }
        let name = signal_name(signal as c_int).unwrap_or("unknown");
        listener
            .noticed
            .call_once(|| log_lines::signal_received(name));
        Err(io::Error::other("a signal asks the client to end"))
    }

    /// Whether an error has said that a signal came. Whatever fails after that fails because of it.
    pub fn have_ended_it(&self) -> bool {
        let listener = self.0.as_ref();
        listener.is_some_and(|listener| listener.noticed.is_completed())
    }

    /// Waits for an event, and says whether it came before the deadline. Fails when a signal comes.
    pub(crate) fn wait(
        &self,
        event: Option<PollFd<'_>>,
        deadline: Option<Instant>,
    ) -> io::Result<bool> {
        let signal = self.0.as_ref();
        let signal = signal.map(|listener| PollFd::new(&listener.pipe, PollFlags::IN));
        let mut events: Vec<_> = signal.into_iter().chain(event).collect();
        loop {
            self.check()?;
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut events, timeout.as_ref()) {
                Err(Errno::INTR) => {}
                result => {
                    self.check()?;
                    return Ok(result? > 0);
                }
            }
        }
    }

    /// Sleeps. Fails when a signal comes.
    pub fn sleep(&self, duration: Duration) -> io::Result<()> {
        self.wait(None, Instant::now().checked_add(duration))?;
        Ok(())
    }

    /// Does work that cannot be interrupted, such as the resolution of a name, on a thread of its
    /// own. Fails when it is not done before the deadline, or a signal comes; the work is then left
    /// to itself.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        deadline: Option<Instant>,
    ) -> io::Result<T> {
        let (done, held_while_working) = UnixStream::pair()?;
        let thread = thread::Builder::new().spawn(move || {
            let _held = held_while_working;
            work()
        })?;
        if !self.wait(Some(PollFd::new(&done, PollFlags::IN)), deadline)? {
            return Err(ErrorKind::TimedOut.into());
        }
        let result = thread.join();
        result.map_err(|_| io::Error::other("the thread panicked"))
    }
}
