# shellcheck shell=bash

test_nctest_validates_the_echo_server_beside_a_running_lottery() {
    start lottery 2 server client1
    make docker-compose-up-nc
    expect_ends nctest
    expect_equal "$(logs nctest)" "action: test_echo_server | result: success" "what nctest says"
    expect_no_failure server-nc

    make -s docker-compose-logs-nc >followed 2>&1 &
    wait_until 30 "the followed logs" grep -q 'action: test_echo_server' followed
    make docker-compose-down-nc
    wait $! || true # Following ends with the containers.
    expect_equal "$(docker ps -aq --filter label=com.docker.compose.project=tp0-nc)" "" "containers left"
    expect_equal "$(docker network ls -q --filter label=com.docker.compose.project=tp0-nc)" "" "networks left"
    expect_equal "$(docker inspect -f '{{.State.Status}}' server)" running "the lottery's server"
}
