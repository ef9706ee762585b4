//! What the layers and the programs need to agree on: which connection, when, and who only looks in.

use std::net::Ipv4Addr;
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

/// The loopback address from which a health check connects, where the system lets it choose, so that
/// the server can tell it from an agency and leave it out of its log.
pub const HEALTH_CHECK_SOURCE: Ipv4Addr = Ipv4Addr::new(127, 7, 5, 74);
