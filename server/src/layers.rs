//! What the layers need to talk with each other: which connection, and when.

use std::time::Duration;

use lottery_core::date::Date;

/// A connection, by a number that is never used twice in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub usize);

/// What a clock and a calendar show; the event loop reads them once a turn.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Time since the server started.
    pub elapsed: Duration,
    /// The day, in UTC.
    pub today: Date,
}
