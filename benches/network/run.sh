#!/usr/bin/env bash
# run.sh [SECONDS]   Measures the network of lighter beside bare veths on a bridge, and beside docker where it is installed, in
#                    one run and in turn, and writes benches/results/DATE-network.md (DATE-network-2.md, …).
#
#   attach       a namespace and its place on a network: the first and the last of 200, beside the kernel alone (floor.c)
#   throughput   iperf3 from container to container, and from a neighbour to a published port; the best of three
#   connections  wrk with a new connection for each request, to a published port
#
# Everything happens in network and mount namespaces of its own and one scratch folder; afterwards nothing of it is left.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
seconds=${1:-10}
if [ "${BENCH_INSIDE:-}" != yes ]; then
    [ "$(id -u)" = 0 ] || { echo "run.sh: needs root" >&2; exit 1; }
    (cd "$root" && cargo build --release --quiet --locked --package lighter-netns --example attach_cost)
    BENCH_INSIDE=yes exec unshare --net --mount --propagation private "$0" "$seconds"
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
    "$lighter" ps --all --quiet | xargs -r "$lighter" rm --force >/dev/null 2>&1 || true
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
# The neighbour who asks for published ports.
ip netns add lan
ip link add lan0 type veth peer name eth0 netns lan
ip address add 192.0.2.1/24 dev lan0
ip link set lan0 up
ip -n lan address add 192.0.2.2/24 dev eth0
ip -n lan link set eth0 up
ip -n lan route add default via 192.0.2.1

result=$scratch/result.md
say() { echo "$@" >>"$result"; }

# --- attach ------------------------------------------------------------------------------------------------------------

cc -O2 -Wall -Wextra -o "$scratch/floor" "$here/floor.c"
kernel=$(unshare --net "$scratch/floor" 100)
say "## Attach"
say
unshare --net --mount --propagation private sh -c 'ip link set lo up; exec "$@"' sh "$attach_cost" 200 "$kernel" >>"$result"

# --- throughput and connections -------------------------------------------------------------------------------------------

# Each contestant leaves the namespaces `server` and `client` in /run/netns, and the port 5201 and 80 of `server` behind
# 192.0.2.1:$base and $((base + 1)).
bare() {
    ip link add bare0 type bridge
    ip address add 10.90.0.1/24 dev bare0
    ip link set bare0 up
    for name in server client; do
        ip netns add "$name"
        ip link add "b-$name" master bare0 type veth peer name eth0 netns "$name"
        ip link set "b-$name" up
        ip -n "$name" link set lo up
        ip -n "$name" link set eth0 up
    done
    ip -n server address add 10.90.0.2/24 dev eth0
    ip -n client address add 10.90.0.3/24 dev eth0
    ip -n server route add default via 10.90.0.1
    sysctl -q -w net.ipv4.ip_forward=1
    # One rule a port is the least that leads a neighbour there.
    nft -f - <<NFT
table ip bare {
    chain in { type nat hook prerouting priority -100; tcp dport 5301 dnat to 10.90.0.2:5201; tcp dport 5302 dnat to 10.90.0.2:80; }
}
NFT
    server=10.90.0.2 base=5301
}
unbare() {
    nft delete table ip bare
    ip netns delete server
    ip netns delete client
    ip link delete bare0
}

# containers ENGINE: what the engine's `run` and `inspect` make of the same.
containers() {
    local engine=$1 pid
    "$engine" run --detach --name server -p 5301:5201 -p 5302:80 busybox:1 sleep 100000 >/dev/null 2>&1
    "$engine" run --detach --name client busybox:1 sleep 100000 >/dev/null 2>&1
    for name in server client; do
        pid=$("$engine" inspect --format '{{.State.Pid}}' "$name")
        touch "/run/netns/$name"
        mount --bind "/proc/$pid/ns/net" "/run/netns/$name"
    done
    server=$("$engine" inspect --format '{{.NetworkSettings.IPAddress}}' server) base=5301
    [ -n "$server" ] || server=$(ip -n server -4 -oneline address show eth0 | awk '{ sub("/.*", "", $4); print $4 }')
}
uncontain() {
    umount /run/netns/server /run/netns/client
    rm -f /run/netns/server /run/netns/client
    "$1" rm --force server client >/dev/null
}

# Bits a second in Gbit/s, the best of three.
throughput() {
    local best=0 now
    for _ in 1 2 3; do
        now=$(ip netns exec "$1" iperf3 --client "$2" --port "$3" --time "$seconds" --json |
            python3 -c 'import json, sys; print(json.load(sys.stdin)["end"]["sum_received"]["bits_per_second"] / 1e9)')
        best=$(python3 -c "print(max($best, $now))")
    done
    printf '%.1f' "$best"
}

connections() {
    ip netns exec lan wrk --threads 1 --connections 32 --duration "${seconds}s" --header 'Connection: close' "http://192.0.2.1:$((base + 1))/" |
        awk '/^Requests\/sec/ { printf "%.0f", $2 }'
}

measure() {
    local name=$1
    ip netns exec server iperf3 --server >/dev/null 2>&1 &
    local iperf=$!
    (cd "$scratch" && mkdir -p www && echo page >www/index.html && exec ip netns exec server busybox httpd -f -p 80 -h www) &
    local web=$!
    sleep 1
    say "| $name | $(throughput client "$server" 5201) | $(throughput lan 192.0.2.1 "$base") | $(connections) |"
    kill "$iperf" "$web"
    wait "$iperf" "$web" 2>/dev/null || true
}

say
say "## Throughput and connections, $seconds s each"
say
say "| | container to container, Gbit/s | neighbour to published port, Gbit/s | connections a second |"
say "|---|---:|---:|---:|"
bare && measure 'bare veths on a bridge' && unbare
containers "$lighter" && measure lighter && uncontain "$lighter"
if command -v dockerd >/dev/null && command -v docker >/dev/null; then
    export DOCKER_HOST=unix://$scratch/docker/sock
    mkdir -p "$scratch/docker"
    dockerd --host "$DOCKER_HOST" --data-root "$scratch/docker/root" --exec-root "$scratch/docker/exec" \
        --pidfile "$scratch/docker/pid" --registry-mirror http://127.0.0.1:5000 >"$scratch/docker/log" 2>&1 &
    children+=($!)
    for _ in $(seq 100); do
        ! docker version >/dev/null 2>&1 || break
        sleep 0.2
    done
    if containers docker; then
        measure docker
        uncontain docker
    else
        say "| docker | does not run here | | |"
    fi
else
    say "| docker | not installed | | |"
fi

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
