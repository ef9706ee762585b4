//! The checks on what the fuzzers have found worth keeping, which reaches everything that any input is
//! known to reach; on random mixtures of pieces of that; and on random bytes.

#![allow(clippy::unwrap_used)] // A test says what went wrong by panicking.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use lottery_fuzz_checks::{CHECKS, check};
use proptest::prelude::*;
use proptest::sample::{Index, select};

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    let files = fs::read_dir(corpora.join(name)).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    paths
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

#[test]
fn what_the_fuzzers_have_found() {
    for (name, check) in CHECKS {
        let inputs = corpus(name);
        assert!(!inputs.is_empty(), "no corpus for {name}");
        for (path, input) in inputs {
            assert!(catch_unwind(|| check(&input)).is_ok(), "{}", path.display());
        }
    }
}

/// Pieces of the inputs in any order: more often nearly right than random bytes.
fn mixtures(inputs: Vec<(PathBuf, Vec<u8>)>) -> impl Strategy<Value = Vec<u8>> {
    let ends = any::<[Index; 2]>();
    let piece = (select(inputs), ends).prop_map(|((_, input), ends)| {
        let mut ends = ends.map(|end| end.index(input.len() + 1));
        ends.sort_unstable();
        input[ends[0]..ends[1]].to_vec()
    });
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn anything((name, input) in select(&CHECKS[..]).prop_flat_map(|(name, _)| {
        let bytes = prop::collection::vec(any::<u8>(), 0..600);
        (Just(name), prop_oneof![1 => bytes, 3 => mixtures(corpus(name))])
    })) {
        check(name, &input);
    }
}
