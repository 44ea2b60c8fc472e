#!/usr/bin/env bash
# packages.sh demo|images|test|fuzz|vm|release|bench   Installs with apt what that target needs and the host has not.
#
# Nothing is started or enabled: docker-registry, and the engines that tests/engines runs, whose packages bring services,
# are unpacked into target/tools instead of being installed.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# package=what shows that it, or something as good, is there: a program, or a file
build='gcc=cc libc6-dev=/usr/include/stdio.h'
images='mmdebstrap=mmdebstrap python3=python3 zstd=zstd curl=curl ca-certificates=/etc/ssl/certs/ca-certificates.crt'
test='skopeo=skopeo umoci=umoci nftables=nft iproute2=ip redis-tools=redis-cli postgresql-client=psql bind9-dnsutils=dig
    bind9-host=host systemd=/lib/systemd/systemd-journald openssl=openssl musl-tools=musl-gcc shellcheck=shellcheck zsh=zsh fish=fish
    openssh-client=ssh bzip2=bzip2 xz-utils=xz strace=strace busybox-static=/usr/share/doc/busybox-static'
# What the engines need that tests/engines runs on lighter, or beside it. tini is docker's init.
engines='runc=runc conmon=conmon tini=tini-static iptables=iptables docker-compose=docker-compose'
case ${1:-} in
demo) wanted="$build curl=curl ca-certificates=/etc/ssl/certs/ca-certificates.crt" ;;
images) wanted=$images ;;
test) wanted="$build $images $test $engines" ;;
fuzz) wanted="$build g++=c++" ;;
vm) wanted="$build $images binutils=strip util-linux=setpriv" ;; # all else is unpacked into target/vm-testbed
release) wanted="$build musl-tools=musl-gcc binutils=readelf" ;;
bench) wanted="$build $images time=/usr/bin/time busybox-static=/usr/share/doc/busybox-static iproute2=ip skopeo=skopeo umoci=umoci runc=runc crun=crun iperf3=iperf3 wrk=wrk
    docker-compose=docker-compose podman-compose=podman-compose buildah=buildah" ;; # podman and docker bring services
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
# package=file, of packages that bring services
registry='docker-registry=/usr/bin/docker-registry'
case $1 in
images | vm | bench) services=$registry ;;
test) services="$registry podman=/usr/bin/podman docker.io=/usr/sbin/dockerd containerd=/usr/bin/containerd
    containernetworking-plugins=/usr/lib/cni/host-local openssh-server=/usr/sbin/sshd" ;;
*) services='' ;;
esac
tools=$root/target/tools
unpacked=()
for pair in $services; do
    package=${pair%%=*} proof=${pair#*=}
    [ -x "$proof" ] || command -v "${proof##*/}" >/dev/null || [ -x "$tools$proof" ] || unpacked+=("$package")
done

if [ ${#missing[@]} -gt 0 ] || [ ${#unpacked[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "packages.sh: needs root to install: ${missing[*]} ${unpacked[*]}" >&2
        exit 1
    fi
    command -v apt-get >/dev/null || {
        echo "packages.sh: no apt here; install by hand what corresponds to: ${missing[*]} ${unpacked[*]}" >&2
        exit 1
    }
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
fi
if [ ${#unpacked[@]} -gt 0 ]; then
    # The libraries of what is unpacked, under the names they have in this release; they bring no services.
    mapfile -t libraries < <(apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances "${unpacked[@]}" | awk '$1 == "Depends:" && $2 ~ /^lib/ { print $2 }' | sort -u)
    for library in "${libraries[@]}"; do
        dpkg-query --show --showformat '${db:Status-Status}\n' "$library" 2>/dev/null | grep -qx installed ||
            missing+=("$library")
    done
fi
if [ ${#missing[@]} -gt 0 ]; then
    echo "packages: installing ${missing[*]}"
    apt-get install -q -y --no-install-recommends "${missing[@]}"
fi
if [ ${#unpacked[@]} -gt 0 ]; then
    echo "packages: unpacking ${unpacked[*]} into target/tools"
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    (cd "$scratch" && apt-get download -q -o APT::Sandbox::User=root "${unpacked[@]}")
    mkdir -p "$tools"
    for package in "$scratch"/*.deb; do
        dpkg-deb --extract "$package" "$tools"
    done
fi

# A minimal Rust has neither.
if [ "$1" = test ]; then
    cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
    cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
fi
