#!/usr/bin/env bash
# peers.sh   Sourced by the benchmarks that measure lighter beside other tools, inside a network and a mount namespace of their own
#            (`unshare --net --mount`). Before: $root is this checkout, $port a free port. After: the test images are served on
#            loopback, lighter, podman and docker use that registry and keep everything in $scratch, which goes at the
#            end with whatever they made; `report`, `measure` and `publish` write the result.
#
# Whatever is not installed, nor unpacked in target/tools, is left out and named in the result.

: "${root:?}" "${port:?}"
export LIGHTER=${LIGHTER:-$root/target/release/lighter}
images=$root/target/images
PATH=$PATH:/usr/sbin:/sbin:$root/target/tools/usr/bin:$root/target/tools/usr/sbin
scratch=$(mktemp -d /tmp/lighter-bench-XXXXXX)
# In memory, for whoever removes and makes thousands of files a round: ext4 looks at each inode that was freed in the last
# minutes before it takes a new one (fs/ext4/ialloc.c, recently_deleted), which soon is most of what is measured.
[ "${BENCH_STORE:-disk}" != memory ] || mount -t tmpfs -o mode=755 none "$scratch"
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

# --- the result --------------------------------------------------------------------------------------------------------

export BENCH_RESULT=$scratch/result.md
. "$root/benches/report.sh"

versions() {
    lighter_version "$LIGHTER"
    for tool in docker docker-compose podman podman-compose runc crun skopeo umoci; do
        if [ $tool = docker ] && [ $docker_up = yes ]; then
            echo ", dockerd $(docker version --format '{{.Server.Version}}')"
        elif [ $tool = podman ] && has podman; then
            echo ", podman $(podman --version | awk '{ print $NF }') with $podman_runtime"
        elif [ $tool = podman-compose ] && has podman-compose; then
            echo ", podman-compose $(podman-compose version 2>/dev/null | sed -n 's/.*podman-composer\? version *//p')"
        elif [ $tool != docker ]; then
            tool_version $tool
        fi
    done
}
