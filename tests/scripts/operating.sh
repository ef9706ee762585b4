# shellcheck shell=bash disable=SC2154 # status_of sets what these tests read.
# The commands of docs/OPERATING.md that need no container, as they stand there. tests/containers/operating.sh runs the others.

export CARGO_INSTALL_ROOT=$PWD/installed PATH=$PWD/installed/bin:$PATH
# The system chooses ports, so that nothing else is in the way.
export SERVER_PORT=0
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT

test_every_block_of_commands_is_run_by_a_test() {
    local document heading
    for document in OPERATING SECURITY; do
        while read -r heading; do
            [ -z "$(commands_of "docs/$document.md" "$heading")" ] ||
                grep -qF "play $document \"$heading\"" tests/*/operating.sh tests/*/deploy.sh || fail "no test plays $document: $heading"
        done < <(sed -n 's/^##* //p' "docs/$document.md")
    done
}

test_a_lottery_by_hand_watched_audited_and_backed_up() {
    play OPERATING "By hand"
    expect_contains "$(cat server.log)" "action: sorteo | result: success" "the server's log"
    expect_contains "$(play OPERATING "Watching")" '"' "the state"
    expect_contains "$(play OPERATING "Results")" "$(awk -F, '$NF ~ /^7574/ { print $(NF - 2) }' .data/agency-1.csv | head -n 1)" "the winners"
    expect_contains "$(play OPERATING "Auditing")" "total" "the audit"
    expect_contains "$(play OPERATING "Backing up")" "$(play OPERATING "Auditing")" "the audit of the copy"
    stop_server
    server --storage-dir backup --num-agencies 3 2>refusal && fail "another number of agencies was accepted"
    expect_contains "$(<refusal)" "the draw of this folder was held with" "the refusal"
    play OPERATING "The next lottery"
    expect_contains "$(server audit --storage-dir lotteries/next)" "total          0" "the next lottery"
    play OPERATING "Upgrading"
}

test_an_agency_is_added_before_the_draw() {
    cargo install --path server && cargo install --path client
    mkdir lotteries
    server --num-agencies 2 --storage-dir lotteries/first >server.log &
    note_port
    client --id 1 --server-address "127.0.0.1:$port" >first.log &
    local first=$!
    wait_until 30 "the first agency to finish" grep -q 'action: agencia_lista | result: success | agencia: 1 | faltan: 1' server.log
    stop_server
    # The second agency is there, too.
    client --id 2 --server-address "127.0.0.1:$port" >second.log &
    local second=$!
    SERVER_PORT=$port play OPERATING "Adding an agency"
    wait "$first"
    wait "$second"
    expect_contains "$(<first.log)" "action: ganadores | result: success" "the first agency"
}

test_two_machines_with_tls() {
    cargo install --path server && cargo install --path client
    # What was copied to the other machine.
    ln -s certificates/agency-1 agency-1
    ln -s .data/agency-1.csv agency-1.csv
    # The second agency is on a third machine, and the name is not known here.
    resolve() { sed 's/lottery\.example:/127.0.0.1:/; /^client/s/$/ --tls-server-name lottery.example/'; }
    after_server() {
        local files=certificates/agency-2
        client --id 2 --server-address "127.0.0.1:$port" --tls-ca $files/ca.pem --tls-cert $files/cert.pem --tls-key $files/cert.key >>clients.log &
        clients+=($!)
    }
    play OPERATING "On two machines"
    expect_contains "$(<server.log)" "tls: si" "the server's log"
    expect_not_contains "$(<server.log)" "docs/SECURITY.md" "a warning with TLS"
    status_of client --id 1 --server-address "127.0.0.1:$port" --retry-timeout 1s
    expect_equal "$status" 1 "exit code of a client without TLS"
}

# Two profiles of the same program would be built twice.
cargo() { command cargo "$1" --debug --locked -q "${@:2}"; }

resolve() { cat; }
after_server() { :; }

# play DOCUMENT HEADING: its commands but those for containers; servers go on in the background, clients come to their end.
play() {
    local line client
    local -a clients=()
    while IFS= read -r line; do
        line=${line//:12345/:${port-}}
        line=${line//:8080/:${http_port-}}
        case $line in
        *docker*) ;;
        "server --"*)
            # shellcheck disable=SC2086 # Split on purpose.
            ${line/--http-port 8080/--http-port 0} >server.log &
            note_port
            after_server
            ;;
        "client "*)
            $line >>clients.log &
            clients+=($!)
            ;;
        *) eval "$line" </dev/null ;;
        esac
    done < <(commands_of "docs/$1.md" "$2" | resolve)
    for client in "${clients[@]}"; do wait "$client"; done
}

# note_port: of the server that was just started.
note_port() {
    server=$!
    wait_until 10 "the server to listen" grep -q 'protocolo: native' server.log
    port=$(sed -n 's/.* port: \([0-9]*\) | protocolo: native.*/\1/p' server.log)
    wait_until 10 "all to listen" listens_to_http
    http_port=$(sed -n 's/.* port: \([0-9]*\) | protocolo: http.*/\1/p' server.log)
}

listens_to_http() { ! tr '\0' ' ' <"/proc/$server/cmdline" | grep -q http-port || grep -q 'protocolo: http' server.log; }

stop_server() {
    kill "$server"
    wait "$server"
}
