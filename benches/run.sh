#!/usr/bin/env bash
# run.sh [ROUNDS]   Measures lighter beside docker, podman, runc and crun, in one run, round by round in turn, and writes
#                   benches/results/DATE.md (DATE-2.md, … for further runs of a day).
#
#   run     `run --rm busybox:1 true`, with each tool's default network and without a network; for runc and crun a bundle
#           that is already unpacked: no image, no network, no log, so a floor rather than an equal
#   up      `up -d` of examples/hits with all images present, until the command returns
#   pull    an image of two layers (43 MB of gzip) from a registry on loopback, until it is unpacked
#
# Whatever is not installed is left out and named in the result; with podman, names of services need Debian's package
# golang-github-containernetworking-plugin-dnsname (Debian 12) or aardvark-dns. Everything happens in a network and a mount namespace of
# its own and in one scratch folder; afterwards nothing of it is left.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/.." && pwd)
rounds=${1:-10}

if [ "${BENCH_INSIDE:-}" != yes ]; then
    [ "$(id -u)" = 0 ] || { echo "run.sh: needs root" >&2; exit 1; }
    "$root/tests/images/build.sh"
    BENCH_INSIDE=yes exec unshare --net --mount --propagation private "$0" "$rounds"
fi

export LIGHTER=${LIGHTER:-$root/target/release/lighter}
images=$root/target/images
PATH=$PATH:/usr/sbin:/sbin:$root/target/tools/usr/bin
scratch=$(mktemp -d /tmp/lighter-bench-XXXXXX)
port=5000
export SERVE_STATE=$scratch/registry
children=()
docker_up=no

has() { command -v "$1" >/dev/null; }

finish() {
    local status=$?
    trap - EXIT
    # Whatever a tool could not stop.
    "$LIGHTER" ps --all --quiet | xargs -r "$LIGHTER" rm --force >/dev/null 2>&1 || true
    ! has podman || podman rm --force --all >/dev/null 2>&1 || true
    [ $docker_up = no ] || docker ps --all --quiet | xargs -r docker rm --force >/dev/null 2>&1 || true
    "$root/tests/images/serve.sh" stop "$images" "$port" || true
    [ ${#children[@]} = 0 ] || { kill "${children[@]}" 2>/dev/null; wait "${children[@]}" 2>/dev/null; } || true
    # Mounts of the tools live in this mount namespace and would keep their folders busy.
    awk -v scratch="$scratch" 'index($5, scratch) == 1 { print $5 }' /proc/self/mountinfo | sort -r | xargs -r -n 1 umount -l || true
    rm -rf "$scratch"
    # The daemons leave the parent of their containers' cgroups.
    cgroups | comm -13 "$before" - | grep -E '/(docker|libpod_parent)' | sort -r | xargs -r rmdir 2>/dev/null || true
    rm -f "$before"
    exit "$status"
}
cgroups() { find /sys/fs/cgroup -mindepth 1 -type d | sort; }
before=$(mktemp)
cgroups >"$before"
trap finish EXIT

ip link set lo up
# What the tools keep in /run goes with this mount namespace.
mount -t tmpfs -o mode=755 none /run
"$root/tests/images/serve.sh" start "$images" "$port"
# Kept, for what is read from the network namespace but not by it: name servers, addresses of mirrors.
echo "nameserver 127.0.0.1" >"$scratch/resolv.conf"
target=$(readlink -m /etc/resolv.conf) # into /run, where systemd-resolved is
[ -e "$target" ] || { mkdir -p "$(dirname "$target")" && touch "$target"; }
mount --bind "$scratch/resolv.conf" "$target"

# --- lighter -----------------------------------------------------------------------------------------------------------

export LIGHTER_ROOT=$scratch/lighter/root LIGHTER_RUN=/run/lighter LIGHTER_CONFIG=$scratch/lighter/config.toml
mkdir -p "$scratch/lighter"
printf '[registry."docker.io"]\nmirrors = ["http://127.0.0.1:%s"]\n' "$port" >"$LIGHTER_CONFIG"

# --- podman ------------------------------------------------------------------------------------------------------------

# Its defaults where they work: crun refuses a host with both cgroup versions, limits above the caller's need a right that
# not every root has.
export CONTAINERS_CONF=$scratch/podman/containers.conf CONTAINERS_STORAGE_CONF=$scratch/podman/storage.conf
export CONTAINERS_REGISTRIES_CONF=$scratch/podman/registries.conf
mkdir -p "$scratch/podman"
podman_runtime=crun
[ ! -d /sys/fs/cgroup/unified ] || podman_runtime=runc
cat >"$CONTAINERS_CONF" <<TOML
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "$podman_runtime"
events_logger = "file"
tmp_dir = "$scratch/podman/tmp"
[network]
network_config_dir = "$scratch/podman/networks"
TOML
mkdir -p "$scratch/podman/networks"
cat >"$CONTAINERS_STORAGE_CONF" <<TOML
[storage]
driver = "overlay"
graphroot = "$scratch/podman/root"
runroot = "$scratch/podman/run"
TOML
cat >"$CONTAINERS_REGISTRIES_CONF" <<TOML
unqualified-search-registries = ["docker.io"]
[[registry]]
prefix = "docker.io"
location = "127.0.0.1:$port"
insecure = true
TOML

# --- docker ------------------------------------------------------------------------------------------------------------

if has dockerd && has docker; then
    export DOCKER_HOST=unix://$scratch/docker/sock DOCKER_CONFIG=$scratch/docker/config
    mkdir -p "$scratch/docker/config"
    echo "{}" >"$scratch/docker/config/config.json" # podman reads it as well
    dockerd --host "$DOCKER_HOST" --data-root "$scratch/docker/root" --exec-root "$scratch/docker/exec" \
        --pidfile "$scratch/docker/pid" --registry-mirror "http://127.0.0.1:$port" >"$scratch/docker/log" 2>&1 &
    children+=($!)
    for _ in $(seq 100); do
        ! docker version >/dev/null 2>&1 || { docker_up=yes; break; }
        sleep 0.2
    done
    [ $docker_up = yes ] || { echo "bench: dockerd does not start:"; tail -3 "$scratch/docker/log"; } >&2
    # dockerd drops whatever is forwarded and not its own; with br_netfilter that is also what the others' bridges carry.
    iptables -P FORWARD ACCEPT
fi

# --- runc, crun --------------------------------------------------------------------------------------------------------

# umoci takes no entry of an index, so busybox gets a name for its own manifest.
skopeo copy --quiet "oci:$images/layout:busybox:1" "oci:$scratch/busybox:busybox"
bundle() {
    umoci --log error unpack --image "$scratch/busybox:busybox" "$scratch/$1"
    python3 "$here/bundle.py" "$scratch/$1/config.json" "$2"
}
crun_prefix=
if has runc; then bundle runc keep-limits; fi
if has crun; then
    if [ -d /sys/fs/cgroup/unified ]; then
        # A mount namespace in which crun finds the version it wants; entering it costs what the line `nsenter true` says.
        unshare --mount --propagation private sh -c 'mount -t cgroup2 none /sys/fs/cgroup && exec sleep infinity' &
        children+=($!)
        crun_prefix="nsenter --mount=/proc/$!/ns/mnt "
        bundle crun no-limits
    else
        bundle crun keep-limits
    fi
fi

# --- measure -----------------------------------------------------------------------------------------------------------

export BENCH_RESULT=$scratch/result.md
{
    echo "# $(date -u +%F)"
    echo
    echo "$(nproc) CPUs ($(awk -F ': ' '/^model name/ { print $2; exit }' /proc/cpuinfo)), $(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)," \
        "Linux $(uname -r), $(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release), load $(cut -d' ' -f1-3 /proc/loadavg) at the start;" \
        "$rounds rounds, each tool in turn in every round. Times in milliseconds; \`×\` is the median beside lighter's."
    echo
    echo "lighter $("$LIGHTER" --version | awk '{ print $NF }') ($(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo "no commit"), $(stat -c %s "$LIGHTER") bytes)"
    for tool in docker docker-compose podman podman-compose runc crun skopeo umoci; do
        if [ $tool = docker ] && [ $docker_up = yes ]; then
            echo ", dockerd $(docker version --format '{{.Server.Version}}')"
        elif [ $tool = podman ] && has podman; then
            echo ", podman $(podman --version | awk '{ print $NF }') with $podman_runtime"
        elif [ $tool = podman-compose ] && has podman-compose; then
            echo ", podman-compose $(podman-compose version 2>/dev/null | sed -n 's/.*podman-composer\? version *//p')"
        elif [ $tool != docker ] && has $tool; then
            echo ", $tool $($tool --version 2>&1 | grep -o '[0-9]\+\.[0-9]\+[0-9.]*' | head -1)"
        else
            echo ", no $tool"
        fi
    done
} >"$BENCH_RESULT"

measure() { python3 "$here/measure.py" "$@"; }

run=(--contestant lighter '' "$LIGHTER run --rm busybox:1 true" '')
alone=(--contestant lighter '' "$LIGHTER run --rm --network none busybox:1 true" '')
pull=(--contestant lighter "$LIGHTER rmi --force python:3-slim || true" "$LIGHTER pull --quiet python:3-slim" '')
# What is up has to work; some tools say so too early.
works="timeout 15 sh -c 'until curl -sf --max-time 2 http://127.0.0.1:8000; do sleep 0.1; done'; worked=\$?"
up=(--contestant lighter '' "$LIGHTER up -d" "$works; $LIGHTER down -v -t 0 && exit \$worked")
"$LIGHTER" pull --quiet busybox:1 >/dev/null
if [ $docker_up = yes ]; then
    run+=(--contestant docker '' 'docker run --rm busybox:1 true' '')
    alone+=(--contestant docker '' 'docker run --rm --network none busybox:1 true' '')
    pull+=(--contestant docker 'docker rmi --force python:3-slim' 'docker pull --quiet python:3-slim' '')
    docker pull --quiet busybox:1 >/dev/null
    if docker compose version >/dev/null 2>&1; then
        up+=(--contestant 'docker compose' '' 'docker compose up -d' "$works; docker compose down -v -t 0 && exit \$worked")
    elif has docker-compose; then
        up+=(--contestant docker-compose '' 'docker-compose up -d' "$works; docker-compose down -v -t 0 && exit \$worked")
    fi
fi
if has podman; then
    podman pull --quiet busybox:1 >/dev/null
    run+=(--contestant podman '' 'podman run --rm busybox:1 true' '')
    alone+=(--contestant podman '' 'podman run --rm --network none busybox:1 true' '')
    pull+=(--contestant podman 'podman rmi --force python:3-slim' 'podman pull --quiet python:3-slim' '')
    ! has podman-compose || up+=(--contestant podman-compose '' 'podman-compose up -d' "$works; podman-compose down -v -t 0 && exit \$worked")
fi
if has runc; then
    alone+=(--contestant 'runc, bundle at hand' '' "runc --root $scratch/runc/state run --bundle $scratch/runc lighter-bench-runc" '')
fi
if has crun; then
    crun="crun --root $scratch/crun/state"
    [ -z "$crun_prefix" ] || { crun="$crun_prefix$crun --cgroup-manager=disabled"; alone+=(--contestant 'nsenter true' '' "${crun_prefix}true" ''); }
    alone+=(--contestant 'crun, bundle at hand' '' "$crun run --bundle $scratch/crun lighter-bench-crun" '')
fi
if has skopeo && has umoci; then
    copy="skopeo copy --quiet --src-tls-verify=false docker://127.0.0.1:$port/library/python:3-slim oci:$scratch/copy:python"
    pull+=(--contestant 'skopeo + umoci' "rm -rf $scratch/copy $scratch/unpacked" \
        "sh -c '$copy && umoci --log error unpack --image $scratch/copy:python $scratch/unpacked'" '')
fi

measure --rounds "$rounds" --title 'run --rm busybox:1 true, default network' "${run[@]}"
measure --rounds "$rounds" --title 'run --rm --network none busybox:1 true' "${alone[@]}"
measure --rounds "$(((rounds + 1) / 2))" --title 'pull and unpack python:3-slim' "${pull[@]}"
cp -r "$root/examples/hits" "$scratch/hits"
cd "$scratch/hits"
measure --rounds "$(((rounds + 1) / 2))" --title 'up -d of examples/hits' "${up[@]}"

result=$here/results/$(date -u +%F).md
for ((n = 2; ; n++)); do
    [ -e "$result" ] || break
    result=$here/results/$(date -u +%F)-$n.md
done
mkdir -p "$here/results"
cp "$BENCH_RESULT" "$result"
cat "$result"
echo "bench: written to $result" >&2
