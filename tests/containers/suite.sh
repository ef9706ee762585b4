# shellcheck shell=bash disable=SC2034 # Variables are for the tests.
# The tests of the real images in real containers. They use the project's own container and network names, so they
# refuse to start where such containers are already running, and remove whatever they made after each test.

# The network of docker-compose-dev.yaml.
network=tp0_testing_net

before_suite() {
    docker info >/dev/null || fail "no Docker engine answers"
    local in_the_way
    in_the_way=$(
        docker ps -a --format '{{.Names}}' | grep -Ex 'server|client[0-9]+|server-nc|nctest' || true
        docker network ls --format '{{.Name}}' | grep -Ex 'tp0(-nc)?_testing_net' || true
    )
    [ -z "$in_the_way" ] || fail "in the way of the tests, remove them first:" "$in_the_way"
    make docker-image
}

# TEST_STATUS, from tests/run, is what the test ended with.
after_test() {
    local mine container
    # Both compose projects, what the tests start by hand, and what a script they interrupted has started.
    for mine in label=com.docker.compose.project=tp0 label=com.docker.compose.project=tp0-nc label=lottery-test network="$network"; do
        for container in $(docker ps -aq --filter "$mine"); do
            [ "${TEST_STATUS:-0}" = 0 ] || tell_about "$container"
            docker rm -f -v "$container" >/dev/null
        done
    done
    docker network ls --format '{{.Name}}' | { grep -Ex 'tp0(-nc)?_testing_net' || true; } | xargs -r docker network rm >/dev/null
}

tell_about() {
    docker inspect -f '{{.Name}}: {{.State.Status}}, exit code {{.State.ExitCode}}' "$1"
    docker logs --tail 30 "$1" 2>&1
}

compose() { docker compose -f docker-compose-dev.yaml "$@"; }

# start MODE CLIENTS [SERVICE...]: from the images that before_suite made.
start() {
    ./generar-compose.sh docker-compose-dev.yaml "$2" "$1"
    compose up -d --no-build "${@:3}"
}

# set_value FILE KEY VALUE: in config.ini or config.yaml, wherever KEY is.
set_value() {
    grep -E "^ *$2 *[:=]" "$1" >/dev/null || fail "$1 has no $2"
    sed -i -E "s|^( *$2 *[:=]).*|\1 $3|" "$1"
}

logs() { docker logs "$1" 2>&1; }

# log_count CONTAINER TEXT: how many of its lines hold TEXT.
log_count() { logs "$1" | grep -cF -- "$2" || true; }

has_logged() { logs "$1" | grep -F -- "$2" >/dev/null; }

wait_for_log() { wait_until 60 "$1 to log '$2'" has_logged "$1" "$2"; }

# expect_ends CONTAINER: by itself, and well.
expect_ends() {
    local code
    code=$(timeout 120 docker wait "$1") || fail "$1 did not end within 120 s"
    expect_equal "$code" 0 "exit code of $1"
}

# expect_stopped CONTAINER: told to, it ended without a failure, and said so to the last line.
expect_stopped() {
    expect_equal "$(docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' "$1")" "exited 0" "$1"
    expect_equal "$(log_count "$1" 'action: signal_received | result: success | signal: SIGTERM')" 1 "signals $1 received"
    expect_contains "$(logs "$1" | tail -n 1)" "action: shutdown | result: success" "last line of $1"
    expect_no_failure "$1"
}

expect_no_failure() {
    local container
    for container; do
        expect_not_contains "$(logs "$container")" "result: fail" "$container"
    done
}

# winning_documents AGENCY: counted from its file, from the end of each row because a quoted name may hold a comma.
winning_documents() {
    awk -F, '{ gsub(/[\r"]/, "") } $NF == 7574 { print $(NF - 2) }' ".data/agency-$1.csv" | sort
}

# told_documents CLIENT: those that it logged, one a line.
told_documents() {
    logs "$1" | sed -n 's/.*action: ganadores | result: success | dnis: *//p' | tr ',' '\n' | sed '/^$/d' | sort
}

# expect_told_its_winners AGENCY...
expect_told_its_winners() {
    local agency
    for agency; do
        expect_equal "$(told_documents "client$agency")" "$(winning_documents "$agency")" "winners of agency $agency"
        expect_equal "$(log_count "client$agency" "action: consulta_ganadores | result: success | cant_ganadores: $(winning_documents "$agency" | wc -l)")" 1 \
            "count of winners told to agency $agency"
    done
}

stored_bets() { docker cp server:/storage/bets.csv - | tar -xO | wc -l; }

# run_line COMMAND: if it needs containers; tests/scripts/operating.sh runs the others.
run_line() {
    case $1 in
    # It follows the logs until they end. In a file, they do not bury what fails.
    *compose-logs) $1 >compose.log 2>&1 & ;;
    *docker* | make\ * | ./* | *\ ./* | mkdir*) eval "$1" ;;
    esac
}

# As root, for whoever runs the tests without.
sudo() { docker run --rm --label lottery-test -v "$PWD:$PWD" -w "$PWD" busybox:latest "$@"; }
