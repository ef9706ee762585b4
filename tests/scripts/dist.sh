# shellcheck shell=bash
# What make dist hands out.

test_make_dist_packs_static_programs_with_completions_and_man_pages() {
    local program version
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
    rm -rf dist && make -s dist
    cd dist || exit
    sha256sum -c ./*.sha256
    mkdir unpacked && tar -xzf ./*.tar.gz -C unpacked --strip-components 1
    for program in server client; do
        expect_contains "$(ldd "unpacked/$program" 2>&1 || true)" "static" "what $program is linked with"
        expect_contains "$("unpacked/$program" --version)" "$program $version (" "the version of $program"
        expect_contains "$(bash -c "source unpacked/completions/$program.bash; complete -p $program")" "-F _$program" "the completion of $program"
        expect_contains "$(<"unpacked/man/$program.1")" "$program $version" "the man page of $program"
        expect_contains "$(<unpacked/CHANGELOG.md)" "## $version" "the changes"
    done
    expect_contains "$(<unpacked/man/server-winners.1)" "draw was held" "the man page of a command"
    expect_contains "$(<unpacked/completions/_server)" "tls-client-crl" "the completion of a flag"
}
