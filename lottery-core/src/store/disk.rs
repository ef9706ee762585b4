//! The few things that the store asks of a disk.
//!
//! Production hands in a [`Folder`]; the simulator hands in a disk that tears, loses and fails.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A place with files in it.
pub trait Disk {
    /// A file of this disk.
    type File: DiskFile;

    /// Opens the file of this name for reading and writing, and makes it when it is missing. Once
    /// this has returned, a file that was made stays made.
    ///
    /// # Errors
    ///
    /// Whatever the system says; also when another process has the file open in this manner.
    fn open(&self, name: &str) -> io::Result<Self::File>;
}

/// A file of a [`Disk`]. What is written lasts through a crash of the program, and through a power
/// cut once [`DiskFile::sync`] has returned.
pub trait DiskFile {
    /// The file's length in bytes.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    fn bytes(&self) -> io::Result<u64>;

    /// Reads at `offset` into the front of `buffer` and says how many bytes; 0 at the end.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    ///
    /// Whatever the system says; some of the bytes may have been written then.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file to `bytes`.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    fn truncate(&mut self, bytes: u64) -> io::Result<()>;

    /// Waits until everything written is on the medium.
    ///
    /// # Errors
    ///
    /// Whatever the system says. What was written before is then in doubt, and syncing again does
    /// not settle it: the system may have given up the pages and would report success.
    fn sync(&mut self) -> io::Result<()>;
}

/// A folder of the system's.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder at `path`, which need not exist before a file in it is opened.
    pub fn new(path: impl Into<PathBuf>) -> Folder {
        Folder { path: path.into() }
    }

    /// Opens a file to look at it, which no server may use at the time.
    ///
    /// # Errors
    ///
    /// Whatever the system says; also when it does not exist, or a server has it open.
    pub fn open_to_look(&self, name: &str) -> io::Result<File> {
        let file = File::open(self.path.join(name))?;
        expect_lock(file.try_lock_shared())?;
        Ok(file)
    }
}

fn expect_lock(result: Result<(), TryLockError>) -> io::Result<()> {
    match result {
        Ok(()) => Ok(()),
        Err(TryLockError::Error(error)) => Err(error),
        Err(TryLockError::WouldBlock) => Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            "another process has it open; expected a folder that no server uses",
        )),
    }
}

impl Disk for Folder {
    type File = File;

    fn open(&self, name: &str) -> io::Result<File> {
        if !self.path.exists() {
            fs::create_dir_all(&self.path)?;
            // A new folder's name is on the medium only once its parent is.
            let parent = self
                .path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty());
            File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.path.join(name))?;
        expect_lock(file.try_lock())?;
        // A new file's name is on the medium only once its folder is.
        File::open(&self.path)?.sync_all()?;
        Ok(file)
    }
}

impl DiskFile for File {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match FileExt::read_at(self, buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
