//! A disk whose syncs are timed.

use std::io;
use std::time::Instant;

use lottery_core::store::{Disk, DiskFile, FileStatus, ReadFile};

use crate::http::Metrics;

/// A disk that tells the metrics how long its syncs take.
#[derive(Debug)]
pub struct TimedDisk<D> {
    disk: D,
    metrics: Metrics,
}

/// A file of a [`TimedDisk`].
#[derive(Debug)]
pub struct TimedFile<F> {
    file: F,
    metrics: Metrics,
}

impl<D> TimedDisk<D> {
    /// `disk`, timed for `metrics`.
    pub fn new(disk: D, metrics: Metrics) -> TimedDisk<D> {
        TimedDisk { disk, metrics }
    }

    fn timed<F>(&self, file: F) -> TimedFile<F> {
        TimedFile {
            file,
            metrics: self.metrics.clone(),
        }
    }
}

impl<D: Disk> Disk for TimedDisk<D> {
    type File = TimedFile<D::File>;

    fn open(&self, name: &str) -> io::Result<Self::File> {
        Ok(self.timed(self.disk.open(name)?))
    }

    fn open_existing(&self, name: &str) -> io::Result<Option<Self::File>> {
        let file = self.disk.open_existing(name)?;
        Ok(file.map(|file| self.timed(file)))
    }

    fn status(&self, name: &str) -> io::Result<FileStatus> {
        self.disk.status(name)
    }
}

impl<F: DiskFile> ReadFile for TimedFile<F> {
    fn bytes(&self) -> io::Result<u64> {
        self.file.bytes()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, buffer)
    }
}

impl<F: DiskFile> DiskFile for TimedFile<F> {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, bytes)
    }

    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        self.file.truncate(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        let started = Instant::now();
        let result = self.file.sync();
        self.metrics.note_sync(started.elapsed());
        result
    }
}
