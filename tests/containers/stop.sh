# shellcheck shell=bash

# A second is what `make docker-compose-down` gives; whoever needs longer is killed, and its exit code tells.

test_server_and_clients_that_wait_for_the_draw_stop() {
    local container
    # The third agency never comes, so the other two wait.
    start lottery 3 server client1 client2
    wait_for_log server "action: agencia_lista | result: success | agencia: 1"
    wait_for_log server "action: agencia_lista | result: success | agencia: 2"
    # A client that waits, a server with a parked agency, and a client whose server is gone.
    for container in client1 server client2; do
        docker stop -t 1 "$container"
        expect_stopped "$container"
    done
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
    done
}
