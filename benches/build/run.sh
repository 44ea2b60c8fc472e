#!/usr/bin/env bash
# run.sh [ROUNDS]   Measures how lighter builds images beside docker's classic builder, the BuildKit that dockerd has built in,
#                   and `buildah bud`, in one run, round by round in turn, and writes benches/results/DATE-build.md (DATE-build-2.md, …
#                   for further runs of a day).
#
#   cold       ten instructions on debian:12-slim, six of them RUN, nothing of it cached
#   cached     the same build again
#   changed    the same with one file changed that the last COPY takes
#   files      COPY of 20,000 small files, nothing of it cached
#   install    a RUN that unpacks 3,000 files (48 MB) into an image of 120 MB, as `apt-get install` does, nothing of it cached
#   small      a RUN that writes one file into the same image: what does not depend on the change
#   memory     the most that one process of lighter had in memory at once in `files`
#
# Whatever is not installed is left out and named in the result. All stores are on a tmpfs. Steps have no network, so that
# nobody waits for one. Everything happens in a network and a mount namespace of its own and in one scratch folder; afterwards nothing
# of it is left.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
rounds=${1:-10}

if [ "${BENCH_INSIDE:-}" != yes ]; then
    [ "$(id -u)" = 0 ] || { echo "run.sh: needs root" >&2; exit 1; }
    "$root/tests/images/build.sh"
    BENCH_INSIDE=yes exec unshare --net --mount --propagation private "$0" "$rounds"
fi

port=5000 BENCH_STORE=memory
# shellcheck source=benches/peers.sh
. "$root/benches/peers.sh"

# --- what is built -----------------------------------------------------------------------------------------------------

work=$scratch/work
mkdir -p "$work/steps/app" "$work/files" "$work/install" "$work/small" "$work/base/usr/lib/many"
for n in $(seq 20); do echo "module $n" >"$work/steps/app/module$n.py"; done
echo changed >"$work/steps/version"
cat >"$work/steps/Dockerfile" <<'D'
FROM debian:12-slim
ENV APP=/app
WORKDIR /app
COPY app /app
RUN mkdir -p /app/build && cp /app/*.py /app/build
RUN cd /app/build && for f in *.py; do sed s/module/compiled/ "$f" >"${f%.py}.pyc"; done
RUN echo "app:x:1000:1000::/app:/bin/sh" >>/etc/passwd
RUN chown -R 1000:1000 /app
RUN ls /app/build >/app/manifest
COPY version /app/version
RUN cat /app/version /app/manifest >/app/release
CMD ["cat", "/app/release"]
D
python3 - "$work/files/tree" "$work/base/usr/lib/many" <<'P'
import os, random, sys
random.seed(1)
def fill(folder, count, size):
    for n in range(count):
        path = os.path.join(folder, f"d{n // 100}")
        os.makedirs(path, exist_ok=True)
        with open(os.path.join(path, f"f{n}"), "wb") as file:
            file.write(random.randbytes(size() // 2).hex().encode())
fill(sys.argv[1], 20000, lambda: random.randrange(100, 2000))
fill(sys.argv[2], 3000, lambda: 16384)
P
printf 'FROM busybox:1\nCOPY tree /tree\n' >"$work/files/Dockerfile"
tar --create --file "$work/base/packages.tar" --directory "$work/base" usr
rm -r "$work/base/usr"
printf 'FROM python:3-slim\nCOPY packages.tar /packages.tar\n' >"$work/base/Dockerfile"
printf 'FROM bench-base\nRUN tar -x -C / -f /packages.tar\n' >"$work/install/Dockerfile"
printf 'FROM bench-base\nRUN echo x >/small\n' >"$work/small/Dockerfile"

# --- who builds it -----------------------------------------------------------------------------------------------------

# contestant NAME: how it builds (followed by a folder), and how it forgets
declare -A build forget
build[lighter]="$LIGHTER build --quiet --network none --tag bench"
forget[lighter]="$LIGHTER rmi --force bench; $LIGHTER builder prune --force"
contestants=(lighter)
if [ $docker_up = yes ]; then
    # Debian's client speaks with the BuildKit of its dockerd by itself; a newer one wants a plugin.
    client=$root/target/tools/usr/bin/docker
    [ -x "$client" ] || client=docker
    build['docker, classic']="env DOCKER_BUILDKIT=0 $client build --quiet --network none --tag bench"
    forget['docker, classic']="docker rmi --force bench; docker image prune --force"
    build['docker, BuildKit']="env DOCKER_BUILDKIT=1 $client build --quiet --network none --tag bench"
    forget['docker, BuildKit']="docker rmi --force bench; docker builder prune --all --force"
    contestants+=('docker, classic' 'docker, BuildKit')
fi
if has buildah; then
    # Layers: else it caches nothing. Its own isolation, as rootful users have it.
    buildah="buildah --storage-driver overlay"
    build[buildah]="$buildah bud --quiet --layers --runtime runc --network none --tag bench"
    forget[buildah]="$buildah rmi --force bench; $buildah rmi --prune --force"
    contestants+=(buildah)
fi

{
    head_of ', builds' "$rounds"
    versions
    tool_version buildah
} >"$BENCH_RESULT"

# as NAME FOLDER [TAG]   Builds, untimed.
as() {
    local command=${build[$1]}
    [ -z "${3:-}" ] || command=${command% bench}\ $3
    # shellcheck disable=SC2086 # it is a command with its arguments
    $command "$work/$2" >/dev/null || echo "bench: $1 cannot build $2" >&2
}
for name in "${contestants[@]}"; do as "$name" base bench-base; done

# compare TITLE FOLDER PREPARE…   PREPARE: `forget`, or what to do before each build
compare() {
    local title=$1 folder=$2 prepare=$3 arguments=() before
    for name in "${contestants[@]}"; do
        before=$prepare
        [ "$prepare" != forget ] || before=${forget[$name]}
        arguments+=(--contestant "$name" "$before" "${build[$name]} $work/$folder" '')
    done
    measure --rounds "$rounds" --title "$title" "${arguments[@]}"
}
compare 'ten steps, cold' steps forget
compare 'ten steps, cached' steps ''
compare 'ten steps, one file changed' steps "date +%N >$work/steps/version"
compare 'COPY of 20,000 files, cold' files forget
compare 'COPY of 20,000 files, cached' files ''
compare 'install 3,000 files' install forget
compare 'write one file' small forget

eval "${forget[lighter]}" >/dev/null
/usr/bin/time --format %M --output "$scratch/memory" "$LIGHTER" build --quiet --tag bench "$work/files" >/dev/null
printf '\n## Most memory of one process, COPY of 20,000 files\n\n%s KiB\n' "$(cat "$scratch/memory")" >>"$BENCH_RESULT"

publish -build
