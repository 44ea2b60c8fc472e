#!/usr/bin/env python3
"""assemble.py TREES LAYOUT NATIVE FOREIGN   Turns the unpacked trees of build.sh into the images of one OCI layout.

Between them the images have what registries of the field serve: a layer shared by several images, gzip and zstd, an index
of several platforms with an attestation, an image of one bare manifest, volumes, stop signals, entry points.
"""

import os
import sys

import oci
import torture

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def main(trees, target, native, foreign):
    layout = oci.Layout(target)

    def tree(name):
        return oci.Tree(os.path.join(trees, name + ".tar"))

    debian = tree("debian")
    base = layout.layer(oci.difference(debian), "mmdebstrap: Debian bookworm")

    def on_debian(reference, name, config, how="gzip"):
        top = layout.layer(oci.difference(tree(name), debian), f"mmdebstrap: {name}", how)
        layout.name(reference, layout.image([base, top], native, config))

    busybox = {}
    for name, architecture in (("busybox", native), ("busybox-foreign", foreign)):
        layer = layout.layer(oci.difference(tree(name)), "mmdebstrap: busybox-static")
        busybox[architecture] = layout.image([layer], architecture, {"Env": [PATH], "Cmd": ["sh"]})
        if architecture == native:
            torture_base = layer
    # The foreign platform first: whoever takes the first entry gets a program that does not run.
    index = layout.index([busybox[foreign], busybox[native], layout.attestation(busybox[native])])
    layout.name("busybox:1", index)
    layout.name("busybox:latest", index)
    layout.name("debian:12-slim", layout.image([base], native, {"Env": [PATH], "Cmd": ["bash"]}))
    on_debian("python:3-slim", "python", {"Env": [PATH, "LANG=C.UTF-8"], "Cmd": ["python3"]})
    on_debian("redis:7", "redis", {
        "Env": [PATH], "Entrypoint": ["docker-entrypoint.sh"], "Cmd": ["redis-server"], "WorkingDir": "/data",
        "Volumes": {"/data": {}}, "ExposedPorts": {"6379/tcp": {}},
    })
    on_debian("postgres:15", "postgres", {
        "Env": [PATH + ":/usr/lib/postgresql/15/bin", "LANG=C.UTF-8", "PG_MAJOR=15", "PGDATA=/var/lib/postgresql/data"],
        "Entrypoint": ["docker-entrypoint.sh"], "Cmd": ["postgres"], "StopSignal": "SIGINT",
        "Volumes": {"/var/lib/postgresql/data": {}}, "ExposedPorts": {"5432/tcp": {}},
    })
    on_debian("nginx:1", "nginx", {
        "Env": [PATH], "Entrypoint": ["/docker-entrypoint.sh"], "Cmd": ["nginx", "-g", "daemon off;"],
        "StopSignal": "SIGQUIT", "ExposedPorts": {"80/tcp": {}},
    }, how="zstd")
    torture.images(layout, torture_base, native, {"Env": [PATH], "Cmd": ["sh"]})
    layout.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
