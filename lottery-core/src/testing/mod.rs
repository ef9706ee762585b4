//! Test doubles for everybody, behind the feature `testing`.

mod disk;
mod inode;
mod statistics;

pub use disk::{Faults, Operation, SimDisk, SimFile};
pub use inode::SECTOR_BYTES;
pub use statistics::{Counts, Statistics, merge};
