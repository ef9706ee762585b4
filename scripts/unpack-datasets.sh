#!/bin/sh
# Puts the agency-N.csv files of a dataset.zip or datasets.zip that lies in .data/ beside it. An archive is unpacked
# once: files made or edited afterwards stay, until another archive takes its place.
set -eu
cd "$(dirname "$0")/../.data"

# A folder that git ignores already; after `cargo clean` an archive is taken for a new one.
remembered=../target/unpacked

fail() {
    printf '%s\n' "$1" >&2
    exit 1
}

unpack() {
    if command -v unzip >/dev/null; then
        # It ends with 1 after mere warnings, such as those about archives made on Windows.
        unzip -q -o "$1" -d "$2" || [ $? -eq 1 ]
    elif command -v bsdtar >/dev/null; then
        bsdtar -x -f "$1" -C "$2"
    elif command -v python3 >/dev/null; then
        python3 -m zipfile -e "$1" "$2"
    else
        fail ".data/$1: unpacking takes unzip, bsdtar or python3, and none is here; put its agency-N.csv into .data/ yourself"
    fi
}

unpacked=unpacking.$$
trap 'rm -rf "$unpacked"' EXIT
trap 'exit 1' HUP INT TERM

for archive in dataset.zip datasets.zip; do
    [ -f "$archive" ] || continue
    sum=$(cksum "$archive")
    if [ "$sum" = "$(cat "$remembered/$archive" 2>/dev/null)" ]; then continue; fi

    mkdir "$unpacked"
    unpack "$archive" "$unpacked" || fail ".data/$archive: not a readable archive"
    # Archives made on a Mac hold a ._agency-1.csv for each agency-1.csv; the pattern leaves those out.
    [ -n "$(find "$unpacked" -type f -name 'agency-[0-9]*.csv')" ] || fail ".data/$archive: holds no agency-N.csv"
    # The containers read these files as another user.
    find "$unpacked" -type f -name 'agency-[0-9]*.csv' -exec chmod a+r {} \; -exec mv -f {} . \;
    rm -rf "$unpacked"

    mkdir -p "$remembered"
    printf '%s\n' "$sum" >"$remembered/$archive"
    echo "unpacked .data/$archive"
done
