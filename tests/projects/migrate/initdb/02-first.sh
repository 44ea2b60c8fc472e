#!/bin/bash
# Over the socket: while this runs, the server listens nowhere else.
set -e
PGHOST='' psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" -c "insert into notes (body) values ('first')"
