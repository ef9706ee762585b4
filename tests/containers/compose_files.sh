# shellcheck shell=bash disable=SC2154 # suite.sh sets what is read here.

test_compose_accepts_any_number_of_clients_in_every_mode() {
    local clients mode
    for clients in 0 1 100; do
        for mode in lottery single-bet echo; do
            ./generar-compose.sh made.yaml "$clients" "$mode"
            expect_equal "$(docker compose -f made.yaml config --services | wc -l)" "$((clients + 1))" "services for $clients clients in $mode"
        done
    done
    docker compose -f docker-compose-netcat.yaml config -q
}

test_no_client_is_a_valid_number_of_clients() {
    start lottery 0
    wait_until 30 "the server to listen" docker run --rm --network "$network" busybox:latest nc server 12345
    compose stop -t 1
    expect_stopped server
}
