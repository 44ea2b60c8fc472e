#!/usr/bin/env python3
"""push.py LAYOUT PORT   Pushes every image of an OCI layout to the registry on 127.0.0.1:PORT as library/NAME:TAG.

Byte for byte, whatever is in it: older versions of skopeo refuse attestations. (OCI distribution spec 1.1, "Push".)
"""

import json
import os
import sys
import urllib.error
import urllib.request

REF_NAME = "org.opencontainers.image.ref.name"


class Repository:
    def __init__(self, layout, port, name):
        self.layout, self.base = layout, f"http://127.0.0.1:{port}/v2/library/{name}"

    def read(self, descriptor):
        with open(os.path.join(self.layout, "blobs", "sha256", descriptor["digest"].removeprefix("sha256:")), "rb") as file:
            return file.read()

    def request(self, method, url, data=None, kind="application/octet-stream"):
        request = urllib.request.Request(url, data, {"Content-Type": kind}, method=method)
        with urllib.request.urlopen(request) as response:
            return response.headers

    def has(self, digest):
        try:
            self.request("HEAD", f"{self.base}/blobs/{digest}")
            return True
        except urllib.error.HTTPError:
            return False

    def blob(self, descriptor):
        digest = descriptor["digest"]
        if not self.has(digest):
            upload = self.request("POST", f"{self.base}/blobs/uploads/", b"")["Location"]
            self.request("PUT", f"{upload}&digest={digest}", self.read(descriptor))

    def manifest(self, descriptor, name):
        """Puts a manifest or an index as `name` (a tag or its digest), after everything that it refers to."""
        data = self.read(descriptor)
        document = json.loads(data)
        for child in document.get("manifests", []):
            self.manifest(child, child["digest"])
        for blob in [document[key] for key in ("config",) if key in document] + document.get("layers", []):
            self.blob(blob)
        self.request("PUT", f"{self.base}/manifests/{name}", data, descriptor["mediaType"])


def main(layout, port):
    with open(os.path.join(layout, "index.json")) as file:
        images = json.load(file)["manifests"]
    for image in images:
        name, tag = image["annotations"][REF_NAME].split(":")
        Repository(layout, port, name).manifest(image, tag)


if __name__ == "__main__":
    main(*sys.argv[1:])
