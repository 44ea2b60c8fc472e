#!/bin/bash
# Prepares a data directory on first use, as Docker's image does, then becomes the server.
#
#   POSTGRES_PASSWORD          needed, unless POSTGRES_HOST_AUTH_METHOD=trust
#   POSTGRES_USER, _DB         superuser (postgres) and database (the user's name) to create
#   POSTGRES_INITDB_ARGS       further options of initdb
#   POSTGRES_HOST_AUTH_METHOD  how clients outside must identify themselves (scram-sha-256)
#   <any of these>_FILE        a file that holds the value
# Each file of /docker-entrypoint-initdb.d runs once, in order of names: .sh (sourced if not executable), .sql, .sql.gz.
set -Eeo pipefail

from_file() {
    local name=$1 file=$1_FILE
    if [ -n "${!file:-}" ]; then
        [ -z "${!name:-}" ] || { echo >&2 "error: both $name and $file are set"; exit 1; }
        export "$name"="$(<"${!file}")"
    fi
    unset "$file"
}

# shellcheck disable=SC1090 # the user's own script
source_it() { . "$1"; }

# Over the socket, whatever server the environment names for clients.
sql() { PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc --username "$POSTGRES_USER" "$@"; }

initialise() {
    if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
        echo >&2 "error: database is uninitialized and superuser password is not specified: set POSTGRES_PASSWORD"
        exit 1
    fi
    eval 'initdb --username="$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") '"${POSTGRES_INITDB_ARGS:-}"
    printf '\nhost all all all %s\n' "$POSTGRES_HOST_AUTH_METHOD" >>"$PGDATA/pg_hba.conf"

    # Only on the socket: whoever waits for the port sees a server that is ready for good.
    PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
    export PGPASSWORD=${PGPASSWORD:-${POSTGRES_PASSWORD:-}}
    if [ "$POSTGRES_DB" != postgres ]; then
        sql --dbname postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
    fi
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        case $file in
        *.sh) if [ -x "$file" ]; then echo "running $file"; "$file"; else echo "sourcing $file"; source_it "$file"; fi ;;
        *.sql) echo "running $file"; sql --dbname "$POSTGRES_DB" -f "$file" ;;
        *.sql.gz) echo "running $file"; gunzip -c "$file" | sql --dbname "$POSTGRES_DB" ;;
        */\*) ;;
        *) echo "ignoring $file" ;;
        esac
    done
    PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -m fast -w stop
    unset PGPASSWORD
    echo "PostgreSQL init process complete; ready for start up."
}

case "${1:-}" in
-*) set -- postgres "$@" ;;
esac
if [ "$1" = postgres ]; then
    if [ "$(id -u)" = 0 ]; then
        mkdir -p "$PGDATA"
        chmod 700 "$PGDATA"
        find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
        exec setpriv --reuid=postgres --regid=postgres --init-groups "${BASH_SOURCE[0]}" "$@"
    fi
    for name in POSTGRES_PASSWORD POSTGRES_USER POSTGRES_DB POSTGRES_INITDB_ARGS; do from_file $name; done
    POSTGRES_USER=${POSTGRES_USER:-postgres}
    POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
    POSTGRES_HOST_AUTH_METHOD=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    if [ -s "$PGDATA/PG_VERSION" ]; then
        echo "PostgreSQL Database directory appears to contain a database; skipping initialization"
    else
        initialise
    fi
fi
exec "$@"
