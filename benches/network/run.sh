#!/usr/bin/env bash
# run.sh [ROUNDS]   Measures the network of lighter beside bare veths on a bridge, and beside docker where it is installed, and
#                   writes benches/results/DATE-network.md (DATE-network-2.md, …).
#
#   attach       a namespace and its place on a network: the first and the last of 200, beside the kernel alone (floor.c)
#   containers   `run --detach` of 200 containers on one network: the first ten and the last ten
#   throughput   iperf3 from container to container, and from a neighbour to a published port
#   connections  wrk with a new connection for each request, to a published port
#
# Each contestant has a host of its own, a network namespace with a neighbour, so that none meets the rules and the tracked
# connections of another. They are measured in turn, round by round, and the best round of each counts: what else the machine did
# meanwhile is nobody's merit.
#
# Everything happens in network and mount namespaces of its own and one scratch folder; afterwards nothing of it is left.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
rounds=${1:-40}
if [ "${BENCH_INSIDE:-}" != yes ]; then
    [ "$(id -u)" = 0 ] || { echo "run.sh: needs root" >&2; exit 1; }
    (cd "$root" && cargo build --release --quiet --locked --package lighter-netns --example attach_cost)
    BENCH_INSIDE=yes exec unshare --net --mount --propagation private "$0" "$rounds"
fi
lighter=${LIGHTER:-$root/target/release/lighter}
attach_cost=${CARGO_TARGET_DIR:-$root/target}/release/examples/attach_cost
images=$root/target/images
PATH=$PATH:/usr/sbin:/sbin:$root/target/tools/usr/bin:$root/target/tools/usr/sbin
for tool in iperf3 wrk cc curl; do
    command -v "$tool" >/dev/null || { echo "run.sh: $tool is not installed" >&2; exit 1; }
done
scratch=$(mktemp -d /tmp/lighter-bench-XXXXXX)
children=()
export SERVE_STATE=$scratch/registry
export LIGHTER_ROOT=$scratch/root LIGHTER_RUN=/run/lighter LIGHTER_CONFIG=$scratch/config.toml

finish() {
    local status=$?
    trap - EXIT
    "$lighter" ps --all --quiet | xargs -r nsenter --net=/run/netns/host-lighter "$lighter" rm --force >/dev/null 2>&1 || true
    [ -z "${DOCKER_HOST:-}" ] || docker ps --all --quiet | xargs -r docker rm --force >/dev/null 2>&1 || true
    "$root/tests/images/serve.sh" stop "$images" || true
    [ ${#children[@]} = 0 ] || { kill "${children[@]}" 2>/dev/null; wait "${children[@]}" 2>/dev/null; } || true
    awk -v scratch="$scratch" 'index($5, scratch) == 1 { print $5 }' /proc/self/mountinfo | sort -r | xargs -r -n 1 umount -l || true
    rm -rf "$scratch"
    exit "$status"
}
trap finish EXIT

ip link set lo up
mount -t tmpfs -o mode=755 none /run
mkdir -p /run/netns
"$root/tests/images/serve.sh" start "$images" >/dev/null
printf '[registry."docker.io"]\nmirrors = ["http://127.0.0.1:5000"]\n' >"$LIGHTER_CONFIG"
"$lighter" pull --quiet busybox:1 >/dev/null
"$lighter" save --output "$scratch/busybox.tar" busybox:1 >/dev/null

# host NAME   A host called so, with a neighbour who asks for published ports.
host() {
    ip netns add "host-$1"
    ip netns add "lan-$1"
    ip -n "host-$1" link set lo up
    ip link add lan0 netns "host-$1" type veth peer name eth0 netns "lan-$1"
    ip -n "host-$1" address add 192.0.2.1/24 dev lan0
    ip -n "host-$1" link set lan0 up
    ip -n "lan-$1" address add 192.0.2.2/24 dev eth0
    ip -n "lan-$1" link set eth0 up
    ip -n "lan-$1" route add default via 192.0.2.1
}
on() {
    local name=$1
    shift
    nsenter --net="/run/netns/host-$name" "$@"
}

result=$scratch/result.md
say() { echo "$@" >>"$result"; }

# --- attach ------------------------------------------------------------------------------------------------------------

cc -O2 -Wall -Wextra -o "$scratch/floor" "$here/floor.c"
read -r kernel kernel_last <<<"$(unshare --net "$scratch/floor" 200)"
say "## Attach"
say
unshare --net --mount --propagation private sh -c 'ip link set lo up; exec "$@"' sh "$attach_cost" 200 "$kernel" "$kernel_last" >>"$result"

# --- containers --------------------------------------------------------------------------------------------------------

host crowd
say
say "## 200 containers of a network"
say
on crowd "$lighter" network create crowd >/dev/null
on crowd python3 - "$lighter" >>"$result" <<'PYTHON'
import statistics, subprocess, sys, time
took = []
for number in range(200):
    begun = time.monotonic()
    run = ["run", "--detach", "--network", "crowd", "--name", f"crowd-{number}", "busybox:1", "sleep", "100000"]
    subprocess.run([sys.argv[1], *run], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    took.append((time.monotonic() - begun) * 1000)
first, last = statistics.median(took[:10]), statistics.median(took[-10:])
print(f"`run --detach`: {first:.1f} ms the first ten, {last:.1f} ms the last ten, ×{last / first:.2f}")
subprocess.run([sys.argv[1], "rm", "--force", *(f"crowd-{number}" for number in range(200))], check=True, stdout=subprocess.DEVNULL)
PYTHON
on crowd "$lighter" network rm crowd >/dev/null

# --- throughput and connections -------------------------------------------------------------------------------------------

# Each contestant leaves the namespaces server-NAME and client-NAME in /run/netns, the address of the first in ${servers[NAME]},
# and its ports 5201 and 80 behind 192.0.2.1:5301 and :5302.
declare -A servers
bare() {
    local number=2
    ip -n host-bare link add bare0 type bridge
    ip -n host-bare address add 10.90.0.1/24 dev bare0
    ip -n host-bare link set bare0 up
    for name in server client; do
        ip netns add "$name-bare"
        ip -n host-bare link add "b-$name" master bare0 type veth peer name eth0 netns "$name-bare"
        ip -n host-bare link set "b-$name" up
        ip -n "$name-bare" link set lo up
        ip -n "$name-bare" link set eth0 up
        ip -n "$name-bare" address add "10.90.0.$number/24" dev eth0
        number=$((number + 1))
    done
    ip -n server-bare route add default via 10.90.0.1
    on bare sysctl -q -w net.ipv4.ip_forward=1
    # One rule a port is the least that leads a neighbour there.
    on bare nft -f - <<NFT
table ip bare {
    chain in { type nat hook prerouting priority -100; tcp dport 5301 dnat to 10.90.0.2:5201; tcp dport 5302 dnat to 10.90.0.2:80; }
}
NFT
    servers[bare]=10.90.0.2
}

# containers NAME ENGINE   What the engine's `run` and `inspect` make of the same.
containers() {
    local name=$1 engine=$2 pid
    on "$name" "$engine" run --detach --name server -p 5301:5201 -p 5302:80 busybox:1 sleep 100000 >/dev/null 2>&1
    on "$name" "$engine" run --detach --name client busybox:1 sleep 100000 >/dev/null 2>&1
    for container in server client; do
        pid=$("$engine" inspect --format '{{.State.Pid}}' "$container")
        touch "/run/netns/$container-$name"
        mount --bind "/proc/$pid/ns/net" "/run/netns/$container-$name"
    done
    servers[$name]=$(ip -n "server-$name" -4 -oneline address show eth0 | awk '{ sub("/.*", "", $4); print $4 }')
}

# throughput FROM ADDRESS PORT   In Gbit/s.
throughput() {
    ip netns exec "$1" iperf3 --client "$2" --port "$3" --bytes 512M --json |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["end"]["sum_received"]["bits_per_second"] / 1e9)'
}

# connections FROM   In connections a second; no more at once than busybox's httpd lets wait, or they would wait for a second.
connections() {
    ip netns exec "$1" wrk --threads 1 --connections 8 --duration 1s --header 'Connection: close' http://192.0.2.1:5302/ |
        awk '/^Requests\/sec/ { print $2 }'
}

contestants=(bare lighter)
host bare
bare
host lighter
containers lighter "$lighter"
if command -v dockerd >/dev/null && command -v docker >/dev/null; then
    export DOCKER_HOST=unix://$scratch/docker/sock
    mkdir -p "$scratch/docker"
    host docker
    nsenter --net=/run/netns/host-docker dockerd --host "$DOCKER_HOST" --data-root "$scratch/docker/root" --exec-root "$scratch/docker/exec" \
        --pidfile "$scratch/docker/pid" >"$scratch/docker/log" 2>&1 &
    children+=($!)
    for _ in $(seq 100); do
        ! docker version >/dev/null 2>&1 || break
        sleep 0.2
    done
    docker load --quiet --input "$scratch/busybox.tar" >/dev/null
    ! containers docker docker || contestants+=(docker)
fi

mkdir -p "$scratch/www"
echo page >"$scratch/www/index.html"
for name in "${contestants[@]}"; do
    ip netns exec "server-$name" iperf3 --server >/dev/null 2>&1 &
    children+=($!)
    ip netns exec "server-$name" busybox httpd -f -p 80 -h "$scratch/www" &
    children+=($!)
done
sleep 1
measured=$scratch/measured
for round in $(seq "$rounds"); do
    for name in $(shuf -e "${contestants[@]}"); do
        echo "$round $name inside $(throughput "client-$name" "${servers[$name]}" 5201)"
        echo "$round $name port $(throughput "lan-$name" 192.0.2.1 5301)"
        echo "$round $name connections $(connections "lan-$name")"
    done
done >"$measured"
say
say "## Throughput and connections, $rounds rounds"
say
say "Medians; \`×\` is the median of what each round has beside the bare veths, with the interval that has it for 19 of 20 measurements."
say
python3 - "$measured" >>"$result" <<'PYTHON'
import collections, math, statistics, sys
rounds = collections.defaultdict(lambda: collections.defaultdict(dict))
for line in open(sys.argv[1]):
    number, name, what, value = line.split()
    rounds[what][name][number] = float(value)
titles = {"inside": "container to container, Gbit/s", "port": "neighbour to published port, Gbit/s", "connections": "connections a second"}
print("| | " + " | × | ".join(titles.values()) + " | × |")
print("|---|" + "---:|---:|" * len(titles))
def beside(of, bare):
    ratios = sorted(of[number] / bare[number] for number in bare)
    # The median lies between these ranks (of n values, binomially, by its normal approximation).
    n = len(ratios)
    low = max(0, math.floor(n / 2 - 0.98 * math.sqrt(n)))
    return f"{statistics.median(ratios):.3f} ({ratios[low]:.3f}–{ratios[n - 1 - low]:.3f})"
for name in sorted(rounds["inside"], key=("bare", "lighter", "docker").index):
    cells = []
    for what in titles:
        values, bare = rounds[what][name], rounds[what]["bare"]
        cells += [f"{statistics.median(values.values()):.{0 if what == 'connections' else 1}f}", beside(values, bare)]
    print(f"| {'bare veths on a bridge' if name == 'bare' else name} | " + " | ".join(cells) + " |")
PYTHON
[[ ${contestants[*]} == *docker* ]] || say "| docker | not there, or does not run | | | | | |"

# --- write -------------------------------------------------------------------------------------------------------------

name=$(date +%F)-network number=2
while [ -e "$root/benches/results/$name.md" ]; do
    name=$(date +%F)-network-$number number=$((number + 1))
done
{
    echo "# Network, $(date +%F)"
    echo
    echo "$(nproc) CPUs, Linux $(uname -r), $("$lighter" --version) ($(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo "no commit")), $(iperf3 --version | head -1)."
    echo
    cat "$result"
} >"$root/benches/results/$name.md"
cat "$root/benches/results/$name.md"
