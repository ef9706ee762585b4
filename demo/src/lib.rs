//! lottery-demo
