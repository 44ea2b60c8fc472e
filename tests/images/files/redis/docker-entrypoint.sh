#!/bin/sh
# Starts redis-server as the user `redis` unless told otherwise; options alone mean redis-server with these options.
set -e
case "${1:-}" in
-* | *.conf) set -- redis-server "$@" ;;
esac
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis '{}' +
    exec setpriv --reuid=redis --regid=redis --clear-groups "$0" "$@"
fi
# Without a configuration file Redis would accept local clients only; a container's network is its fence.
[ "$1" != redis-server ] || set -- "$@" --protected-mode no
exec "$@"
