#!/usr/bin/env bash
# packages.sh demo|images|test|vm|release|bench   Installs with apt what that target needs and the host has not.
#
# Nothing is started or enabled: docker-registry, whose package brings a service on port 5000, is unpacked into
# target/tools instead of being installed.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# package=what shows that it, or something as good, is there: a program, or a file
build='gcc=cc libc6-dev=/usr/include/stdio.h'
images='mmdebstrap=mmdebstrap python3=python3 zstd=zstd curl=curl ca-certificates=/etc/ssl/certs/ca-certificates.crt'
test='skopeo=skopeo umoci=umoci nftables=nft iproute2=ip redis-tools=redis-cli postgresql-client=psql bind9-dnsutils=dig
    shellcheck=shellcheck busybox-static=/usr/share/doc/busybox-static'
case ${1:-} in
demo) wanted="$build curl=curl ca-certificates=/etc/ssl/certs/ca-certificates.crt" ;;
images) wanted=$images ;;
test) wanted="$build $images $test" ;;
vm) wanted="$build $images binutils=strip util-linux=setpriv" ;; # all else is unpacked into target/vm-testbed
release) wanted="$build musl-tools=musl-gcc binutils=readelf" ;;
bench) wanted="$build $images iproute2=ip skopeo=skopeo umoci=umoci runc=runc crun=crun" ;; # podman and docker bring services
*)
    sed -n '2s/^# //p' "$0" >&2
    exit 2
    ;;
esac

missing=()
for pair in $wanted; do
    package=${pair%%=*} proof=${pair#*=}
    case $proof in
    /*) [ -e "$proof" ] || missing+=("$package") ;;
    *) command -v "$proof" >/dev/null || missing+=("$package") ;;
    esac
done
need_registry=false
case $1 in
images | test | vm | bench)
    command -v docker-registry >/dev/null || [ -x "$root/target/tools/usr/bin/docker-registry" ] || need_registry=true
    ;;
esac

if [ ${#missing[@]} -gt 0 ] || $need_registry; then
    if [ "$(id -u)" != 0 ]; then
        echo "packages.sh: needs root to install: ${missing[*]}" >&2
        exit 1
    fi
    command -v apt-get >/dev/null || {
        echo "packages.sh: no apt here; install by hand what corresponds to: ${missing[*]} docker-registry" >&2
        exit 1
    }
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
fi
if [ ${#missing[@]} -gt 0 ]; then
    echo "packages: installing ${missing[*]}"
    apt-get install -q -y --no-install-recommends "${missing[@]}"
fi
if $need_registry; then
    echo "packages: unpacking docker-registry into target/tools"
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    (cd "$scratch" && apt-get download -q -o APT::Sandbox::User=root docker-registry)
    mkdir -p "$root/target/tools"
    dpkg-deb --extract "$scratch"/docker-registry_*.deb "$root/target/tools"
fi

# A minimal Rust has neither.
if [ "$1" = test ]; then
    cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
    cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
fi
