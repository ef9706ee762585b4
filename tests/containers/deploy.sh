# shellcheck shell=bash disable=SC2154 # suite.sh and status_of set what is read here.
# deploy/, as far as it runs without a cluster.

test_swarm_starts_a_killed_central_again_and_the_day_ends_exact() {
    local id first
    [ "$(docker info -f '{{.Swarm.LocalNodeState}}')" = inactive ] || skip "this engine is in a swarm of somebody's"
    trap 'docker swarm leave --force && docker volume rm -f lottery_storage || true' EXIT
    # Enough to be killed in the midst of.
    for id in 1 2 3 4 5; do
        for _ in $(seq 20); do cat ".data/agency-$id.csv"; done >many.csv
        mv many.csv ".data/agency-$id.csv"
    done
    play OPERATING "Swarm"
    wait_until 60 "the first central" central_is_running
    first=$(central)
    wait_for_log "$first" 'action: apuesta_recibida | result: success'
    docker kill "$first"
    expect_not_contains "$(logs "$first")" "action: sorteo" "the log of the killed central"
    SECONDS=0
    wait_until 60 "another central" another_is_running "$first"
    wait_for_log "$(central)" "action: listen"
    echo "it was back after $SECONDS s"

    for id in 1 2 3 4 5; do
        wait_until 120 "agency $id to end" has_ended "$id"
        expect_told_its_winners "$id"
    done
    expect_equal "$(docker cp "$(central):/storage/bets.csv" - | tar -xO | wc -l)" "$(cat .data/agency-*.csv | wc -l)" "stored bets"
    expect_contains "$(logs "$(central)")" "apuestas: $(cat .data/agency-*.csv | wc -l) |" "the summary"
    docker stack rm lottery
    wait_until 60 "the end of the stack" is_gone
}

test_images_run_with_the_settings_and_the_restrictions_of_the_pods() {
    local -a settings restrictions=(--read-only --cap-drop ALL --security-opt no-new-privileges --user 65532:65532)
    NAMES=central ./scripts/certificates.sh 1
    docker network create --label lottery-test "$network"
    mapfile -t settings < <(sed -n 's/^      - \([A-Z_]*=.*\)/--env=\1/p' deploy/kubernetes/kustomization.yaml)
    docker run -d --name server --label lottery-test --network "$network" --network-alias central "${restrictions[@]}" \
        "${settings[@]}" -e NUM_AGENCIES=1 -v /storage -v "$PWD/certificates/server:/tls:ro" server:latest
    mapfile -t settings < <(sed -nE 's/.*name: (CLI_[A-Z_]*), value: "?([^" ]*).*/--env=\1=\2/p' deploy/kubernetes/agency-1.yaml)
    docker run -d --name client1 --label lottery-test --network "$network" "${restrictions[@]}" "${settings[@]}" \
        -v "$PWD/certificates/agency-1:/tls:ro" -v "$PWD/.data/agency-1.csv:/bets/bets.csv:ro" client:latest
    expect_ends client1
    expect_told_its_winners 1
    expect_not_contains "$(docker logs server)" "WARN" "the server's log"
}

central() { docker ps -q --filter name=lottery_server; }
central_is_running() { [ -n "$(central)" ]; }
another_is_running() { central_is_running && [ "$(central)" != "$1" ]; }
has_ended() { [ "$(docker service ps -f desired-state=shutdown --format '{{.CurrentState}}' "lottery_agency$1" | grep -c '^Complete')" = 1 ]; }
is_gone() { [ -z "$(docker ps -aq --filter label=com.docker.stack.namespace=lottery)" ]; }

# Where expect_told_its_winners looks.
logs() {
    case $1 in
    client*) docker logs "$1" 2>/dev/null || docker service logs --raw "lottery_agency${1#client}" 2>&1 ;;
    *) docker logs "$1" 2>&1 ;;
    esac
}
