//! A file that only grows, and what of it is certain.

use std::io;

use super::CommitError;
use super::disk::{Disk, DiskFile, FileStatus};

/// A file that records are appended to.
#[derive(Debug)]
pub(super) struct AppendFile<F> {
    pub name: &'static str,
    pub file: F,
    inode: (u64, u64),
    /// Bytes of whole records.
    pub bytes: u64,
    /// Bytes that a good sync has covered.
    synced_bytes: u64,
    /// Whether something was appended since then. An append that was undone counts as well: until the
    /// cut is on the medium, a power cut may bring its rows back.
    pub is_unsynced: bool,
}

impl<F: DiskFile> AppendFile<F> {
    /// A file of `disk` that was just opened. Its first `bytes` are good and on the medium.
    pub fn new(
        disk: &impl Disk,
        name: &'static str,
        file: F,
        bytes: u64,
    ) -> io::Result<AppendFile<F>> {
        Ok(AppendFile {
            name,
            file,
            inode: disk.status(name)?.inode,
            bytes,
            synced_bytes: bytes,
            is_unsynced: false,
        })
    }

    /// Checks that the file on `disk` is still this one, and as long as we left it.
    pub fn check_untouched(&self, disk: &impl Disk) -> Result<(), CommitError> {
        let (file, inode, bytes) = (self.name, self.inode, self.bytes);
        match disk.status(file) {
            Ok(status) if status == FileStatus { inode, bytes } => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(CommitError::NothingStored { file, error })
            }
            _ => Err(CommitError::Tampered { file }),
        }
    }

    /// Appends records. The inner error means that the file was cut back to where it was, the outer one
    /// that this failed too.
    pub fn append(&mut self, records: &[u8]) -> Result<io::Result<()>, CommitError> {
        self.is_unsynced = true;
        let result = self.file.write_at(self.bytes, records);
        match result {
            Ok(()) => self.bytes += records.len() as u64,
            Err(_) => (self.file.truncate(self.bytes))
                .map_err(|error| self.in_doubt("undoing a failed append", error))?,
        }
        Ok(result)
    }

    /// Waits until everything appended is on the medium. When that fails, the system may have given up
    /// the pages that it could not write, and still show them to every reader. What was appended since
    /// the last good sync is therefore cut off, if the disk lets it be, and the next opening writes
    /// again what it believes.
    pub fn sync(&mut self) -> Result<(), CommitError> {
        if !self.is_unsynced {
            return Ok(());
        }
        if let Err(error) = self.file.sync() {
            let _ = self.file.truncate(self.synced_bytes);
            return Err(self.in_doubt("sync", error));
        }
        self.synced_bytes = self.bytes;
        self.is_unsynced = false;
        Ok(())
    }

    fn in_doubt(&self, operation: &'static str, error: io::Error) -> CommitError {
        CommitError::InDoubt {
            file: self.name,
            operation,
            error,
        }
    }
}
