#!/bin/bash
# Applies each numbered file that the database has not seen.
set -e
if [ -n "$MIGRATE_FAIL" ]; then
    echo "told to fail" >&2
    exit 3
fi
for file in /migrations/*.sql; do
    number=$((10#$(basename "$file" | cut -d- -f1)))
    if [ "$(psql -tAc "select count(*) from versions where version = $number")" = 1 ]; then
        echo "already there: $number"
        continue
    fi
    psql -q --single-transaction -v ON_ERROR_STOP=1 -f "$file" -c "insert into versions values ($number)"
    echo "applied $number"
done
