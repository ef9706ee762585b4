# shellcheck shell=bash disable=SC2154 # status_of sets what these tests read.

test_committed_file_is_what_the_script_makes() {
    cp docker-compose-dev.yaml committed.yaml
    ./generar-compose.sh
    cmp docker-compose-dev.yaml committed.yaml
    ./generar-compose.sh docker-compose-dev.yaml 5 lottery
    cmp docker-compose-dev.yaml committed.yaml
}

test_every_shell_makes_the_same_from_any_folder() {
    local shell
    for shell in sh bash; do
        (cd tests && "$shell" ../generar-compose.sh ../"$shell.yaml" 7 single-bet)
    done
    cmp sh.yaml bash.yaml
}

test_file_holds_as_many_clients_as_asked() {
    local clients mode
    for mode in echo single-bet lottery; do
        ./generar-compose.sh made.yaml 5 "$mode"
        expect_not_contains "$(<made.yaml)" LEVEL "$mode, whose log levels are left to the mounted files"
    done
    for clients in 0 1 9 100 252; do
        ./generar-compose.sh made.yaml "$clients"
        expect_equal "$(grep -c '^  client[0-9]*:$' made.yaml || true)" "$clients" "clients"
        expect_equal "$(grep -c "NUM_AGENCIES: \"$clients\"" made.yaml)" 1 "NUM_AGENCIES of $clients"
        expect_equal "$(grep -c 'dockerfile: client/Dockerfile' made.yaml || true)" "$((clients > 0))" "builds of the client"
    done
}

test_mode_comes_from_the_argument_then_the_environment() {
    MODE='echo' ./generar-compose.sh made.yaml 1
    expect_contains "$(<made.yaml)" 'SERVER_MODE: "echo"' "environment"
    expect_contains "$(<made.yaml)" 'CLI_MODE: "echo"' "environment"

    MODE='echo' ./generar-compose.sh made.yaml 1 single-bet
    expect_contains "$(<made.yaml)" 'SERVER_MODE: "lottery"' "argument"
    expect_contains "$(<made.yaml)" 'CLI_MODE: "single-bet"' "argument"

    MODE='' ./generar-compose.sh made.yaml 1
    expect_contains "$(<made.yaml)" 'CLI_MODE: "lottery"' "neither"
}

test_each_single_bet_is_somebody_elses() {
    local variable
    ./generar-compose.sh made.yaml 252 single-bet
    for variable in NOMBRE APELLIDO DOCUMENTO NACIMIENTO NUMERO; do
        expect_equal "$(grep -c "^      $variable: \"..*\"$" made.yaml)" 252 "$variable"
    done
    expect_equal "$(sed -n 's/^      DOCUMENTO: //p' made.yaml | sort -u | wc -l)" 252 "documents"
    expect_equal "$(grep -A 1 '^      NOMBRE: ' made.yaml | grep -v '^--' | paste - - | sort -u | wc -l)" 252 "names"

    ./generar-compose.sh made.yaml 5 lottery
    expect_not_contains "$(<made.yaml)" NOMBRE "lottery"
}

test_dialects_of_the_environment_are_handed_to_the_server() {
    SERVER_DIALECT='frames' DIALECT_PORTS='lines:12348,flags:12349' ./generar-compose.sh made.yaml 1
    expect_contains "$(<made.yaml)" 'SERVER_DIALECT: "frames"' "the dialect"
    expect_contains "$(<made.yaml)" 'DIALECT_PORTS: "lines:12348,flags:12349"' "the ports"
    DIALECT_PORTS='lines:12348' ./generar-compose.sh made.yaml 1
    expect_not_contains "$(<made.yaml)" 'SERVER_DIALECT' "the dialect that is not set"
    status_of env DIALECT_PORTS='a"b' ./generar-compose.sh made.yaml 1
    expect_equal "$status" 2 "status after a port list with a quote"
}

test_missing_data_files_are_warned_of_and_the_file_is_written() {
    status_of ./generar-compose.sh made.yaml 10
    expect_equal "$status" 0 "status"
    expect_contains "$stderr" "no .data/agency-6.csv; make datasets AGENCIES=10" "the warning"
    expect_equal "$(grep -c '^  client[0-9]*:$' made.yaml)" 10 "clients"
    local arguments
    for arguments in "made.yaml 5" "made.yaml 10 echo" "made.yaml 10 single-bet"; do
        # shellcheck disable=SC2086 # Split on purpose.
        status_of ./generar-compose.sh $arguments
        expect_equal "$stderr" "" "errors after $arguments"
    done
}

test_wrong_arguments_print_the_usage_and_leave_no_file() {
    local arguments before
    before=$(ls -A)
    for arguments in "made.yaml -1" "made.yaml five" "made.yaml 1.5" "made.yaml 05" "made.yaml 253" "made.yaml 99999999999999999999" \
        "made.yaml 5 lotería" "made.yaml 5 lottery more" "--what" "made.yaml 5 lottery echo" "no/such/folder/made.yaml 5" "tests 5"; do
        # shellcheck disable=SC2086 # Split on purpose.
        expect_refused ./generar-compose.sh $arguments
    done
    expect_refused ./generar-compose.sh made.yaml ""
    expect_refused ./generar-compose.sh "" 5
    expect_refused env MODE=nothing ./generar-compose.sh made.yaml 5
    expect_equal "$(ls -A)" "$before" "files"
}

expect_refused() {
    status_of "$@"
    [ "$status" != 0 ] || fail "accepted: $*"
    expect_equal "$stdout" "" "output after $*"
    expect_contains "$stderr" "usage: ./generar-compose.sh" "errors after $*"
}

test_failure_leaves_the_file_that_is_there() {
    local before
    cp docker-compose-dev.yaml before.yaml
    echo '#: no such marker' >>docker-compose.tmpl
    before=$(ls -A)
    status_of ./generar-compose.sh docker-compose-dev.yaml 3
    [ "$status" != 0 ] || fail "accepted an unknown marker"
    cmp docker-compose-dev.yaml before.yaml
    expect_equal "$(ls -A)" "$before" "files"
}

test_tls_gives_each_agency_its_own_certificate_only() {
    status_of env TLS=1 ./generar-compose.sh made.yaml 2
    expect_equal "$status" 2 "status without certificates"
    expect_contains "$stderr" "there is no ./certificates/server; make certificates AGENCIES=2 makes it" "the refusal"
    ./scripts/certificates.sh 2
    TLS=1 ./generar-compose.sh made.yaml 2
    expect_equal "$(grep -E '^  [a-z0-9]+:$|certificates' made.yaml | paste -s -d ' ' | tr -s ' ')" \
        " options: server: - ./certificates/server:/tls:ro client1: - ./certificates/agency-1:/tls:ro client2: - ./certificates/agency-2:/tls:ro" "mounts"
    local arguments
    for arguments in "TLS=yes made.yaml 2" "TLS=1 made.yaml 3" "TLS=1 made.yaml 2 echo"; do
        # shellcheck disable=SC2086 # Split on purpose.
        status_of env ${arguments%% *} ./generar-compose.sh ${arguments#* }
        expect_equal "$status" 2 "status of $arguments"
    done
    TLS=0 ./generar-compose.sh made.yaml 2
    expect_not_contains "$(<made.yaml)" TLS "the file without TLS"
}
