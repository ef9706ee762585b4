# shellcheck shell=bash disable=SC2154 # suite.sh sets what is read here.

test_server_killed_in_mid_upload_loses_nothing_and_a_new_one_starts_afresh() {
    local id
    # Enough to be killed in the midst of.
    for id in 1 2 3 4 5; do
        for _ in $(seq 20); do cat ".data/agency-$id.csv"; done >many.csv
        mv many.csv ".data/agency-$id.csv"
    done
    start lottery 5
    wait_for_log server 'action: apuesta_recibida | result: success'
    docker kill server client3
    docker start server client3
    for id in 1 2 3 4 5; do
        expect_ends "client$id"
        expect_told_its_winners "$id"
    done
    expect_equal "$(stored_bets)" "$(cat .data/agency-*.csv | wc -l)" "stored bets"

    # After the draw, too, it stands where it stood.
    docker kill server
    docker start server client1
    expect_ends client1
    expect_equal "$(told_documents client1)" "$({ winning_documents 1 && winning_documents 1; } | sort)" "the same winners twice"

    compose down -t 1
    start lottery 1
    expect_ends client1
    expect_told_its_winners 1
    expect_equal "$(stored_bets)" "$(wc -l <.data/agency-1.csv)" "bets of the new lottery"
}

test_single_bets_come_from_the_environment() {
    local id
    start single-bet 5
    for id in 1 2 3 4 5; do
        expect_ends "client$id"
    done
    expect_equal "$(log_count client1 'action: apuesta_enviada | result: success | dni: 30904465 | numero: 7574')" 1 "bet sent"
    expect_equal "$(log_count server 'action: apuesta_almacenada | result: success | dni: 30904465 | numero: 7574')" 1 "bet stored"
    expect_equal "$(log_count server 'action: apuesta_almacenada | result: success')" 5 "bets stored"
    expect_equal "$(told_documents client1)" 30904465 "winner of the first agency"
    expect_equal "$(log_count client2 'action: consulta_ganadores | result: success | cant_ganadores: 0')" 1 "none of the second"
    expect_no_failure server client1 client2 client3 client4 client5
}
