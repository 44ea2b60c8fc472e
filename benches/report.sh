#!/usr/bin/env bash
# report.sh   Sourced: the beginning and the end of a benchmark's result. Before: $root is this checkout, $BENCH_RESULT the file.

: "${root:?}"

# head_of TITLE ROUNDS   What was measured, when and on what.
head_of() {
    echo "# $(date -u +%F)$1"
    echo
    echo "$(nproc) CPUs ($(awk -F ': ' '/^model name/ { print $2; exit }' /proc/cpuinfo)), $(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)," \
        "Linux $(uname -r), $(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release), load $(cut -d' ' -f1-3 /proc/loadavg) at the start;" \
        "$2 rounds, each in turn in every round. Times in milliseconds; \`×\` is the median beside lighter's."
    echo
}

# lighter_version PROGRAM
lighter_version() {
    echo "lighter $("$1" --version | awk '{ print $NF }') ($(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo "no commit"), $(stat -c %s "$1") bytes)"
}

# tool_version PROGRAM
tool_version() {
    if command -v "$1" >/dev/null; then
        echo ", $1 $("$1" --version 2>&1 | grep -o '[0-9]\+\.[0-9]\+[0-9.]*' | head -1)"
    else
        echo ", no $1"
    fi
}

measure() { python3 "$root/benches/measure.py" "$@"; }

# publish SUFFIX   Keeps the result as benches/results/DATE SUFFIX.md, or -2, -3, … where there is one of that day.
publish() {
    local stem result n
    stem=$root/benches/results/$(date -u +%F)$1
    result=$stem.md
    for ((n = 2; ; n++)); do
        [ -e "$result" ] || break
        result=$stem-$n.md
    done
    mkdir -p "$root/benches/results"
    cp "$BENCH_RESULT" "$result"
    cat "$result"
    echo "bench: written to $result" >&2
}
