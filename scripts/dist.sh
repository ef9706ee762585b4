#!/bin/sh
# Makes dist/lottery-VERSION-TARGET.tar.gz: both programs, linked statically, with completions and man pages; and its
# checksum. They are built as in the Dockerfiles.
set -eu
cd "$(dirname "$0")/.."

target=$(rustc -vV | sed -n 's/^host: //p')
version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
name=lottery-$version-$target
built=${CARGO_TARGET_DIR:-target}

# The explicit target keeps the flag away from procedural macros, which cannot be linked statically.
RUSTFLAGS="-C target-feature=+crt-static" \
    cargo build --release --locked --package server --package client --target "$target"
cargo build --locked --package server --package client --features lottery-program/documents --target-dir "$built/documents"

rm -rf "dist/$name"
mkdir -p "dist/$name/completions" "dist/$name/man"
for program in server client; do
    cp "$built/$target/release/$program" "dist/$name/"
    LOTTERY_DOCUMENTS=dist/$name/completions "$built/documents/debug/$program"
done
mv "dist/$name/completions"/*.1 "dist/$name/man/"
cp LICENSE README.md CHANGELOG.md "dist/$name/"
cd dist
tar -czf "$name.tar.gz" "$name"
sha256sum "$name.tar.gz" >"$name.tar.gz.sha256"
printf 'dist/%s\n' "$name.tar.gz" "$name.tar.gz.sha256"
