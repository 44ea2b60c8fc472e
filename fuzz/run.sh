#!/usr/bin/env bash
# run.sh [TARGET…]   Fuzzes each target for FUZZ_SECONDS (10), as many at once as there are processors.
#
# libFuzzer with the coverage of stable rustc: instrumentation is a pass of LLVM that can be asked for by name, so neither
# nightly nor cargo-fuzz is needed. What is found is in target/fuzz/found/TARGET, and reproduced by the program's name and the
# file. Inputs that reach something new are kept in target/fuzz/corpus; those in seeds/ are where it starts.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(cd "$here/.." && pwd)/target/fuzz
seconds=${FUZZ_SECONDS:-10}
host=$(rustc -vV | sed -n 's/^host: //p')
flags='--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4'
flags+=' -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table'
flags+=' -Cllvm-args=-sanitizer-coverage-trace-compares'

targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    mapfile -t targets < <(sed -n 's/^name = "\(.*\)"/\1/p' "$here/Cargo.toml" | grep -v '^lighter-fuzz$')
fi
# The very versions that the product is built with.
cp "$here/../Cargo.lock" "$here/Cargo.lock"
# With a target named, build scripts and macros are built without these flags.
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$work/build} RUSTFLAGS=$flags \
    cargo build --quiet --release --manifest-path "$here/Cargo.toml" --target "$host"
programs=${CARGO_TARGET_DIR:-$work/build}/$host/release

fuzz() {
    local target=$1 corpus=$work/corpus/$1 found=$work/found/$1
    mkdir -p "$corpus" "$found"
    if ! "$programs/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=65536 -print_final_stats=1 \
        -dict="$here/words.dict" -artifact_prefix="$found/" "$corpus" "$here/seeds/$target" >"$found/log" 2>&1; then
        tail -n 40 "$found/log"
        echo "fuzz: $target FAILED: see $found"
        return 1
    fi
    echo "fuzz: $target $(sed -n 's/^stat::number_of_executed_units: */executions: /p' "$found/log")," \
        "coverage: $(grep -o 'cov: [0-9]*' "$found/log" | tail -n 1 | cut -d' ' -f2)"
}
trap 'rm -rf /dev/shm/lighter-fuzz-*' EXIT
running=0 status=0
for target in "${targets[@]}"; do
    if [ "$running" -ge "$(nproc)" ]; then
        wait -n || status=1
        running=$((running - 1))
    fi
    fuzz "$target" &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
    wait -n || status=1
    running=$((running - 1))
done
exit "$status"
