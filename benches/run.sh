#!/usr/bin/env bash
# run.sh [ROUNDS]   Measures lighter beside docker, podman, runc and crun, in one run, round by round in turn, and writes
#                   benches/results/DATE.md (DATE-2.md, … for further runs of a day).
#
#   run     `run --rm busybox:1 true`, with each tool's default network and without a network; for runc and crun a bundle
#           that is already unpacked: no image, no network, no log, so a floor rather than an equal
#   exec    `exec CONTAINER true` in a container that runs
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

port=5000
# shellcheck source=benches/peers.sh
. "$here/peers.sh"

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

{ head_of "" "$rounds"; versions; } >"$BENCH_RESULT"

run=(--contestant lighter '' "$LIGHTER run --rm busybox:1 true" '')
exec=(--contestant lighter '' "$LIGHTER exec bench-exec true" '')
alone=(--contestant lighter '' "$LIGHTER run --rm --network none busybox:1 true" '')
pull=(--contestant lighter "$LIGHTER rmi --force python:3-slim || true" "$LIGHTER pull --quiet python:3-slim" '')
# What is up has to work; some tools say so too early.
works="timeout 15 sh -c 'until curl -sf --max-time 2 http://127.0.0.1:8000; do sleep 0.1; done'; worked=\$?"
up=(--contestant lighter '' "$LIGHTER up -d" "$works; $LIGHTER down -v -t 0 && exit \$worked")
"$LIGHTER" pull --quiet busybox:1 >/dev/null
"$LIGHTER" run --detach --name bench-exec busybox:1 sleep 100000 >/dev/null
if [ $docker_up = yes ]; then
    run+=(--contestant docker '' 'docker run --rm busybox:1 true' '')
    alone+=(--contestant docker '' 'docker run --rm --network none busybox:1 true' '')
    pull+=(--contestant docker 'docker rmi --force python:3-slim' 'docker pull --quiet python:3-slim' '')
    exec+=(--contestant docker '' 'docker exec bench-exec true' '')
    docker pull --quiet busybox:1 >/dev/null
    docker run --detach --name bench-exec busybox:1 sleep 100000 >/dev/null
    if docker compose version >/dev/null 2>&1; then
        up+=(--contestant 'docker compose' '' 'docker compose up -d' "$works; docker compose down -v -t 0 && exit \$worked")
    elif has docker-compose; then
        up+=(--contestant docker-compose '' 'docker-compose up -d' "$works; docker-compose down -v -t 0 && exit \$worked")
    fi
fi
if has podman; then
    podman pull --quiet busybox:1 >/dev/null
    podman run --detach --name bench-exec busybox:1 sleep 100000 >/dev/null
    exec+=(--contestant podman '' 'podman exec bench-exec true' '')
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

measure --rounds "$rounds" --title 'exec bench-exec true' "${exec[@]}"
"$LIGHTER" rm --force bench-exec >/dev/null
[ $docker_up = no ] || docker rm --force bench-exec >/dev/null
! has podman || podman rm --force --time 0 bench-exec >/dev/null
measure --rounds "$rounds" --title 'run --rm busybox:1 true, default network' "${run[@]}"
measure --rounds "$rounds" --title 'run --rm --network none busybox:1 true' "${alone[@]}"
measure --rounds "$(((rounds + 1) / 2))" --title 'pull and unpack python:3-slim' "${pull[@]}"
cp -r "$root/examples/hits" "$scratch/hits"
cd "$scratch/hits"
measure --rounds "$(((rounds + 1) / 2))" --title 'up -d of examples/hits' "${up[@]}"

publish ""
