# shellcheck shell=bash disable=SC2154 # suite.sh and status_of set what is read here.

test_changed_files_take_effect_on_restart_without_a_build() {
    local images
    images=$(docker image inspect -f '{{.Id}}' server:latest client:latest)
    set_value client/config.yaml period '"100ms"'
    start echo 1
    expect_ends client1
    expect_equal "$(log_count server 'action: config')" 0 "the server's lines of level DEBUG"
    expect_equal "$(log_count client1 'loop_amount: 5 | loop_period: 100ms | log_level: INFO')" 1 "the client's first configuration"

    set_value server/config.ini SERVER_PORT 23456
    set_value server/config.ini SERVER_LISTEN_BACKLOG 7
    set_value server/config.ini LOGGING_LEVEL DEBUG
    set_value client/config.yaml address '"server:23456"'
    set_value client/config.yaml amount 2
    set_value client/config.yaml level '"DEBUG"'
    compose restart -t 1

    expect_ends client1
    expect_equal "$(log_count server 'action: config | result: success | port: 23456 | listen_backlog: 7 | logging_level: DEBUG')" 1 "the server's configuration"
    expect_equal "$(log_count client1 'action: config | result: success | client_id: 1 | server_address: server:23456 | loop_amount: 2 | loop_period: 100ms | log_level: DEBUG')" 1 \
        "the client's configuration"
    expect_equal "$(log_count client1 'action: receive_message | result: success')" 7 "messages before and after"
    expect_equal "$(docker image inspect -f '{{.Id}}' server:latest client:latest)" "$images" "images"
}

test_a_mounted_folder_that_the_server_may_not_write_is_told_with_what_to_type() {
    mkdir mounted
    status_of docker run --rm -v "$PWD/mounted:/storage" server:latest
    expect_equal "$status" 1 "status"
    expect_contains "$stderr" "type: sudo chown -R 65532 /storage" "the complaint"
}
