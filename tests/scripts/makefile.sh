# shellcheck shell=bash

test_bare_make_is_help_and_names_every_target() {
    local target
    expect_equal "$(make -s)" "$(make -s help)" "a bare make"
    for target in run test build lint datasets docker-image docker-compose-up docker-compose-logs docker-compose-down \
        docker-compose-up-nc docker-compose-logs-nc docker-compose-down-nc bench simulate fuzz help; do
        make -s help | grep "^  $target " >/dev/null || fail "no help for $target"
    done
}

test_compose_plugin_is_preferred_to_the_older_program() {
    mkdir bin
    printf '#!/bin/sh\nexit 0\n' >bin/docker
    chmod +x bin/docker
    expect_contains "$(PATH=$PWD/bin:$PATH make -n docker-compose-down)" "docker compose -f docker-compose-dev.yaml stop -t 1" "with the plugin"
    printf '#!/bin/sh\nexit 1\n' >bin/docker
    expect_contains "$(PATH=$PWD/bin:$PATH make -n docker-compose-down)" "docker-compose -f docker-compose-dev.yaml stop -t 1" "without"
}

test_compose_file_is_made_only_if_missing() {
    echo mine >docker-compose-dev.yaml
    make -s docker-compose-dev.yaml
    expect_equal "$(<docker-compose-dev.yaml)" mine "a file that is there"
    rm docker-compose-dev.yaml
    make -s docker-compose-dev.yaml
    ./generar-compose.sh expected.yaml 5
    cmp docker-compose-dev.yaml expected.yaml
}

test_options_of_datasets_reach_the_generator() {
    expect_contains "$(make -n datasets AGENCIES=3 BETS=10 SEED=7)" "--agencies 3 --bets 10 --seed 7" "options"
}
