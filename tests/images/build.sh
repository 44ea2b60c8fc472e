#!/usr/bin/env bash
# build.sh [OUT]   Builds the images that the tests, the demo and the benches run: real programs from Debian packages.
#
# OUT (default: target/images of this checkout) receives
#   layout/     one OCI image layout; its index names every image (`busybox:1`, `redis:7`, …)
#   registry/   the same images in the storage format of Debian's docker-registry, ready for serve.sh
#   packages/   per image, the packages and versions that are in it
#   key         hash of this folder: a second run with the same recipes does nothing
#
# Packages are those of Debian bookworm whatever the host is, so that `postgres:15` is PostgreSQL 15 everywhere; they come
# from the mirror that the host's own apt uses, if the host is a Debian. Every time stamp is SOURCE_DATE_EPOCH or older and
# archives are written in order of names: the same packages give the same digests with the same mmdebstrap and zlib.
#
# Needs root (device nodes, owners) and: mmdebstrap, python3, zstd, curl, docker-registry.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
out=${1:-$root/target/images}
export SOURCE_DATE_EPOCH=1735689600 # 2025-01-01T00:00:00Z
export LC_ALL=C

key=$(cd "$here" && find . -type f ! -name '*.pyc' ! -name serve.sh -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1)
if [ "$(cat "$out/key" 2>/dev/null)" = "$key" ]; then
    echo "images: $out is up to date"
    exit 0
fi
if [ "$(id -u)" != 0 ]; then
    echo "build.sh: needs root: the images hold files of several owners and device nodes" >&2
    exit 1
fi
started=$SECONDS
mkdir -p "$out"
rm -rf "${out:?}/key" "$out/work" # what an interrupted run left
work=$out/work
mkdir -p "$work/trees" "$work/packages"
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$work"' EXIT

# --- packages --------------------------------------------------------------------------------------------------------

# The key that signs bookworm (B8B80B5B623EAB6AD8775C45B7C5D7D6350947F8), from Debian's package debian-archive-keyring: what
# other distributions have of that package is often older than bookworm.
keyring=$here/files/debian-bookworm.asc
native=$(dpkg --print-architecture)
# A second architecture for the index of busybox:1; its packages are unpacked, never run.
foreign=arm64
[ "$native" != arm64 ] || foreign=amd64

# The mirror of the host's own Debian sources, else Debian's own name for "a mirror near you".
# shellcheck disable=SC2016 # the format is apt's
mirror=$(apt-get indextargets --format '$(ORIGIN) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    awk '$1 == "Debian" && $2 == "main" && $3 !~ /security/ { print $3; exit }')
mirror=${mirror:-http://deb.debian.org/debian/}

# The base of every image but busybox and torture; they share it as one layer.
base=$(tr ' ' , <<<'base-files base-passwd bash coreutils dash debianutils diffutils findutils grep gzip hostname libc-bin mawk ncurses-base sed tar util-linux')

# tree NAME RECIPE ARCHITECTURE PACKAGES   unpacks PACKAGES, lets recipes/RECIPE finish the tree, leaves trees/NAME.tar
tree() {
    local name=$1 recipe=$2 architecture=$3 packages=$4 tree=$work/trees/$1
    # "extract" unpacks without running maintainer scripts: seconds instead of minutes, no emulation for a foreign
    # architecture, and nothing that depends on this host; the recipe does what is needed of those scripts.
    mmdebstrap --quiet --mode=root --variant=extract --architectures="$architecture" --include="$packages" \
        --aptopt='APT::Sandbox::User "root"' \
        --setup-hook="$here/recipes/merged-usr \"\$1\"" \
        --extract-hook="ls \"\$1/var/cache/apt/archives\" | sed -n 's/\\.deb\$//p' > '$work/packages/$name'" \
        bookworm "$tree" "deb [signed-by=$keyring] $mirror bookworm main"
    "$here/recipes/$recipe" "$tree" "$here/files"
    tar --create --file "$tree.tar" --directory "$tree" --format=pax --xattrs --numeric-owner --sort=name \
        --mtime="@$SOURCE_DATE_EPOCH" --clamp-mtime --one-file-system .
    rm -rf "$tree"
    echo "images: unpacked $name"
}

# Two at a time: one waits for the network while the other unpacks.
tree debian debian "$native" "$base" &
tree busybox busybox "$native" busybox-static &
wait -n; tree busybox-foreign busybox "$foreign" busybox-static &
wait -n; tree postgres postgres "$native" "$base,postgresql-15" &
wait -n; tree redis redis "$native" "$base,redis-server,redis-tools" &
wait -n; tree nginx nginx "$native" "$base,nginx-light" &
wait -n; tree python python "$native" "$base,python3,python3-flask,python3-redis" &
wait -n; wait -n
for name in debian busybox busybox-foreign postgres redis nginx python; do
    [ -s "$work/trees/$name.tar" ] || { echo "build.sh: could not unpack the packages of $name" >&2; exit 1; }
done

# --- images ----------------------------------------------------------------------------------------------------------

PYTHONDONTWRITEBYTECODE=1 python3 "$here/assemble.py" "$work/trees" "$work/layout" "$native" "$foreign"

# --- registry --------------------------------------------------------------------------------------------------------

"$here/serve.sh" fill "$work/layout" "$work/registry"

for part in layout registry packages; do
    rm -rf "${out:?}/$part"
    mv "$work/$part" "$out/$part"
done
echo "$key" >"$out/key" # last: whoever reads it may rely on the rest
echo "images: built $out in $((SECONDS - started)) s"
