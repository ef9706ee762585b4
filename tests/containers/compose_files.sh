# shellcheck shell=bash disable=SC2154 # suite.sh sets what is read here.

test_compose_accepts_any_number_of_clients() {
    local clients
    for clients in 0 1 5 100; do
        ./generar-compose.sh made.yaml "$clients"
        expect_equal "$(docker compose -f made.yaml config --services | wc -l)" "$((clients + 1))" "services for $clients clients"
    done
}

test_compose_accepts_every_mode() {
    local mode
    for mode in lottery single-bet echo; do
        ./generar-compose.sh made.yaml 2 "$mode"
        expect_contains "$(docker compose -f made.yaml config)" "CLI_MODE: $mode" "$mode"
    done
    docker compose -f docker-compose-netcat.yaml config -q
}

test_no_client_is_a_valid_number_of_clients() {
    start lottery 0
    wait_until 30 "the server to listen" docker run --rm --network "$network" busybox:latest nc server 12345
    compose stop -t 1
    expect_stopped server
    expect_no_failure server
}
