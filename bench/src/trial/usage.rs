//! What a process has used, as `/proc` tells.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// The unit of times in `/proc/PID/stat`, on every Linux that is in use.
const TICK: Duration = Duration::from_millis(10);

/// Where a process's own times are in `/proc/PID/stat`, and those of its children that have ended,
/// counted from behind the name.
const OWN_FIELD: usize = 11;
const CHILDREN_FIELD: usize = 13;

/// What a process has used since its start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Time on a processor, exact to the nanosecond where the kernel keeps it so.
    pub cpu: Duration,
    /// The part of it in the kernel, in ticks of 10 ms.
    pub system: Duration,
    /// The most memory it had at once, in bytes (VmHWM).
    pub peak_bytes: u64,
}

impl Usage {
    /// What process `id` has used.
    ///
    /// # Errors
    ///
    /// When there is no such process.
    pub fn of(id: u32) -> Result<Usage> {
        let read = |file: &str| {
            let path = format!("/proc/{id}/{file}");
            fs::read_to_string(&path).context(path)
        };
        let stat = read("stat")?;
        let (user, system) = ticks(&stat, OWN_FIELD).context("reading /proc/PID/stat")?;
        let peak_kib = read("status")?.lines().find_map(peak_kib);
        Ok(Usage {
            cpu: scheduled(id).unwrap_or(TICK * (user + system)),
            system: TICK * system,
            peak_bytes: peak_kib.context("reading /proc/PID/status")? * 1024,
        })
    }

    /// What was used since `earlier`; the peak is that of now.
    pub fn since(&self, earlier: &Usage) -> Usage {
        Usage {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            system: self.system.saturating_sub(earlier.system),
            peak_bytes: self.peak_bytes,
        }
    }
}

/// The time that the processes used which we started and saw end, in ticks of 10 ms.
///
/// # Errors
///
/// When `/proc` does not tell.
pub fn of_ended_children() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (user, system) = ticks(&stat, CHILDREN_FIELD).context("reading /proc/self/stat")?;
    Ok(TICK * (user + system))
}

/// The time of all threads by the scheduler's own account; not every kernel keeps one.
fn scheduled(id: u32) -> Option<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{id}/task")).ok()? {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        nanoseconds += text.split(' ').next()?.parse::<u64>().ok()?;
    }
    (nanoseconds > 0).then(|| Duration::from_nanos(nanoseconds))
}

/// User and system time, from this field on. The name of the program, in parentheses, may hold
/// anything.
fn ticks(stat: &str, field: usize) -> Option<(u32, u32)> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_whitespace().skip(field);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn peak_kib(line: &str) -> Option<u64> {
    let value = line.strip_prefix("VmHWM:")?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_name_with_parentheses_and_spaces() {
        let stat = "7 (a) 1 (b)) S 1 2 3 4 5 6 7 8 9 10 12 34 56 78 0";
        assert_eq!(ticks(stat, OWN_FIELD), Some((12, 34)));
        assert_eq!(ticks(stat, CHILDREN_FIELD), Some((56, 78)));
        assert_eq!(ticks("7 (a) S 1", OWN_FIELD), None);
    }

    #[test]
    fn this_very_process_has_used_something() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.peak_bytes > 0);
    }
}
