"""Writes an OCI image layout (OCI image spec 1.1, image-layout.md): blobs, layers, configs, manifests, indexes.

Everything written is a function of its input alone: no clock, no process id, no order of a directory.
"""

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile

CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
REF_NAME = "org.opencontainers.image.ref.name"


def created():
    """The one time stamp of every image, as RFC 3339."""
    import datetime

    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    return datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def compress(tar, how):
    """The tar archive as a blob, and the suffix of its media type."""
    if how == "gzip":
        return gzip.compress(tar, compresslevel=6, mtime=0), "+gzip"
    if how == "zstd":
        return subprocess.run(["zstd", "-q", "-10", "-c"], input=tar, stdout=subprocess.PIPE, check=True).stdout, "+zstd"
    return tar, ""


class Layer:
    """One layer: its descriptor, the digest of its tar archive, and how its history names it."""

    def __init__(self, descriptor, diff_id, created_by):
        self.descriptor, self.diff_id, self.created_by = descriptor, diff_id, created_by


class Layout:
    def __init__(self, path):
        self.path, self.named = path, []
        os.makedirs(os.path.join(path, "blobs", "sha256"))
        with open(os.path.join(path, "oci-layout"), "w") as file:
            json.dump({"imageLayoutVersion": "1.0.0"}, file)

    def blob(self, data, media_type):
        """Stores `data`; returns its descriptor."""
        digest = sha256(data)
        with open(os.path.join(self.path, "blobs", "sha256", digest[7:]), "wb") as file:
            file.write(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def document(self, value, media_type):
        return self.blob(json.dumps(value, separators=(",", ":")).encode(), media_type)

    def layer(self, tar, created_by, how="gzip"):
        data, suffix = compress(tar, how)
        return Layer(self.blob(data, LAYER + suffix), sha256(tar), created_by)

    def image(self, layers, architecture, config):
        """Stores config and manifest; returns the manifest's descriptor, with its platform."""
        platform = {"architecture": architecture, "os": "linux"}
        if architecture == "arm64":
            platform["variant"] = "v8"
        history = [{"created": created(), "created_by": layer.created_by} for layer in layers]
        rootfs = {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]}
        config = self.document(
            {"created": created(), **platform, "config": config, "rootfs": rootfs, "history": history}, CONFIG
        )
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config}
        manifest["layers"] = [layer.descriptor for layer in layers]
        return {**self.document(manifest, MANIFEST), "platform": platform}

    def attestation(self, image):
        """The provenance entry that BuildKit adds beside an image: platform unknown/unknown, never to be chosen."""
        statement = json.dumps({"_type": "https://in-toto.io/Statement/v0.1", "subject": []}).encode()
        layer = self.blob(statement, "application/vnd.in-toto+json")
        config = self.document(
            {"architecture": "unknown", "os": "unknown", "config": {},
             "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}, CONFIG,
        )
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
        return {
            **self.document(manifest, MANIFEST),
            "platform": {"architecture": "unknown", "os": "unknown"},
            "annotations": {
                "vnd.docker.reference.digest": image["digest"],
                "vnd.docker.reference.type": "attestation-manifest",
            },
        }

    def index(self, manifests):
        return self.document({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}, INDEX)

    def name(self, reference, descriptor):
        """Gives a manifest or an index a name in the layout's own index."""
        descriptor = {key: descriptor[key] for key in ("mediaType", "digest", "size")}
        self.named.append({**descriptor, "annotations": {REF_NAME: reference}})

    def close(self):
        with open(os.path.join(self.path, "index.json"), "w") as file:
            json.dump({"schemaVersion": 2, "manifests": self.named}, file, indent=1)


class Tree:
    """The entries of a tar archive by name, without `./` and without a trailing slash; "" is the root."""

    def __init__(self, path):
        self.archive = tarfile.open(path)
        self.entries = {}
        for entry in self.archive:
            entry.name = entry.name.removeprefix("./").rstrip("/").removeprefix(".")
            if entry.islnk():
                entry.linkname = entry.linkname.removeprefix("./")
            self.entries[entry.name] = entry

    def content(self, entry):
        return self.archive.extractfile(entry).read() if entry.isreg() else b""

    def same(self, entry, other_tree):
        """Whether `other_tree` has an entry equal in every respect but its place in the archive."""
        other = other_tree.entries.get(entry.name)
        fields = ("type", "mode", "uid", "gid", "size", "linkname")
        if other is None or any(getattr(entry, field) != getattr(other, field) for field in fields):
            return False
        # A directory's time says only that something below it differs, and then it is here as a parent.
        return entry.isdir() or (entry.mtime == other.mtime and self.content(entry) == other_tree.content(other))


def difference(tree, below=None):
    """The tar archive of what `tree` has and the tree `below` has not, parents included, in order of names."""
    changed = [entry for entry in tree.entries.values() if entry.name and not (below and tree.same(entry, below))]
    names = {entry.name for entry in changed}
    for entry in changed:
        parent = os.path.dirname(entry.name)
        while parent:
            names.add(parent)
            parent = os.path.dirname(parent)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        # The order in which tar walks a sorted tree, as in the archive read: a hard link's first name comes first in both.
        for name in sorted(names, key=lambda name: name.split("/")):
            entry = tree.entries[name]
            entry.uname = entry.gname = ""
            entry.mtime, entry.pax_headers = int(entry.mtime), {}
            archive.addfile(entry, io.BytesIO(tree.content(entry)) if entry.isreg() else None)
    return buffer.getvalue()
