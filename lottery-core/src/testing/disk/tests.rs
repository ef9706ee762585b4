//! What the simulated disk keeps and loses.

use std::collections::BTreeSet;

use super::*;
use crate::testing::SECTOR_BYTES;

const FILE: &str = "file";

fn written(disk: &SimDisk) -> SimFile {
    let mut file = disk.open(FILE).unwrap();
    file.write_at(0, &[b'a'; 2 * SECTOR_BYTES]).unwrap();
    file.sync().unwrap();
    file.write_at(2 * SECTOR_BYTES as u64, &[b'b'; 3 * SECTOR_BYTES])
        .unwrap();
    file
}

#[test]
fn what_a_failed_sync_gave_up_is_read_until_the_power_goes_and_no_later_sync_saves_it() {
    let disk = SimDisk::default();
    let mut file = written(&disk);
    let before = disk.cached(FILE);
    disk.set_faults(Faults::failing(&[(Operation::Sync, FILE)]));
    file.sync().unwrap_err();
    disk.set_faults(Faults::default());
    file.sync().unwrap();
    assert_eq!(disk.cached(FILE), before);
    disk.restart(false);
    assert_eq!(disk.cached(FILE), before);
    disk.restart(true);
    let kept = [[b'a'; 2 * SECTOR_BYTES].as_slice(), &[0; 3 * SECTOR_BYTES]].concat();
    assert_eq!(disk.cached(FILE), kept);
}

#[test]
fn a_power_cut_spares_what_was_synced_and_takes_any_sector_of_the_rest() {
    let mut found = BTreeSet::new();
    let statistics = Statistics::default();
    for seed in 0..2_000 {
        let disk = SimDisk::new(Rng::with_seed(seed), statistics.clone());
        let _file = written(&disk);
        disk.restart(true);
        let sectors = disk.cached(FILE);
        let firsts: Vec<u8> = sectors.iter().step_by(SECTOR_BYTES).copied().collect();
        assert_eq!(firsts[..2], *b"aa");
        found.insert(firsts[2..].to_vec());
    }
    for sectors in [
        &b""[..],
        b"b",
        b"bbb",
        b"\0bb",
        b"b\0b",
        b"bb\0",
        b"\0\0\0",
        b"bbb\0",
    ] {
        assert!(found.contains(sectors), "{sectors:?}");
    }
    statistics.add_times("nothing", 0);
    assert!(statistics.counts().into_keys().eq([
        "sectors lost within an append",
        "torn records",
        "unsynced bytes lost",
        "zeros left by a power cut",
    ]));
}
