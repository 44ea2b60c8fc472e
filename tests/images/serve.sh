#!/usr/bin/env bash
# serve.sh start DIR [PORT]   Serves the images of DIR (see build.sh) from Debian's docker-registry on 127.0.0.1:PORT
#                             (5000) as library/NAME:TAG, read-only, in the background.
# serve.sh stop DIR [PORT]    Ends that registry.
# serve.sh fill LAYOUT DATA   Puts every image of an OCI layout into the registry storage DATA (used by build.sh).
#
# What `stop` has to know is kept in $SERVE_STATE (default: DIR/serve-PORT); who serves in a network namespace of his own
# sets it, because a port says nothing there.
#
# The registry needs no service on the host: `docker-registry` is taken from PATH or from target/tools of this checkout.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
PATH=$PATH:$root/target/tools/usr/bin

# configuration DATA PORT READONLY
configuration() {
    cat <<Y
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: "$1"}, maintenance: {uploadpurging: {enabled: false}, readonly: {enabled: $3}}}
http: {addr: "127.0.0.1:$2"}
Y
}

answers() { curl -sf -o /dev/null "http://127.0.0.1:$1/v2/"; }

# await PORT PID LOG
await() {
    for _ in $(seq 100); do
        kill -0 "$2" 2>/dev/null || break
        ! answers "$1" || return 0
        sleep 0.1
    done
    echo "serve.sh: docker-registry does not answer on port $1:" >&2
    cat "$3" >&2
    return 1
}

start() {
    local dir=$1 port=$2 state=${SERVE_STATE:-$1/serve-$2}
    if [ -s "$state/pid" ] && kill -0 "$(cat "$state/pid")" 2>/dev/null && answers "$port"; then
        echo "images: already served on 127.0.0.1:$port"
        return
    fi
    if answers "$port"; then
        echo "serve.sh: something else answers on port $port" >&2
        return 1
    fi
    mkdir -p "$state"
    configuration "$dir/registry" "$port" true >"$state/config.yml"
    setsid docker-registry serve "$state/config.yml" </dev/null >"$state/log" 2>&1 &
    echo $! >"$state/pid"
    await "$port" "$!" "$state/log"
    echo "images: served on 127.0.0.1:$port: $(curl -sf "http://127.0.0.1:$port/v2/_catalog")"
}

stop() {
    local state=${SERVE_STATE:-$1/serve-$2} pid
    [ -s "$state/pid" ] || return 0
    pid=$(cat "$state/pid")
    # A pid may belong to somebody else by now, after a reboot for instance.
    if grep -q docker-registry "/proc/$pid/cmdline" 2>/dev/null; then
        kill "$pid"
    fi
    rm -rf "$state"
}

fill() {
    local layout=$1 data=$2 port state
    state=$(mktemp -d)
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    mkdir -p "$data"
    configuration "$(cd "$data" && pwd)" "$port" false >"$state/config.yml"
    docker-registry serve "$state/config.yml" </dev/null >"$state/log" 2>&1 &
    local pid=$!
    # shellcheck disable=SC2064 # the values of now: both are gone from scope when the trap runs
    trap "kill $pid; rm -rf '$state'" EXIT
    await "$port" "$pid" "$state/log"
    PYTHONDONTWRITEBYTECODE=1 python3 "$here/push.py" "$layout" "$port"
}

case ${1:-} in
start | stop) "$1" "$(cd "${2:?which directory?}" && pwd)" "${3:-5000}" ;;
fill) fill "${2:?which layout?}" "${3:?which directory?}" ;;
*)
    sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
