#!/usr/bin/env python3
"""stack.py LAYOUT TARGET NAME...   Makes TARGET, an OCI layout with one image `stack:1` whose layers are those of the named images
of LAYOUT, each once, in order: an image as large as those of the field, out of what the tests build anyway. Prints the paths
of their blobs.
"""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "tests", "images"))
import oci


def main(source, target, *names):
    def read(descriptor):
        with open(os.path.join(source, "blobs", "sha256", descriptor["digest"][7:]), "rb") as file:
            return file.read()

    with open(os.path.join(source, "index.json")) as file:
        named = {entry["annotations"][oci.REF_NAME]: entry for entry in json.load(file)["manifests"]}
    layout = oci.Layout(target)
    layers = {}
    for name in names:
        manifest = json.loads(read(named[name]))
        config = json.loads(read(manifest["config"]))
        for descriptor, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
            if diff_id not in layers:
                layout.blob(read(descriptor), descriptor["mediaType"])
                layers[diff_id] = oci.Layer(descriptor, diff_id, name)
    layout.name("stack:1", layout.image(list(layers.values()), config["architecture"], {}))
    layout.close()
    for layer in layers.values():
        print(os.path.join(target, "blobs", "sha256", layer.descriptor["digest"][7:]))


if __name__ == "__main__":
    os.environ.setdefault("SOURCE_DATE_EPOCH", "0")
    main(*sys.argv[1:])
