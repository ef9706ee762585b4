# shellcheck shell=bash disable=SC2154 # status_of sets what these tests read.

# archive NAME FILE...: makes .data/NAME of files that hold their own name.
archive() {
    local name=$1
    shift
    command -v python3 >/dev/null || skip "python3, which makes its archives, is not installed"
    rm -rf packed
    for file; do
        mkdir -p "packed/$(dirname "$file")"
        basename "$file" >"packed/$file"
    done
    (cd packed && python3 -m zipfile -c "../.data/$name" ./*)
}

test_archive_is_unpacked_from_whatever_folder_its_files_are_in() {
    archive dataset.zip data/agency-1.csv data/deep/agency-12.csv data/._agency-1.csv data/readme.txt
    cp .data/agency-2.csv before.csv
    ./scripts/unpack-datasets.sh
    expect_equal "$(<.data/agency-1.csv)" agency-1.csv "first agency"
    expect_equal "$(<.data/agency-12.csv)" agency-12.csv "twelfth agency"
    cmp .data/agency-2.csv before.csv
    expect_equal "$(find .data -name '*readme*' -o -name '._*' -o -name 'unpacking*')" "" "what else is in the archive"
}

test_archive_is_unpacked_once_and_again_when_it_changes() {
    archive datasets.zip agency-1.csv
    ./scripts/unpack-datasets.sh
    echo edited >.data/agency-1.csv
    ./scripts/unpack-datasets.sh
    expect_equal "$(<.data/agency-1.csv)" edited "an edited file"

    archive datasets.zip agency-1.csv agency-2.csv
    touch -d 2001-01-01 .data/datasets.zip
    ./scripts/unpack-datasets.sh
    expect_equal "$(<.data/agency-1.csv)" agency-1.csv "after another archive"
}

test_archive_without_agencies_or_broken_is_refused() {
    local before
    before=$(ls .data)
    archive dataset.zip bets/1.csv
    status_of ./scripts/unpack-datasets.sh
    expect_equal "$status" 1 "status for an archive without agencies"
    expect_contains "$stderr" ".data/dataset.zip: holds no agency-N.csv" "complaint"

    echo "no archive" >.data/dataset.zip
    status_of ./scripts/unpack-datasets.sh
    expect_equal "$status" 1 "status for a broken archive"
    expect_contains "$stderr" ".data/dataset.zip: not a readable archive" "complaint"
    rm .data/dataset.zip
    expect_equal "$(ls .data)" "$before" "files"
}

test_every_tool_will_do_and_none_is_said() {
    local tool
    archive dataset.zip data/agency-1.csv
    for tool in unzip bsdtar python3; do
        command -v "$tool" >/dev/null || continue
        rm -rf target
        echo bundled >.data/agency-1.csv
        with_only "$tool" ./scripts/unpack-datasets.sh
        expect_equal "$(<.data/agency-1.csv)" agency-1.csv "with $tool"
    done
    rm -rf target
    status_of with_only cat ./scripts/unpack-datasets.sh
    expect_equal "$status" 1 "status without a tool"
    expect_contains "$stderr" "takes unzip, bsdtar or python3" "complaint"
}

# with_only TOOL COMMAND...: COMMAND where TOOL is the only one of its kind.
with_only() {
    local program
    rm -rf bin
    mkdir bin
    for program in sh dirname cksum cat mkdir find chmod mv rm "$1"; do
        ln -s "$(command -v "$program")" "bin/$program"
    done
    if [ "$1" = python3 ]; then
        # What is on the path may be a script that looks for the real one.
        ln -sf "$(python3 -c 'import sys; print(sys.executable)')" bin/python3
    fi
    PATH=$PWD/bin "${@:2}"
}
