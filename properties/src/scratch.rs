//! A file for what reads files by their path.

use std::fs;
use std::path::Path;

/// Hands the path of a file with these contents to `read`.
pub fn with_file<T>(contents: &[u8], read: impl FnOnce(&Path) -> T) -> T {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), contents).unwrap();
    read(file.path())
}
