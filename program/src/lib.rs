//! lottery-program
