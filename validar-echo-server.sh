#!/bin/sh
# Says whether the echo server of the compose project answers a message with the same message. The exchange runs in
# a container on the project's network, so the server publishes no port and this machine needs no netcat.
set -u

config=$(dirname "$0")/server/config.ini
network=tp0_testing_net

usage() {
    cat <<USAGE
usage: $0 [--here]

Sends a message to the server that $config names, and prints
"action: test_echo_server | result: success" (exit code 0) or "… | result: fail" (exit code 1).

  --here  use this machine's own network and netcat: for a container that is in the network already
USAGE
}

setting() {
    awk -F '[=:]' -v key="$1" -v value="$2" '
        { gsub(/[ \t\r]/, "") }
        toupper($1) == key { value = $2 }
        END { print value }' "$config"
}

# The arguments are the server's name, its port and the message. A server just started may not listen yet,
# hence the attempts; one that accepts and never answers costs each of them the whole timeout.
# shellcheck disable=SC2016 # The variables are those of the shell that runs it, wherever that is.
exchange='
    for attempt in 1 2 3; do
        answer=$(printf "%s\n" "$3" | timeout 3 nc "$1" "$2")
        [ -z "$answer" ] || break
        [ "$attempt" = 3 ] || sleep 1
    done
    printf "%s\n" "$answer"'

in_network() { docker run --rm --network "$network" busybox:latest "$@" </dev/null; }
in_place() { "$@" </dev/null; }

case "$#:${1-}" in
0:) run=in_network ;;
1:--here) run=in_place ;;
1:-h | 1:--help)
    usage
    exit
    ;;
*)
    usage >&2
    exit 2
    ;;
esac

# Different each time, so that no server passes by always saying the same.
message="¿Hay alguien ahí? $(date +%s)-$$"
answer=$("$run" sh -c "$exchange" sh "$(setting SERVER_IP server)" "$(setting SERVER_PORT 12345)" "$message")

if [ "$answer" = "$message" ]; then
    echo "action: test_echo_server | result: success"
else
    echo "action: test_echo_server | result: fail"
    exit 1
fi
