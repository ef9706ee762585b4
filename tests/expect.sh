# shellcheck shell=bash
# What every shell test may use. A test ends at the first expectation that is not met.

fail() {
    printf 'line %s\n%s\n' "$(caller 1 || caller 0)" "$*" >&2
    exit 1
}

# skip REASON: this machine lacks what the test needs.
skip() {
    printf '%s\n' "$*" >&2
    exit 77
}

# expect_equal ACTUAL EXPECTED WHAT
expect_equal() {
    [ "$1" = "$2" ] || fail "$3: expected '$2', got '$1'"
}

# expect_contains TEXT PART WHAT
expect_contains() {
    [[ $1 == *"$2"* ]] || fail "$3: expected '$2' in: $1"
}

# expect_not_contains TEXT PART WHAT
expect_not_contains() {
    [[ $1 != *"$2"* ]] || fail "$3: did not expect '$2' in: $1"
}

# status_of COMMAND...: runs it and puts what it did into $status, $stdout and $stderr.
# shellcheck disable=SC2034 # Read by the tests.
status_of() {
    status=0
    stdout=$("$@" 2>stderr.tmp) || status=$?
    stderr=$(<stderr.tmp)
    rm stderr.tmp
}

# wait_until SECONDS WHAT COMMAND...: until it succeeds.
wait_until() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || fail "timed out waiting for $what"
        sleep 0.1
    done
}

# commands_of DOCUMENT HEADING: those of the shell blocks under the heading, each in one line.
commands_of() {
    awk -v heading="$2" '
        /^#+ / && !shell { here = $0; sub(/^#+ /, "", here) }
        /^```/ { shell = $0 == "```sh"; next }
        shell && here == heading { line = line $0; if (!sub(/\\$/, "", line)) { print line; line = "" } }' "$1"
}

# play DOCUMENT HEADING: runs its commands.
play() {
    local line
    while IFS= read -r line; do run_line "$line" </dev/null; done < <(commands_of "docs/$1.md" "$2")
}

# Suites and tests that run some commands differently, or only some, have their own.
run_line() { eval "$1"; }
