//! The promise holds in a few hundred worlds, and every world is the same each time.

use lottery_core::testing::{Counts, merge};
use lottery_simulation::World;

#[test]
fn the_promise_holds_in_a_few_hundred_worlds() {
    let mut counts = Counts::new();
    for seed in 0..400 {
        match World::run(seed, false) {
            Ok(met) => merge(&mut counts, &met),
            Err(broken) => panic!("seed {seed}: {broken}"),
        }
    }
    for name in [
        "central crashes",
        "takeovers",
        "resumes",
        "torn writes",
        "cut connections",
    ] {
        assert!(counts.contains_key(name), "{name}: {counts:?}");
    }
}

#[test]
fn a_seed_makes_the_same_world_again() {
    for seed in 0..20 {
        let [first, second] =
            [(); 2].map(|()| World::run(seed, false).map_err(|broken| broken.to_string()));
        assert_eq!(first, second, "seed {seed}");
    }
}
