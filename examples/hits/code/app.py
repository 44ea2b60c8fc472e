"""Counts visits, each path by itself, in Redis."""

import os
import signal
import sys

import flask
import redis

app = flask.Flask(__name__)
counters = redis.Redis(host=os.environ.get("REDIS_HOST", "redis"))


@app.get("/", defaults={"path": ""})
@app.get("/<path:path>")
def count(path):
    return f"Seen {counters.incr('hits:/' + path)} times.\n"


if __name__ == "__main__":
    # The first process of a container gets no default action for SIGTERM (pid_namespaces(7)), so stopping would have to
    # wait for SIGKILL.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    app.run(host="0.0.0.0", port=8000)
