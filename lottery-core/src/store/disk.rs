//! The few things that the store asks of a disk.
//!
//! Production hands in a [`Folder`]; the simulator hands in a disk that tears, loses and fails.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// A place with files in it. Its errors are whatever the system says.
pub trait Disk {
    /// A file of this disk.
    type File: DiskFile;

    /// Opens the file of this name for reading and writing, and makes it when it is missing. Once
    /// this has returned, a file that was made stays made. An error too, when another process has the
    /// file open in this manner.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// As [`Disk::open`], where a missing file stays missing.
    fn open_existing(&self, name: &str) -> io::Result<Option<Self::File>>;

    /// What has this name now. An error when nothing has.
    fn status(&self, name: &str) -> io::Result<FileStatus>;
}

/// Tells a file from others, and from what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStatus {
    /// The device, and the number of the file on it.
    pub inode: (u64, u64),
    /// Its length in bytes.
    pub bytes: u64,
}

/// A file that is only read. Errors are whatever the system says.
pub trait ReadFile {
    /// The file's length in bytes.
    fn bytes(&self) -> io::Result<u64>;

    /// Reads at `offset` into the front of `buffer` and says how many bytes; 0 at the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

/// A file of a [`Disk`]. What is written lasts through a crash of the program, and through a power
/// cut once [`DiskFile::sync`] has returned.
pub trait DiskFile: ReadFile {
    /// Writes all of `bytes` at `offset`; after an error, some of them may have been written.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file to `bytes`.
    fn truncate(&mut self, bytes: u64) -> io::Result<()>;

    /// Waits until everything written is on the medium. After an error what was written before is in
    /// doubt, and syncing again does not settle it: the system may have given up the pages and would
    /// report success.
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

    /// Opens a file to read it, beside a server that may be using it.
    pub fn open_to_read(&self, name: &str) -> io::Result<File> {
        let path = self.path.join(name);
        check_regular(&path)?;
        File::open(path)
    }

    fn open_with(&self, name: &str, create: bool) -> io::Result<File> {
        check_regular(&self.path.join(name))?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(create)
            .truncate(false)
            .open(self.path.join(name))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) => {
                let reason = "a server is using this folder; stop it first";
                return Err(io::Error::new(ErrorKind::ResourceBusy, reason));
            }
        }
        // A new file's name is on the medium only once its folder is.
        File::open(&self.path)?.sync_all()?;
        Ok(file)
    }
}

/// Opening a pipe would wait for who writes into it, and a device keeps nothing.
fn check_regular(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(metadata) if !metadata.is_file() => Err(io::Error::other("it is no regular file")),
        _ => Ok(()),
    }
}

/// Makes a folder and those above it. A folder's name is on the medium only once its parent is.
fn create_folder(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.exists() {
        return Ok(());
    }
    let parent = path.parent().unwrap_or(Path::new(""));
    create_folder(parent)?;
    fs::create_dir(path)?;
    let parent = match parent.as_os_str().is_empty() {
        true => Path::new("."),
        false => parent,
    };
    File::open(parent)?.sync_all()
}

impl Disk for Folder {
    type File = File;

    fn open(&self, name: &str) -> io::Result<File> {
        create_folder(&self.path)?;
        self.open_with(name, true)
    }

    fn open_existing(&self, name: &str) -> io::Result<Option<File>> {
        match self.open_with(name, false) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            result => result.map(Some),
        }
    }

    fn status(&self, name: &str) -> io::Result<FileStatus> {
        let metadata = fs::metadata(self.path.join(name))?;
        Ok(FileStatus {
            inode: (metadata.dev(), metadata.ino()),
            bytes: metadata.len(),
        })
    }
}

impl ReadFile for File {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match FileExt::read_at(self, buffer, offset) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

impl DiskFile for File {
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
