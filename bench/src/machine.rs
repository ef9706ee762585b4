//! Where figures were taken: figures mean nothing without that.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that a run with 10,000 agencies needs, with room to spare.
const DESCRIPTORS_WANTED: u64 = 65_536;

/// A machine, as far as it matters here.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// Processors that this program may use.
    pub cores: usize,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// The kernel's release.
    pub kernel: String,
    /// The kind of file system that the storage is on.
    pub filesystem: String,
    /// The commit, with a `+` when the working tree differs from it.
    pub commit: String,
}

impl Machine {
    /// This machine, storing in `folder`.
    pub fn describe(folder: &Path) -> Machine {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let unknown = || "unknown".to_owned();
        let kib = field(&read("/proc/meminfo"), "MemTotal")
            .and_then(|text| text.split(' ').next()?.parse::<u64>().ok())
            .unwrap_or_default();
        Machine {
            processor: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mib: kib / 1024,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            filesystem: filesystem_of(folder, &read("/proc/self/mounts")).unwrap_or_else(unknown),
            commit: commit().unwrap_or_else(unknown),
        }
    }
}

/// The load averages, which tell whether the machine had other things to do.
pub fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let averages: Vec<_> = text.split(' ').take(3).collect();
    averages.join(" ")
}

/// Lets this process, and those it starts, open as many files as the system allows or we want.
pub fn raise_descriptor_limit() {
    let now = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: Some(DESCRIPTORS_WANTED),
        maximum: Some(now.maximum.map_or(DESCRIPTORS_WANTED, |maximum| {
            maximum.max(DESCRIPTORS_WANTED)
        })),
    };
    // Only root may raise the maximum; others get as far as it goes, and a run that needs more
    // fails with a message of its own.
    if setrlimit(Resource::Nofile, wanted).is_err() {
        let highest = Rlimit {
            current: now.maximum,
            maximum: now.maximum,
        };
        let _ = setrlimit(Resource::Nofile, highest);
    }
}

/// The value of `name : value` in a file of such lines, as /proc has many.
fn field(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(key, _)| key.trim() == name)?;
    Some(value.trim().to_owned())
}

/// The kind of the mount that `folder` is on: of those that lie above it, the last of the longest.
fn filesystem_of(folder: &Path, mounts: &str) -> Option<String> {
    let folder = fs::canonicalize(folder).ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((Path::new(words.next()?), words.next()?))
    });
    let above = mounts.filter(|(place, _)| folder.starts_with(place));
    let (_, kind) = above.max_by_key(|(place, _)| place.components().count())?;
    Some(kind.to_owned())
}

fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short", "HEAD"])?;
    let is_changed = !git(&["status", "--porcelain"])?.is_empty();
    Some(if is_changed { commit + "+" } else { commit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "model\t\t: 2\nmodel name\t: A CPU\n";
        assert_eq!(field(text, "model name").as_deref(), Some("A CPU"));
        assert_eq!(field(text, "name"), None);
    }

    #[test]
    fn a_folder_is_on_the_nearest_mount_above_it() {
        let mounts = "a / ext4 rw 0 0\nb /usr tmpfs rw 0 0\nc /usrx xfs rw 0 0\n";
        let kind = |folder| filesystem_of(Path::new(folder), mounts);
        assert_eq!(kind("/usr/bin").as_deref(), Some("tmpfs"));
        assert_eq!(kind("/").as_deref(), Some("ext4"));
    }
}
