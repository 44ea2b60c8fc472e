#!/usr/bin/env bash
# release.sh         Builds target/dist/lighter, one static and stripped binary, and says how large it is.
# release.sh check   Only checks that what it is built from compiles there: not all that glibc has is in musl.
#
# musl where its Rust target can be had, else a static glibc; either runs on any Linux of the machine's architecture.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
machine=$(uname -m)
target=$machine-unknown-linux-musl

installed() { [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; }

if installed || { command -v rustup >/dev/null && rustup target add "$target" && installed; }; then
    # musl-gcc, for the C and assembly in crates; cargo reads the variable with the target's name in it.
    export "CC_${target//-/_}=musl-gcc"
    [ "${1:-}" != check ] || exec cargo check --locked --bin lighter --target "$target"
    cargo build --release --locked --bin lighter --target "$target"
else
    # Naming the target keeps the flag away from build scripts and proc macros, which cannot be static.
    [ "${1:-}" != check ] || exit 0 # what is built with glibc is checked with everything else
    target=$machine-unknown-linux-gnu
    echo "release: no musl target to be had; building with static glibc"
    RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --locked --bin lighter --target "$target"
fi

built=${CARGO_TARGET_DIR:-target}/$target/release/lighter
if readelf --program-headers "$built" | grep -q INTERP; then
    echo "release.sh: $built asks for an interpreter: it is not static" >&2
    exit 1
fi
# Static is what the headers say; what counts is that it starts where there is nothing else: no libc, no /etc, no /proc.
if [ "$(id -u)" = 0 ]; then
    empty=$(mktemp -d)
    trap 'rm -rf "$empty"' EXIT
    cp "$built" "$empty/lighter"
    chroot "$empty" /lighter --version >/dev/null || {
        echo "release.sh: $built does not start in an empty root file system" >&2
        exit 1
    }
fi
mkdir -p target/dist
cp "$built" target/dist/lighter
printf 'release: target/dist/lighter (%s), %s bytes, %s MiB\n' "$target" "$(stat -c %s target/dist/lighter)" \
    "$(awk -v size="$(stat -c %s target/dist/lighter)" 'BEGIN { printf "%.1f", size / 1048576 }')"
