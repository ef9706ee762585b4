//! Tools around the lottery that no agency and no central needs to run: they make its data, and
//! measure how fast it is.
//!
//! - [`datasets`]: the seeded generator of the agencies' CSV files.
//! - [`floor`]: the least that any system must do to get those bytes from agencies to a file; what
//!   this machine needs for that is the unit in which the lottery is measured.
//! - [`load`]: many agencies in one thread, as cheap as can be, so that the server is what is
//!   measured.
//! - [`trial`]: one run, from a fresh server to what it cost; [`rows`] says which runs there are,
//!   and [`measure`] does them, ours and the floor in turn.
//! - [`report`]: the targets, the tables and the curves. [`histogram`] and [`statistics`] are what
//!   its figures are made with, and [`machine`] says where they were taken.
//! - [`micro`]: what the microbenchmarks in `benches/` work on.

pub mod datasets;
pub mod floor;
pub mod histogram;
pub mod load;
pub mod machine;
pub mod measure;
pub mod micro;
pub mod report;
pub mod rows;
pub mod statistics;
pub mod trial;
