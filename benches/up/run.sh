#!/usr/bin/env bash
# run.sh [ROUNDS]   Measures whole projects beside docker-compose and podman-compose, in one run, round by round in turn, and
#                   writes benches/results/DATE-up.md.
#
#   up        `up -d` of 1, 10 and 50 services without dependencies, all images present
#   again     `up -d` of 50 services of which none needs a change
#   down      `down` of those 50; and of 50 that ignore SIGTERM, with two seconds of grace
#   chain     `up -d` of 10 services, each waiting until the one before it is healthy
#   monitors  private memory and wake-ups of lighter's 50 monitors in a minute in which nothing happens
#   log       a file of 100 MB, lines of 100 bytes, written to the log: from the container's start until all are kept
#
# Whatever is not installed is left out and named in the result. Everything happens in a network and a mount namespace of its own
# and in one scratch folder; afterwards nothing of it is left.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
rounds=${1:-5}

if [ "${BENCH_INSIDE:-}" != yes ]; then
    [ "$(id -u)" = 0 ] || { echo "run.sh: needs root" >&2; exit 1; }
    "$root/tests/images/build.sh"
    BENCH_INSIDE=yes exec unshare --net --mount --propagation private "$0" "$rounds"
fi

port=5000
# shellcheck source=benches/peers.sh
. "$root/benches/peers.sh"
"$LIGHTER" pull --quiet busybox:1 >/dev/null

# project KIND N   Makes a folder with the project, and prints it.
project() {
    local folder=$scratch/$1$2
    mkdir -p "$folder"
    python3 "$here/project.py" "$1" "$2" >"$folder/compose.yaml"
    echo "$folder"
}

tools=("lighter:$LIGHTER compose")
if [ $docker_up = yes ] && has docker-compose; then tools+=("docker-compose:docker-compose"); fi
if [ $docker_up = yes ] && docker compose version >/dev/null 2>&1; then tools+=("docker compose:docker compose"); fi
# Only for `up`: it goes through a project container by container, half a minute and more for fifty.
slow=()
if has podman && has podman-compose; then slow=("podman-compose:podman-compose"); fi

# contest TITLE BEFORE COMMAND AFTER   `%` in the three stands for the tool's command.
contest() {
    local contestants=() tool
    for tool in "${tools[@]}"; do
        contestants+=(--contestant "${tool%%:*}" "${2//%/${tool#*:}}" "${3//%/${tool#*:}}" "${4//%/${tool#*:}}")
    done
    measure --rounds "$rounds" --title "$1" "${contestants[@]}" >>"$BENCH_RESULT"
}

{ head_of ", whole projects" "$rounds"; versions; } >"$BENCH_RESULT"
quick=("${tools[@]}") tools+=("${slow[@]}")
for number in 1 10 50; do
    file=$(project idle $number)/compose.yaml
    contest "up -d, $number services" '' "% -f $file up -d" "% -f $file down -t 0"
done
tools=("${quick[@]}")
contest "up -d, 50 services, no change" "% -f $file up -d" "% -f $file up -d" "% -f $file down -t 0"
contest "down, 50 services" "% -f $file up -d" "% -f $file down" ''
file=$(project deaf 50)/compose.yaml
contest "down, 50 services that ignore SIGTERM, grace 2 s" "% -f $file up -d" "% -f $file down" ''
file=$(project chain 10)/compose.yaml
contest "up -d, chain of 10 healthy services" '' "% -f $file up -d" "% -f $file down -t 0"

# --- monitors ----------------------------------------------------------------------------------------------------------

file=$scratch/idle50/compose.yaml
"$LIGHTER" compose -f "$file" up -d >/dev/null 2>&1
# Those of the contests before end a moment after their `down`.
for _ in $(seq 100); do
    monitors=$(pgrep -x lighter)
    [ "$(echo "$monitors" | wc -w)" != 50 ] || break
    sleep 0.1
done
sleep 5 # what follows a start is over
# sum FIELD FILE PID…   Adds a figure up over processes.
sum() { local field=$1 file=$2 pid; shift 2; for pid; do awk -v want="$field" '$1 == want { print $2 }' "/proc/$pid/$file"; done | awk '{ s += $1 } END { print s + 0 }'; }
# shellcheck disable=SC2046,SC2086 # a word for each process
private() { echo $(($(sum Private_Clean: smaps_rollup $1) + $(sum Private_Dirty: smaps_rollup $1))); }
monitors_private=$(private "$monitors")
# shellcheck disable=SC2086
before_minute=$(sum voluntary_ctxt_switches: status $monitors)
sleep 60
# shellcheck disable=SC2086
wakeups=$(($(sum voluntary_ctxt_switches: status $monitors) - before_minute))
"$LIGHTER" compose -f "$file" down -t 0 >/dev/null 2>&1
{
    echo
    echo "## 50 monitors"
    echo
    echo "$((monitors_private / 50)) KiB of private memory each; $wakeups wake-ups of all of them in an idle minute."
} >>"$BENCH_RESULT"
if [ $docker_up = yes ]; then
    resident() { pgrep -f '^[^ ]*(dockerd|containerd|containerd-shim[^ ]*|docker-proxy)( |$)' | tr '\n' ' '; }
    docker_before=$(private "$(resident)")
    for number in $(seq 50); do docker run --detach --network none --name "idle-$number" busybox:1 sleep 1000000 >/dev/null; done
    docker_added=$(($(private "$(resident)") - docker_before))
    docker ps --quiet | xargs docker rm --force >/dev/null
    echo "dockerd, containerd and its shims grow by $((docker_added / 50)) KiB a container: ×$(awk -v a="$docker_added" -v b="$monitors_private" 'BEGIN { printf "%.1f", a / b }')." >>"$BENCH_RESULT"
fi

# --- logs --------------------------------------------------------------------------------------------------------------

# From a file, as to make lines takes the processors as long as to keep them.
head -c 100000000 /dev/zero | tr '\0' x | fold -w 99 >"$scratch/lines"
mount=(-v "$scratch/lines:/lines:ro")
log=(--contestant lighter '' "$LIGHTER run --name log -d ${mount[*]} --log-opt max-size=-1 busybox:1 cat /lines && $LIGHTER wait log" "$LIGHTER rm -f log")
if [ $docker_up = yes ]; then
    log+=(--contestant docker '' "docker run --name log -d ${mount[*]} busybox:1 cat /lines && docker wait log" 'docker rm -f log')
fi
measure --rounds "$rounds" --title "100 MB of lines, kept" "${log[@]}" >>"$BENCH_RESULT"

publish -up
