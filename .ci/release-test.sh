#!/usr/bin/env bash
# release-test.sh [NAME...]   Runs the end-to-end scenarios with target/dist/lighter where they expect what cargo built for them.
#
# What compilers make of the same source differs: what is given to users is tried as well, and not only what is debugged.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
built=$(realpath "${CARGO_TARGET_DIR:-target}")/debug/lighter
# Features are those of the whole workspace: a choice of packages would compile what they share anew.
scenarios=$(cargo test --workspace --locked --no-run --test e2e 2>&1 | sed -n 's/.*tests\/e2e\/main.rs (\(.*\)).*/\1/p')
# shellcheck disable=SC2016 # expanded by the inner shell
exec unshare --mount sh -euc 'mount --bind target/dist/lighter "$1"; shift; exec "$@"' sh \
    "$built" "$(realpath "$scenarios")" --ignored --test-threads=4 "$@"
