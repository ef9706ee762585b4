//! lottery-bench
