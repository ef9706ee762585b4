//! lottery-core
