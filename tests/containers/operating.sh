# shellcheck shell=bash disable=SC2154 # suite.sh and status_of set what is read here.
# What docs/OPERATING.md and docs/SECURITY.md say of containers.

test_a_lottery_in_containers_from_up_to_down_its_board_and_its_winners() {
    local board id
    play OPERATING "In containers"
    expect_equal "$(docker ps -a --filter label=com.docker.compose.project=tp0 --format '{{.Names}}' | sort | paste -s -d ' ')" \
        "client1 client2 client3 client4 client5 server" "containers"
    expect_equal "$(docker network inspect -f '{{(index .IPAM.Config 0).Subnet}}' "$network")" 172.25.125.0/24 "subnet"
    expect_equal "$(docker inspect -f '{{.HostConfig.PortBindings}}' server)" "map[8080/tcp:[{127.0.0.1 }]]" "published ports"
    for id in 1 2 3 4 5; do expect_ends "client$id"; done
    expect_told_its_winners 1 2 3 4 5
    expect_equal "$(log_count server 'action: sorteo | result: success')" 1 "draws"
    expect_no_failure server client1 client2 client3 client4 client5
    expect_equal "$(stored_bets)" "$(cat .data/agency-[1-5].csv | wc -l)" "stored bets"

    expect_contains "$(play OPERATING "Results")" "number drawn: 7574" "the winners"
    play OPERATING "Watching"
    wait_for_log server 'action: estado_agencia | result: success | agencia: 5 | fase: informada'
    board=$(make -s docker-compose-board)
    expect_contains "$board" "http://127.0.0.1:" "the address of the board"
    expect_contains "$(curl -s "$board")" "</script>" "the board"
    expect_equal "$(curl -s "${board}healthz")" "ok" "the health"
    expect_equal "$(make -s docker-compose-winners ARGS="--agency 1 --format csv" | tr -d '\r' | sort)" \
        "$(winning_documents 1 | sed 's/^/1,/')" "those of an agency"
    expect_contains "$(docker exec server /server audit)" "total" "the audit"
    expect_equal "$(stat -c %u storage)" 65532 "the folder's owner"

    wait_until 30 "the followed logs" grep -q 'action: sorteo' compose.log
    make docker-compose-down
    wait # Following ends with the containers.
    expect_equal "$(docker ps -aq --filter label=com.docker.compose.project=tp0)" "" "containers left"
    expect_equal "$(docker network ls -q --filter name="$network")" "" "networks left"
}

test_before_the_draw_there_are_no_winners() {
    start lottery 2 server client1
    wait_for_log server "action: agencia_lista"
    status_of make -s docker-compose-winners
    [ "$status" != 0 ] || fail "it showed winners: $stdout"
    expect_contains "$stderr" "the draw was not held yet" "what it says"
}

test_bets_stay_in_a_volume_or_in_a_folder_of_this_machine() {
    local kept
    mkdir storage && sudo chown 65532 storage
    trap 'sudo rm -r storage' EXIT
    for kept in storage ./storage; do
        ./generar-compose.sh docker-compose-dev.yaml 1
        sed -i "s|# - $kept:/storage|- $kept:/storage|; s/^# volumes:/volumes:/; s/^#   storage:/  storage:/" docker-compose-dev.yaml
        compose up -d --no-build
        expect_ends client1
        make docker-compose-down
        compose up -d --no-build server
        wait_until 30 "the winners from $kept" make -s docker-compose-winners
        expect_equal "$(stored_bets)" "$(wc -l <.data/agency-1.csv)" "bets in $kept"
        compose down -t 1 -v
    done
    expect_equal "$(wc -l <storage/bets.csv)" "$(wc -l <.data/agency-1.csv)" "bets in the folder"
}

test_with_tls_only_agencies_with_their_own_certificate_get_in() {
    play SECURITY "Trying it"
    expect_ends client1
    expect_ends client2
    expect_told_its_winners 1 2
    expect_equal "$(docker inspect -f '{{.State.Health.Status}}' server)" healthy "the server"
    expect_equal "$(docker inspect -f '{{range .Mounts}}{{println .Source}}{{end}}' client1 | grep certificates)" "$PWD/certificates/agency-1" \
        "what the first agency is given"

    expect_kept_out
    wait_for_log server 'action: tls_handshake | result: in_progress'
    expect_kept_out agency-2

    cp -r certificates/agency-1 old
    play SECURITY "Rotation"
    wait_for_log server 'action: tls_reload | result: success'
    expect_lets_in_the_first_agency
    play SECURITY "Revocation"
    wait_until 10 "the list to be read" is_reloaded_twice
    expect_lets_in_the_first_agency
    mv old certificates/old
    expect_kept_out old
    wait_for_log server 'the certificate is revoked'
    expect_equal "$(log_count server 'result: fail')" 1 "refusals, which is the agency with another's certificate"
}

is_reloaded_twice() { [ "$(log_count server 'action: tls_reload | result: success')" = 2 ]; }

expect_lets_in_the_first_agency() {
    docker start client1
    expect_ends client1
}

# expect_kept_out [FOLDER]: an agency 1 with the certificate of FOLDER, or with none.
expect_kept_out() {
    local tls=()
    [ $# = 0 ] || tls=(-v "$PWD/certificates/$1:/tls:ro" -e CLI_TLS_CA=/tls/ca.pem -e CLI_TLS_CERT=/tls/cert.pem -e CLI_TLS_KEY=/tls/cert.key)
    status_of docker run --rm --label lottery-test --network "$network" -e CLI_ID=1 -e CLI_RETRY_TIMEOUT=1s "${tls[@]}" \
        -v "$PWD/.data:/.data:ro" -v "$PWD/client/config.yaml:/config.yaml:ro" client:latest
    expect_equal "$status" 1 "exit code of an agency with ${1-no} certificate"
}
