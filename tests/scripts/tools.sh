# shellcheck shell=bash
# The tools that the README names do what it says of them.

test_make_simulate_runs_many_worlds_and_one_again() {
    expect_contains "$(make -s simulate SEEDS=2000)" "the promise held in all of them" "many worlds"
    expect_contains "$(make -s simulate SEED=7)" "the promise held" "one world"
}

test_every_sabotage_applies_to_the_code_as_it_is() {
    local patch
    for patch in simulation/sabotage/*.patch; do
        patch -p1 -s -f --dry-run <"$patch" || fail "$patch does not apply"
    done
}

test_make_bench_quick_draws_the_curves_and_leaves_the_committed_results_alone() {
    cp -r bench before
    rm -rf "$CARGO_TARGET_DIR/bench"
    make -s bench QUICK=1
    diff -r before bench
    expect_contains "$(cat "$CARGO_TARGET_DIR/bench/RESULTS.md")" "5 agencies, bundled data × 50" "the results"
    for curve in throughput answer-times ratio-to-baseline; do
        expect_contains "$(cat "$CARGO_TARGET_DIR/bench/curves/$curve.svg")" "</svg>" "$curve"
    done
}

test_make_fuzz_runs_every_target() {
    local output
    cargo +nightly fuzz --version || skip "cargo-fuzz and a nightly compiler are not installed"
    output=$(make -s fuzz SECONDS_EACH=1 2>&1)
    for target in tests/fuzz/fuzz_targets/*.rs; do
        expect_contains "$output" "==== $(basename "$target" .rs)" "the targets run"
    done
}

test_make_datasets_writes_the_files_asked_for() {
    local output
    output=$(make -s datasets AGENCIES=2 BETS=10 SEED=7 ARGS="--output made")
    expect_contains "$output" "made/agency-2.csv: 10 bets" "what it tells"
    expect_equal "$(wc -l <made/agency-1.csv)" 10 "rows"
}

test_make_build_builds_both_programs() {
    make -s build
    "$CARGO_TARGET_DIR/release/server" --version
    "$CARGO_TARGET_DIR/release/client" --version
}

test_make_dist_packs_static_programs_with_completions_and_man_pages() {
    local program version
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
    rm -rf dist && make -s dist
    cd dist || exit
    sha256sum -c ./*.sha256
    mkdir unpacked && tar -xzf ./*.tar.gz -C unpacked --strip-components 1
    for program in server client; do
        expect_contains "$(ldd "unpacked/$program" 2>&1 || true)" "static" "what $program is linked with"
        expect_contains "$("unpacked/$program" --version)" "$program $version (" "the version of $program"
        expect_contains "$(bash -c "source unpacked/completions/$program.bash; complete -p $program")" "-F _$program" "the completion of $program"
        expect_contains "$(<"unpacked/man/$program.1")" "$program $version" "the man page of $program"
        expect_contains "$(<unpacked/CHANGELOG.md)" "## $version" "the changes"
    done
    expect_contains "$(<unpacked/man/server-winners.1)" "draw was held" "the man page of a command"
    expect_contains "$(<unpacked/completions/_server)" "tls-client-crl" "the completion of a flag"
}
