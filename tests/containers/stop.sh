# shellcheck shell=bash

# A second is what `make docker-compose-down` gives; whoever needs longer is killed, and its exit code tells.

test_server_with_a_parked_agency_stops() {
    start_with_a_parked_agency
    docker stop -t 1 server
    expect_stopped server
    expect_no_failure server
}

test_client_waiting_for_the_draw_stops() {
    start_with_a_parked_agency
    docker stop -t 1 client1
    expect_stopped client1
    expect_no_failure client1
}

test_client_whose_server_is_gone_stops() {
    start_with_a_parked_agency
    docker stop -t 1 server
    docker stop -t 1 client1
    expect_stopped client1
    expect_no_failure client1
}

test_all_stop_together() {
    local container
    # A period so long that the signal comes while every client waits for its next turn.
    set_value client/config.yaml period '"10m"'
    start echo 5
    for container in client1 client2 client3 client4 client5; do
        wait_for_log "$container" "action: receive_message | result: success"
    done
    compose stop -t 1
    for container in server client1 client2 client3 client4 client5; do
        expect_stopped "$container"
        expect_no_failure "$container"
    done
}

# The second of two agencies never comes, so the first waits for the draw.
start_with_a_parked_agency() {
    start lottery 2 server client1
    wait_for_log server "action: agencia_lista | result: success | agencia: 1 | faltan: 1"
}
