#!/bin/sh
# Docker Hub's Python has no Flask; fetch it the first time this container starts.
set -e
python3 -c 'import flask, redis' 2>/dev/null || pip install --quiet --root-user-action=ignore flask redis
exec python3 /code/app.py
