//! Files that a user names.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Opens a regular file for reading. Anything else is refused: a folder fails only when read, a device
/// may never end, opening a pipe blocks.
///
/// # Errors
///
/// When it is not a regular file, or cannot be opened.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    File::open(path)
}
