# shellcheck shell=bash
# Every command that the documents name is one that runs.

documents=(README.md CONTRIBUTING.md SECURITY.md INFORME.md .data/README.md docs/*.md)

test_every_make_target_that_a_document_names_exists() {
    local targets target
    targets=$(grep -ohE '(`|^)make [a-z][a-z-]*' "${documents[@]}" | sed 's/.*make //' | sort -u)
    expect_contains "$targets" docker-compose-up "the targets found"
    for target in $targets; do
        make -n "$target" >/dev/null || fail "make $target is no target"
    done
}

test_every_file_that_a_document_links_to_is_there() {
    local document link
    for document in "${documents[@]}"; do
        while read -r link; do
            [ -e "$(dirname "$document")/$link" ] || fail "$document links to $link"
        done < <(grep -oE '\]\([^)#]+' "$document" | sed 's/](//' | grep -v '^https:')
    done
}

test_no_line_of_a_document_is_wider_than_a_screen() {
    expect_equal "$(LC_ALL=C.UTF-8 grep -nE '^.{151}' "${documents[@]}" || true)" "" "lines of more than 150 characters"
}

test_every_script_that_the_readme_names_is_there_and_runs() {
    local script
    while read -r script; do
        [ -x "$script" ] || fail "$script cannot be run"
    done < <(grep -oE '\./[a-z-]+\.sh' README.md | sort -u)
    ./generar-compose.sh docker-compose-dev.yaml 5 echo
}

test_make_run_holds_a_lottery_with_every_bet_of_the_bundled_files() {
    local output agency bets
    output=$(make -s run)
    for agency in 1 2 3 4 5; do
        bets=$(wc -l <".data/agency-$agency.csv")
        expect_contains "$(awk '{ print $1, $2 }' <<<"$output")" "$agency $bets" "the table"
    done
    expect_contains "$output" "number drawn: 7574" "what it prints"
}

test_the_programs_of_the_readme_run_from_cargo() {
    mkdir store
    : >store/bets.csv
    : >store/closings.csv
    cargo run -q --bin server -- --help | grep -q NUM_AGENCIES
    cargo run -q --bin client -- --help | grep -q CLI_ID
    cargo run -q --bin server -- audit --storage-dir store | grep -q total
}
