//! Commits on a disk that fails, and files that somebody else touches.

use super::*;
use crate::testing::Operation::{Stat, Sync, Truncate};

#[test]
fn a_failing_disk_takes_a_commit_back_as_far_as_it_can_and_says_how_far() {
    const SYNC_FAILED: &str = "bets.csv: sync failed: simulated failure; restart the server";
    // Room for the bets and a part of a closing, and for a part of the bets.
    let rows = row(1, 11, 7).len() + row(2, 20, 7).len() + 3;
    let (part, all) = (70, usize::MAX);
    let [sync, cut] = [(Sync, BETS_FILE), (Truncate, BETS_FILE)];
    let [sync_closings, cut_closings] = [(Sync, CLOSINGS_FILE), (Truncate, CLOSINGS_FILE)];
    let stat_closings = (Stat, CLOSINGS_FILE);
    let cases: [(_, &[_], _, _); 8] = [
        // Room; operations that fail; the error; bets that are stored when the store is opened again.
        (part, &[], "bets.csv: no storage space", 1),
        (all, &[stat_closings], "closings.csv: simulated failure", 1),
        (rows, &[], "closings.csv: no storage space", 3),
        (part, &[cut], "bets.csv: undoing a", 2),
        (rows, &[cut_closings], "closings.csv: undoing", 3),
        (all, &[sync], SYNC_FAILED, 1),
        (all, &[sync_closings], "closings.csv: sync failed", 3),
        (all, &[sync, cut], SYNC_FAILED, 3),
    ];
    for (room, failing, error, stored) in cases {
        let disk = SimDisk::default();
        let (mut store, _) = open(&disk);
        store.store_bets(1, &bets(1, &[(10, 7)]));
        store.commit(true).unwrap();
        let stage = |store: &mut Store<SimDisk>| {
            store.store_bets(1, &bets(1, &[(11, 7)]));
            store.store_bets(2, &bets(2, &[(20, 7)]));
            store.finish_agency(2);
        };
        stage(&mut store);
        disk.set_faults(Faults {
            room: Some(room),
            ..Faults::failing(failing)
        });
        let found = store.commit(true).unwrap_err();
        assert!(found.to_string().starts_with(error), "{found}");
        let is_fatal = !failing.is_empty() && failing != [stat_closings];
        assert_eq!(found.is_fatal(), is_fatal, "{error}");
        disk.set_faults(Faults::default());
        if !found.is_fatal() {
            assert_eq!(store.tally(1).bets + store.tally(2).bets, stored, "{error}");
            assert!(!store.has_finished(2));
        }
        drop(store);
        // What an opening finds in the cache outlasts the power from there on.
        for _ in 0..2 {
            let (_, recovery) = open(&disk);
            assert_eq!((recovery.bets, recovery.finished), (stored, 0), "{error}");
            disk.restart(true);
        }
        let (mut store, _) = open(&disk);
        stage(&mut store);
        store.commit(true).unwrap();
        drop(store);
        disk.restart(true);
        let (_, recovery) = open(&disk);
        let found = (recovery.bets, recovery.finished);
        assert_eq!(found, (stored + 2, 1), "{error}");
    }
}

#[test]
fn without_syncing_only_closings_sync_and_a_failed_one_takes_back_all_since_the_last() {
    let disk = SimDisk::default();
    let (mut store, _) = open(&disk);
    store.store_bets(1, &bets(1, &[(10, 7)]));
    store.commit(false).unwrap();
    assert!(store.is_unsynced());
    assert_eq!(disk.syncs(BETS_FILE), 1);
    store.sync().unwrap();
    assert!(!store.is_unsynced());
    store.store_bets(1, &bets(1, &[(11, 7)]));
    store.commit(false).unwrap();
    store.finish_agency(1);
    disk.set_faults(Faults::failing(&[(Sync, BETS_FILE)]));
    assert!(matches!(
        store.commit(false),
        Err(CommitError::InDoubt { .. })
    ));
    assert_eq!(text(&disk, BETS_FILE), row(1, 10, 7));
    assert_eq!(text(&disk, CLOSINGS_FILE), "");
}

#[test]
fn what_was_undone_is_undone_on_the_medium_before_anything_rests_on_it() {
    let disk = SimDisk::default();
    let (mut store, _) = open(&disk);
    store.store_bets(1, &bets(1, &[(10, 7)]));
    disk.set_faults(Faults::full_after(3));
    store.commit(true).unwrap_err();
    disk.set_faults(Faults::default());
    store.finish_agency(1);
    store.commit(true).unwrap();
    assert_eq!(disk.syncs(BETS_FILE), 2);
    store.finish_agency(2);
    disk.set_faults(Faults::full_after(3));
    store.commit(true).unwrap_err();
    disk.set_faults(Faults::default());
    let syncs = disk.syncs(CLOSINGS_FILE);
    store.store_bets(2, &bets(2, &[(20, 7)]));
    store.commit(true).unwrap();
    assert_eq!(disk.syncs(CLOSINGS_FILE), syncs + 1);
}

#[test]
fn a_file_that_somebody_touched_is_missed_at_the_next_commit() {
    let tamper: [fn(&SimDisk, &'static str); 4] = [
        |disk, name| disk.remove(name),
        |disk, name| disk.rename(name, "elsewhere"),
        |disk, name| disk.cut(name, 3),
        |disk, name| disk.put(name, &disk.cached(name)),
    ];
    let with_each = |name| tamper.map(|tamper| (name, tamper));
    for (name, tamper) in [BETS_FILE, CLOSINGS_FILE].map(with_each).concat() {
        let disk = SimDisk::default();
        let (mut store, _) = open(&disk);
        store.store_bets(1, &bets(1, &[(10, 7)]));
        store.finish_agency(1);
        store.commit(true).unwrap();
        tamper(&disk, name);
        store.commit(true).unwrap();
        let error = store.record_draw(HELD).unwrap_err();
        assert!(matches!(error, CommitError::Tampered { file } if file == name));
        assert!(error.is_fatal() && !disk.has(DRAW_FILE));
        store.store_bets(2, &bets(2, &[(20, 7)]));
        let error = store.commit(true).unwrap_err();
        assert!(matches!(error, CommitError::Tampered { file } if file == name));
    }
}
