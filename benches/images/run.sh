#!/usr/bin/env bash
# run.sh [ROUNDS]   Measures how lighter moves images beside docker, podman, skopeo with umoci and GNU tar, in one run, round by
#                   round in turn, and writes benches/results/DATE-images.md (DATE-images-2.md, … for further runs of a day).
#
#   pull    an image of four layers (177 MB unpacked, stack.py) from Debian's registry on loopback into a store that has
#           none of it, until it is unpacked; for tar the same blobs from disk, one after the other
#   again   the same pull when everything is there
#   save    that image into an archive on disk
#   load    the archive that the same tool wrote, into a store that has none of it
#   push    to a registry that has none of it
#   memory  the most that one `pull` had in memory at once
#
# Whatever is not installed is left out and named in the result. All stores are on a tmpfs. Everything happens in a network and a mount namespace of its
# own and in one scratch folder; afterwards nothing of it is left.
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

# A registry of its own, which can be written to and emptied.
cat >"$scratch/writable.yml" <<Y
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: "$scratch/writable"}, maintenance: {uploadpurging: {enabled: false}}}
http: {addr: "127.0.0.1:5001"}
Y
docker-registry serve "$scratch/writable.yml" >/dev/null 2>&1 &
children+=($!)
timeout 20 sh -c 'until curl -sf -o /dev/null http://127.0.0.1:5001/v2/; do sleep 0.1; done'
mapfile -t blobs < <(python3 "$here/stack.py" "$images/layout" "$scratch/stack" debian:12-slim python:3-slim redis:7 postgres:15)
stack=127.0.0.1:5001/stack:1
skopeo copy --quiet --dest-tls-verify=false "oci:$scratch/stack:stack:1" "docker://$stack"

{ head_of ', images' "$rounds"; versions; } >"$BENCH_RESULT"

gone='rmi --force '$stack
pull=(--contestant lighter "$LIGHTER $gone" "$LIGHTER pull --quiet $stack" '')
again=(--contestant lighter '' "$LIGHTER pull --quiet $stack" '')
save=(--contestant lighter '' "$LIGHTER save --output $scratch/lighter.tar $stack" '')
load=(--contestant lighter "$LIGHTER $gone" "$LIGHTER load --quiet --input $scratch/lighter.tar" '')
pushed=127.0.0.1:5001/pushed:1
empty="rm -rf $scratch/writable/docker/registry/v2/repositories/pushed $scratch/writable/docker/registry/v2/blobs"
push=(--contestant lighter "$empty" "$LIGHTER push --quiet $pushed" '')

if [ $docker_up = yes ]; then
    pull+=(--contestant docker "docker $gone" "docker pull --quiet $stack" '')
    again+=(--contestant docker '' "docker pull --quiet $stack" '')
    save+=(--contestant docker '' "docker save --output $scratch/docker.tar $stack" '')
    load+=(--contestant docker "docker $gone" "docker load --quiet --input $scratch/docker.tar" '')
    push+=(--contestant docker "$empty" "docker push --quiet $pushed" '')
fi
if has podman; then
    # podman has not /etc/docker's rule that loopback may be plain.
    printf '[[registry]]\nlocation = "127.0.0.1:5001"\ninsecure = true\n' >>"$CONTAINERS_REGISTRIES_CONF"
    pull+=(--contestant podman "podman $gone" "podman pull --quiet $stack" '')
    again+=(--contestant podman '' "podman pull --quiet $stack" '')
    save+=(--contestant podman "rm -f $scratch/podman.tar" "podman save --quiet --output $scratch/podman.tar $stack" '')
    load+=(--contestant podman "podman $gone" "podman load --quiet --input $scratch/podman.tar" '')
    push+=(--contestant podman "$empty" "podman push --quiet $pushed" '')
fi
copy="skopeo copy --quiet --src-tls-verify=false docker://$stack oci:$scratch/copy:stack"
pull+=(--contestant 'skopeo + umoci' "rm -rf $scratch/copy $scratch/unpacked" \
    "$copy && umoci --log error unpack --image $scratch/copy:stack $scratch/unpacked" "rm -rf $scratch/copy $scratch/unpacked")
tar=$(printf " && tar --extract --gzip --numeric-owner --directory $scratch/tar --file %s" "${blobs[@]}")
pull+=(--contestant 'GNU tar, blobs at hand' "rm -rf $scratch/tar && mkdir $scratch/tar" "${tar# && }" "rm -rf $scratch/tar")

measure --rounds "$rounds" --title 'pull and unpack' "${pull[@]}"
measure --rounds "$rounds" --title 'pull what is there' "${again[@]}"

"$LIGHTER" tag "$stack" "$pushed"
[ $docker_up = no ] || docker tag "$stack" "$pushed"
! has podman || podman tag "$stack" "$pushed"
measure --rounds "$rounds" --title 'save to a file' "${save[@]}"
# A second name would keep the layers there.
for tool in "$LIGHTER" docker podman; do
    "$tool" rmi "$pushed" >/dev/null 2>&1 || true
done
measure --rounds "$rounds" --title 'load from a file' "${load[@]}"
"$LIGHTER" rmi --force "$stack" >/dev/null
/usr/bin/time --format %M --output "$scratch/memory" "$LIGHTER" pull --quiet "$stack" >/dev/null
printf '\n## Most memory of one pull\n\n%s KiB\n' "$(cat "$scratch/memory")" >>"$BENCH_RESULT"
"$LIGHTER" tag "$stack" "$pushed"
[ $docker_up = no ] || docker tag "$stack" "$pushed"
! has podman || podman tag "$stack" "$pushed"
measure --rounds "$rounds" --title 'push' "${push[@]}"

publish -images
