# shellcheck shell=bash disable=SC2154 # suite.sh and status_of set what is read here.

test_validation_says_success_against_the_echo_server_at_the_port_that_the_configuration_names() {
    local shell
    set_value server/config.ini SERVER_PORT 23456
    start echo 0
    for shell in sh bash; do
        expect_validation success "$shell" ./validar-echo-server.sh
    done
    set_value server/config.ini SERVER_PORT 12345
    expect_validation fail ./validar-echo-server.sh
}

test_validation_says_fail_against_a_server_that_answers_something_else_or_never_or_is_not_there() {
    expect_validation fail ./validar-echo-server.sh
    docker network create --label lottery-test "$network"
    expect_validation fail ./validar-echo-server.sh
    stand_in 'while true; do nc -l -p 12345 -e echo something else; done'
    expect_validation fail ./validar-echo-server.sh
    docker rm -f stand-in
    stand_in 'while true; do nc -l -p 12345 -e sleep 60; done'
    expect_validation fail timeout 60 ./validar-echo-server.sh
}

# stand_in SCRIPT: a container that has the server's name.
stand_in() {
    docker run -d --init --name stand-in --label lottery-test --network "$network" --network-alias server busybox:latest sh -c "$1"
}

# expect_validation success|fail COMMAND...
expect_validation() {
    local result=$1
    shift
    status_of "$@"
    expect_equal "$stdout" "action: test_echo_server | result: $result" "output of $*"
    expect_equal "$status" "$([ "$result" = success ] && echo 0 || echo 1)" "exit code of $*"
}

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
