# shellcheck shell=bash
# What the tests of the scripts share.

# Compiled dependencies are the checkout's own; only the copy's crates are built again.
CARGO_TARGET_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/target
export CARGO_TARGET_DIR
