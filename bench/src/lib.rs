//! Tools around the lottery that no agency and no central needs to run.
//!
//! - [`datasets`]: the seeded generator of the agencies' CSV files.

pub mod datasets;
