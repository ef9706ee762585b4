#!/usr/bin/env bash
# Shows that the simulator bites: applies each patch of simulation/sabotage/ to a copy of the code, alone, and runs
# worlds until one breaks the promise. Prints the seed that found it. Exit code 0: each was found.
# sabotage.sh [NAME...]: all patches, or these.
set -euo pipefail
cd "$(dirname "$0")/.."
seeds=${SEEDS:-100000}

copy=$PWD/target/sabotage/code
rm -rf "$copy"
mkdir -p "$copy"
git ls-files -z | grep -zv '^\.data/' | xargs -0 cp --parents -t "$copy"
# A sabotaged function may not use its arguments, which is nobody's concern here.
export CARGO_TARGET_DIR=$PWD/target/sabotage/target RUSTFLAGS="--cap-lints allow"
# Many short builds and short runs: what makes a program fast takes longer than it saves.
export CARGO_INCREMENTAL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
missed=0
for patch in "$PWD"/simulation/sabotage/*.patch; do
    name=$(basename "$patch" .patch)
    case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
    patch -d "$copy" -p1 -s <"$patch"
    (cd "$copy" && cargo build --quiet --release --package lottery-simulation)
    if found=$("$CARGO_TARGET_DIR/release/lottery-simulation" --seeds "$seeds"); then
        missed=$((missed + 1))
        found="NOT FOUND in $seeds worlds"
    fi
    printf '%-45s %s\n' "$name" "$(printf '%s\n' "$found" | head -n 1)"
    patch -d "$copy" -p1 -s -R <"$patch"
done
[ "$missed" = 0 ]
