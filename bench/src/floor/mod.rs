//! The floor: the least that gets the agencies' bytes into one file with an answer for each frame.
//!
//! Agencies send the bytes of their CSV files in frames of [`FRAME_BYTES`] and wait for
//! [`ANSWER_BYTES`] after each; a single epoll thread appends what comes to a file and looks at
//! none of it. Nothing is parsed, checked, logged, encoded or synced. No lottery can be faster, so
//! the time that this takes is the unit in which ours is measured: a ratio to it says as much on
//! one machine as on another.
//!
//! A frame has no header. Every one is full but the last, which the end of the stream ends. The
//! agency closes first, when it has its last answer.

mod agency;
mod server;

pub use agency::send_file;
pub use server::{listen, serve};

/// Bytes of a frame; the last one of a file may have fewer.
pub const FRAME_BYTES: usize = 8192;

/// Bytes of the answer to a frame.
pub const ANSWER_BYTES: usize = 2;
