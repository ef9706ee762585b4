# shellcheck shell=bash disable=SC2154 # suite.sh and status_of set what is read here.

test_five_clients_get_five_messages_back() {
    local id message
    set_value client/config.yaml period '"100ms"'
    start echo 5
    for id in 1 2 3 4 5; do
        expect_ends "client$id"
        for message in 1 2 3 4 5; do
            expect_equal "$(log_count "client$id" "action: receive_message | result: success | client_id: $id | msg: [CLIENT $id] Message N°$message")" 1 \
                "answer $message to client $id"
            expect_equal "$(log_count server "msg: [CLIENT $id] Message N°$message")" 1 "message $message of client $id"
        done
        expect_equal "$(log_count "client$id" "action: loop_finished | result: success | client_id: $id")" 1 "end of client $id"
    done
    expect_no_failure server client1 client2 client3 client4 client5
}

test_validation_says_success_against_the_echo_server() {
    local shell
    start echo 0
    for shell in sh bash; do
        expect_validation success "$shell" ./validar-echo-server.sh
    done
}

test_validation_asks_the_port_that_the_configuration_names() {
    set_value server/config.ini SERVER_PORT 23456
    start echo 0
    expect_validation success ./validar-echo-server.sh
    set_value server/config.ini SERVER_PORT 12345
    expect_validation fail ./validar-echo-server.sh
}

test_validation_says_fail_against_a_server_that_answers_something_else() {
    stand_in 'while true; do nc -l -p 12345 -e echo something else; done'
    expect_validation fail ./validar-echo-server.sh
}

test_validation_says_fail_against_a_server_that_never_answers() {
    stand_in 'while true; do nc -l -p 12345 -e sleep 60; done'
    expect_validation fail timeout 60 ./validar-echo-server.sh
}

test_validation_says_fail_against_none() {
    expect_validation fail ./validar-echo-server.sh
    docker network create --label lottery-test "$network"
    expect_validation fail ./validar-echo-server.sh
}

# stand_in SCRIPT: a container that has the server's name.
stand_in() {
    docker network create --label lottery-test "$network"
    docker run -d --init --label lottery-test --network "$network" --network-alias server busybox:latest sh -c "$1"
}

# expect_validation success|fail COMMAND...
expect_validation() {
    local result=$1
    shift
    status_of "$@"
    expect_equal "$stdout" "action: test_echo_server | result: $result" "output of $*"
    expect_equal "$status" "$([ "$result" = success ] && echo 0 || echo 1)" "exit code of $*"
}
