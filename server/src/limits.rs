//! Every bound that a stranger could push against, in one table. Those that an operator may want to move
//! are settings; their defaults are in [`crate::config`].

use std::time::Duration;

/// Bytes that one system call reads.
pub const READ_BYTES: usize = 64 * 1024;

/// Connections accepted in a turn, so that a crowd at the door does not keep the others waiting.
pub const ACCEPTS_PER_TURN: usize = 64;

/// How long accepting rests when the system has no descriptor for it.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the connections of a rank may take of a turn.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// Connections visited in a turn.
    pub visits: usize,
    /// Bytes read in a turn, of all connections of the rank.
    pub turn_bytes: usize,
    /// Bytes read in one visit, at most: the turn's are shared among those that are ready.
    pub visit_bytes_max: usize,
    /// Messages taken in one visit: the answers to the smallest of questions stay few.
    pub visit_messages: usize,
    /// Unsent answers above which a connection is not read.
    pub unsent_bytes_max: usize,
}

/// The shares of agencies, newcomers, viewers, handshakes and strangers.
pub const SHARES: [Share; 5] = [
    // Agencies: enough for one sync to serve many batches, and some milliseconds' work in all.
    Share {
        visits: 1024,
        turn_bytes: 4 * 1024 * 1024,
        visit_bytes_max: 4 * READ_BYTES,
        visit_messages: 1024,
        unsent_bytes_max: 64 * 1024,
    },
    // Newcomers: agencies in their first words, mostly.
    Share {
        visits: 128,
        turn_bytes: 512 * 1024,
        visit_bytes_max: 8 * 1024,
        visit_messages: 16,
        unsent_bytes_max: 4 * 1024,
    },
    // Viewers. An answer may be a page or the state of a thousand agencies.
    Share {
        visits: 16,
        turn_bytes: 64 * 1024,
        visit_bytes_max: 4 * 1024,
        visit_messages: 1,
        unsent_bytes_max: 64 * 1024,
    },
    // Handshakes: each costs a signature and two verifications, about half a millisecond.
    Share {
        visits: 2,
        turn_bytes: 32 * 1024,
        visit_bytes_max: 16 * 1024,
        visit_messages: 1,
        unsent_bytes_max: 4 * 1024,
    },
    // Strangers. However many there are, a turn gives them a tenth of a millisecond, about as much as
    // an agency's batch takes.
    Share {
        visits: 16,
        turn_bytes: 64 * 1024,
        visit_bytes_max: 4 * 1024,
        visit_messages: 64,
        unsent_bytes_max: 4 * 1024,
    },
];

/// The least that a visit reads, however many connections share a turn.
pub const VISIT_BYTES_MIN: usize = 4 * 1024;

/// Bytes of a peer's half of a TLS handshake. A certificate with its chain has some thousand.
pub const HANDSHAKE_BYTES_MAX: usize = 32 * 1024;

/// The most that `MAX_FRAME` may be.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;

/// Staged bytes above which a turn ends: some 90,000 bets, written in some milliseconds. What one visit
/// takes may come on top.
pub const STAGED_BYTES_MAX: usize = 4 * 1024 * 1024;

// The store takes a hole within its last append for a power cut, and one before it for corruption. A row
// may be twice as long as the bet was on the wire: names of nothing but quotes.
const _: () = assert!(
    (STAGED_BYTES_MAX + 2 * (FRAME_BYTES_MAX + SHARES[0].visit_bytes_max)) as u64
        <= lottery_core::store::APPEND_BYTES_MAX
);

/// Descriptors that are not for connections: the store's files, the listeners, the log.
pub const DESCRIPTORS_RESERVED: usize = 32;

/// Connections of viewers, at most.
pub const VIEWERS_MAX: usize = 2048;

/// Bytes of an HTTP request's head.
pub const HTTP_REQUEST_BYTES_MAX: usize = 8 * 1024;

/// Headers of an HTTP request.
pub const HTTP_HEADERS_MAX: usize = 64;

/// Followers of the board that are sent an event in a turn.
pub const EVENTS_SENT_PER_TURN: usize = 32;

/// How long a connection whose last answer was sent is kept, so that the peer can read the answer
/// before it learns that what it had sent after its request will not be read.
pub const LINGER: Duration = Duration::from_secs(1);

/// How soon a connection whose time is up is looked at again, if it has bytes that nobody has read.
pub const SECOND_LOOK: Duration = Duration::from_secs(1);

/// How long a graceful shutdown waits for answers to leave.
pub const FLUSH_AT_END: Duration = Duration::from_millis(300);

/// How long unsynced bets wait with durability `everysec`.
pub const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// How long the server waits before it tries again to record a draw that the disk did not take.
pub const DRAW_RETRY: Duration = Duration::from_secs(1);

/// Agencies of which a report on request tells.
pub const AGENCIES_REPORTED_MAX: usize = 1000;

/// Agencies that a log line names as missing.
pub const MISSING_NAMED_MAX: usize = 20;

/// Silence after which the system asks whether a peer is still there, and the pause between its
/// questions. A parked agency may be silent for hours, and vanish without a word.
pub const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
/// See [`KEEPALIVE_AFTER`].
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
