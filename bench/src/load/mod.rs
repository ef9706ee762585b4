//! The load: many agencies in one thread, as cheap as can be, so that the server is what is
//! measured.
//!
//! Everything that agencies say is in [`Script`]s, encoded before the clock starts. A run connects
//! all agencies, sends, takes the answers and ends when the last agency has its winners, which it
//! counts. It measures each batch from the write that ends it to the read that brings its answer.
//!
//! The agencies are a closed loop, as real ones are: a slow answer holds back the batches behind
//! it, so the times are those that agencies see, and not those of arrivals that nothing slows down.

mod agency;
mod script;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mio::{Events, Interest, Poll, Token};

use crate::histogram::Histogram;
use agency::{Agency, Common};

pub use script::Script;

/// Agencies that may wait for the server's first word at once. More would overflow the backlog of
/// a server that is busy, and a connection that was dropped there is tried again after a second.
const UNHEARD_MAX: usize = 256;

/// Longest silence before a run is given up.
const SILENCE_MAX: Duration = Duration::from_secs(60);

const READ_BYTES: usize = 64 * 1024;

/// What agencies say, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversation {
    /// Hello or not, batches, AllBetsSent, RequestWinners, and the winners.
    Lottery {
        /// Whether they say Hello.
        greets: bool,
    },
    /// The frames of the [floor](crate::floor).
    Floor,
}

/// A load to be run.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// The server.
    pub address: SocketAddr,
    /// Agencies 1 to this one.
    pub agencies: u32,
    /// What they say: one script each, or a shared one for all.
    pub scripts: &'a [Script],
    /// In which form.
    pub conversation: Conversation,
    /// Messages of an agency that may wait for their answer at once.
    pub window: usize,
}

/// What a load saw.
#[derive(Debug)]
pub struct Outcome {
    /// From the first connection to the last winners.
    pub elapsed: Duration,
    /// Bets that were sent and answered.
    pub bets: u64,
    /// The times from a batch to its answer.
    pub answer_times: Histogram,
}

/// Time since the load began.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    fn nanoseconds(self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}

impl Load<'_> {
    /// Runs the load.
    ///
    /// # Errors
    ///
    /// When the server refuses, closes, tells other winners than were sent, or falls silent.
    pub fn run(&self) -> Result<Outcome> {
        ensure!(!self.scripts.is_empty(), "a load needs a script");
        let mut poll = Poll::new()?;
        let mut events = Events::with_capacity(1024);
        let mut agencies: Vec<Agency> = Vec::with_capacity(self.agencies as usize);
        let mut answer_times = Histogram::default();
        let clock = Clock(Instant::now());
        let mut common = Common {
            conversation: self.conversation,
            window: self.window,
            clock,
            buffer: &mut vec![0; READ_BYTES],
            scratch: &mut Vec::new(),
            answer_times: &mut answer_times,
        };
        let (mut heard, mut done) = (0, 0);
        while done < self.agencies as usize {
            while agencies.len() < self.agencies as usize && agencies.len() < heard + UNHEARD_MAX {
                self.connect_next(&poll, &mut agencies)?;
            }
            match poll.poll(&mut events, Some(SILENCE_MAX)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            if events.is_empty() {
                bail!(
                    "{done} of {} agencies are done, and the server is silent",
                    self.agencies
                );
            }
            for event in &events {
                let index = event.token().0;
                let (agency, script) = (&mut agencies[index], self.script(index));
                let before = (agency.was_heard(), agency.is_done());
                if event.is_writable() {
                    agency.writable(script, &mut common)?;
                }
                if event.is_readable() || event.is_read_closed() {
                    agency.readable(script, &mut common)?;
                }
                heard += usize::from(!before.0 && agency.was_heard());
                done += usize::from(!before.1 && agency.is_done());
            }
        }
        let elapsed = clock.0.elapsed();
        let bets = (0..agencies.len()).map(|index| self.script(index).bets);
        let bets = bets.sum();
        agencies.into_iter().for_each(Agency::vanish);
        Ok(Outcome {
            elapsed,
            bets,
            answer_times,
        })
    }

    fn connect_next(&self, poll: &Poll, agencies: &mut Vec<Agency>) -> Result<()> {
        let index = agencies.len();
        let mut agency = Agency::connect(index as u32 + 1, self.address, self.script(index))
            .with_context(|| format!("connecting agency {}", index + 1))?;
        poll.registry().register(
            &mut agency.stream,
            Token(index),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        agencies.push(agency);
        Ok(())
    }

    fn script(&self, index: usize) -> &Script {
        match self.scripts {
            [shared] => shared,
            scripts => &scripts[index],
        }
    }
}
