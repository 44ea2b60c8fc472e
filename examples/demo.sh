#!/usr/bin/env bash
# demo.sh up     Starts examples/hits until its page counts, and says what to try next.
# demo.sh down   Stops it and removes everything that `up` made, but for the images pulled.
#
# Images come from Docker Hub; where that cannot be reached, they are built from Debian packages and served by Debian's
# docker-registry on 127.0.0.1:5511, which lighter is told to use as the mirror of docker.io. The configuration that says
# so is target/demo/config.toml, named by LIGHTER_CONFIG for this project only: a configuration in /etc is left alone.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lighter=${LIGHTER:-$root/target/release/lighter}
project=$root/examples/hits
state=$root/target/demo
port=5511 # of the registry
page=http://127.0.0.1:8000

fail() {
    echo "demo: $*" >&2
    exit 1
}

hub_answers() { curl -s -o /dev/null --max-time 3 https://registry-1.docker.io/v2/; }

serve_images() {
    echo "demo: Docker Hub cannot be reached; serving images made from Debian packages instead"
    "$root/.ci/packages.sh" images
    "$root/tests/images/build.sh"
    "$root/tests/images/serve.sh" start "$root/target/images" "$port"
    mkdir -p "$state"
    printf '[registry."docker.io"]\nmirrors = ["http://127.0.0.1:%s"]\n' "$port" >"$state/config.toml"
}

# count PATH   the number on the page, once it answers
count() {
    local answer
    for _ in $(seq 300); do
        if answer=$(curl -sf --max-time 5 "$page/$1"); then
            grep -o '[0-9]\+' <<<"$answer"
            return
        fi
        sleep 0.2
    done
    "$lighter" logs >&2 || true
    fail "$page does not answer"
}

up() {
    [ "$(id -u)" = 0 ] || fail "needs root: sudo make demo"
    [ -x "$lighter" ] || fail "$lighter is not built: make demo"
    if hub_answers; then
        rm -f "$state/config.toml"
    else
        serve_images
        export LIGHTER_CONFIG=$state/config.toml
    fi
    cd "$project"
    "$lighter" up -d

    # The page counts each path by itself, so that a visitor of / still starts at 1.
    local first second
    first=$(count demo)
    second=$(count demo)
    [ "$second" = $((first + 1)) ] || fail "the page said $first, then $second: it does not count"
    cat <<TEXT

It runs, and it counts: $page/demo said $first, then $second. Try:

  export PATH=$(dirname "$lighter"):\$PATH
  cd $project
  curl $page                          # counts 1, then 2, …
  lighter ps                                         # both services, health, port
  lighter logs -f web                                # Ctrl-C ends it
  lighter exec web getent hosts redis                # names resolve between services
  lighter down && lighter up -d                      # the count stays: it is on a named volume

Stop and remove it all:

  make demo-down
TEXT
}

down() {
    [ "$(id -u)" = 0 ] || fail "needs root: sudo make demo-down"
    cd "$project"
    [ ! -x "$lighter" ] || "$lighter" down --volumes
    [ ! -d "$root/target/images" ] || "$root/tests/images/serve.sh" stop "$root/target/images" "$port"
    rm -rf "$state"
    echo "demo: gone; the images stay until \`lighter rmi python:3-slim redis:7\`"
}

case ${1:-} in
up | down) "$1" ;;
*)
    sed -n '2,3s/^# //p' "$0" >&2
    exit 2
    ;;
esac
