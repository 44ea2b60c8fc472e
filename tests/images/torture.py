"""The image `torture:1`: what a layer may hold and an extractor may get wrong.

Everything is below /torture, so that what a runtime mounts over /dev, /proc and /etc does not disturb a comparison. The
archives are written by hand, header by header, because tarfile and tar(1) cannot write half of this, or only with their
process id in it.
"""

import struct

T1 = 1_700_000_000
REGULAR, HARDLINK, SYMLINK, CHARACTER, BLOCK, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"

# VFS_CAP_REVISION_2 with CAP_NET_BIND_SERVICE (bit 10) permitted and effective: capabilities(7), `struct vfs_cap_data`.
NET_BIND_SERVICE = struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0)


def number(value, width):
    """A numeric header field: octal, or base 256 when it does not fit (tar(5), "Numeric Extensions")."""
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    return (value + (1 << (8 * width - 1)) if value >= 0 else value + (1 << 8 * width)).to_bytes(width, "big")


def header(name, kind, *, mode=0o644, uid=0, gid=0, size=0, mtime=T1, link=b"", device=(0, 0), gnu=False):
    """One 512-byte header, in ustar format or GNU's."""
    magic = b"ustar  \0" if gnu else b"ustar\x0000"
    fields = b"".join([
        name[:100].ljust(100, b"\0"), number(mode, 8), number(uid, 8), number(gid, 8), number(size, 12),
        number(mtime, 12), b" " * 8, kind, link[:100].ljust(100, b"\0"), magic, bytes(32), bytes(32),
        number(device[0], 8), number(device[1], 8),
    ]).ljust(512, b"\0")
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]


def padded(data):
    return data + bytes(-len(data) % 512)


def record(key, value):
    """One PAX record: its length counts itself."""
    body = b" " + key + b"=" + value + b"\n"
    length = len(body)
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    return str(length).encode() + body


def pax(records, kind=b"x"):
    data = b"".join(record(key, value) for key, value in records.items())
    return header(b"././@PaxHeader", kind, size=len(data)) + padded(data)


def entry(name, kind=REGULAR, data=b"", *, mtime=T1, uid=0, gid=0, link=b"", xattrs=None, **fields):
    """An entry with whatever PAX records it needs: long or odd names, large ids, fractions of a second, xattrs."""
    name, link = (text.encode() if isinstance(text, str) else text for text in (name, link))
    records = {}
    if len(name) > 100 or any(byte > 126 for byte in name):
        records[b"path"] = name
    if len(link) > 100:
        records[b"linkpath"] = link
    if not isinstance(mtime, int) or mtime < 0:
        records[b"mtime"] = str(mtime).encode()
    for key, value in ((b"uid", uid), (b"gid", gid)):
        if value >= 8**7:
            records[key] = str(value).encode()
    for key, value in (xattrs or {}).items():
        records[b"SCHILY.xattr." + key.encode()] = value
    short = {
        "mtime": max(0, int(float(mtime))), "uid": uid if uid < 8**7 else 0, "gid": gid if gid < 8**7 else 0, "link": link,
    }
    return (pax(records) if records else b"") + header(name, kind, size=len(data), **short, **fields) + padded(data)


def directory(name, mode=0o755, **fields):
    return entry(name + "/", DIRECTORY, mode=mode, **fields)


def gnu_long(name, kind):
    """GNU's own way to write a long name ("L") or link target ("K")."""
    data = name + b"\0"
    return header(b"././@LongLink", kind, size=len(data), mode=0, mtime=0, gnu=True) + padded(data)


def sparse_pax(name, pieces, real_size):
    """The PAX sparse format 1.0: the map, in decimal lines, comes before the data."""
    lines = [str(len(pieces))] + [str(n) for offset, content in pieces for n in (offset, len(content))]
    data = padded("".join(line + "\n" for line in lines).encode()) + b"".join(content for _, content in pieces)
    records = {
        b"GNU.sparse.major": b"1", b"GNU.sparse.minor": b"0", b"GNU.sparse.name": name,
        b"GNU.sparse.realsize": str(real_size).encode(),
    }
    return pax(records) + header(b"GNUSparseFile.0/sparse", REGULAR, size=len(data)) + padded(data)


def archive(*entries):
    return b"".join(entries) + bytes(1024)


def contents():
    """Layer 1: every kind of entry, in PAX format, each directory before what is in it."""
    component, deep = "n" * 255, "/".join(["deep" * 20] * 8)
    nested = [directory("torture/" + "/".join(deep.split("/")[:depth])) for depth in range(1, 9)]
    return archive(
        directory("torture", mtime="1700000001.123456789"),
        directory("torture/empty", mode=0o700, uid=1000, gid=1001, mtime=1),
        directory("torture/sticky", mode=0o1777),
        directory("torture/setgid", mode=0o2775, gid=50),
        # modes and owners
        entry("torture/setuid", data=b"s", mode=0o4755),
        entry("torture/setuid-of-a-user", data=b"s", mode=0o6711, uid=1000, gid=1001),
        entry("torture/mode-0", data=b"0", mode=0),
        entry("torture/large-ids", data=b"i", uid=3_000_000, gid=2_500_000),
        entry("torture/empty-file", mode=0o600),
        entry("torture/data", data=bytes(range(256)) * 1024),
        # times
        entry("torture/nanoseconds", mtime="1700000002.000000001"),
        entry("torture/epoch", mtime=0),
        entry("torture/before-1970", mtime="-86400.25"),
        entry("torture/year-2100", mtime=4_102_444_800),
        # names
        *nested,
        entry(f"torture/{deep}/file", data=b"deep"),
        entry(f"torture/{component}", data=b"255"),
        entry("torture/ü-précomposé-日本語-🚢", data=b"nfc"),
        entry("torture/u\u0308-decomposed", data=b"nfd"),
        entry(b"torture/latin1-\xe9", data=b"no utf-8"),
        entry("torture/blank and\nnewline\\back\ttab", data=b"blank"),
        entry("torture/-rf", data=b"option"),
        entry("torture/wh.not-a-whiteout", data=b"wh"),
        # links
        entry("torture/hard-1", data=b"hard", mode=0o640, uid=7),
        entry("torture/hard-2", HARDLINK, link="torture/hard-1"),
        entry("torture/empty/hard-3", HARDLINK, link="torture/hard-2"),
        # One name only: overlayfs copies a file up by one of its names and leaves the others behind.
        entry("torture/has-a-name-above", data=b"two names, one in each layer", mode=0o604, uid=8),
        entry("torture/relative", SYMLINK, link="../torture/data", mode=0o777),
        entry("torture/absolute", SYMLINK, link="/torture/data", mode=0o777),
        entry("torture/dangling", SYMLINK, link="/nowhere/at/all", mode=0o777, uid=12, gid=13, mtime=99),
        entry("torture/outside", SYMLINK, link="../../../../../../etc", mode=0o777),
        entry("torture/loop", SYMLINK, link="loop", mode=0o777),
        entry("torture/long-target", SYMLINK, link="t/" * 200 + "end", mode=0o777),
        entry("torture/hard-to-symlink", HARDLINK, link="torture/dangling"),
        # special files
        entry("torture/null", CHARACTER, device=(1, 3), mode=0o666),
        entry("torture/loop7", BLOCK, device=(7, 7), mode=0o660, gid=6),
        entry("torture/large-minor", CHARACTER, device=(240, 70_000), mode=0o600),
        entry("torture/fifo", FIFO, mode=0o622),
        # extended attributes
        entry("torture/user-xattr", data=b"x", xattrs={"user.text": b"value", "user.bytes": b"\x00\xff\n=\x80", "user.none": b""}),
        directory("torture/xattr-on-a-directory", xattrs={"user.dir": b"yes"}),
        entry("torture/capability", data=b"c", mode=0o755, uid=1000, xattrs={"security.capability": NET_BIND_SERVICE}),
        # holes
        sparse_pax(b"torture/sparse-pax", [(1 << 20, b"middle".ljust(512, b".")), (3 << 20, b"end")], (3 << 20) + 3),
        # what the next layers change
        directory("torture/removed-directory"),
        entry("torture/removed-directory/file", data=b"gone"),
        entry("torture/removed-file", data=b"gone"),
        directory("torture/opaque", mode=0o750, uid=4),
        entry("torture/opaque/below", data=b"gone"),
        directory("torture/opaque/below-too"),
        directory("torture/kept"),
        entry("torture/kept/below", data=b"stays"),
        entry("torture/file-becomes-directory", data=b"file"),
        directory("torture/directory-becomes-file"),
        entry("torture/directory-becomes-file/below", data=b"gone"),
        entry("torture/symlink-becomes-directory", SYMLINK, link="kept", mode=0o777),
        directory("torture/mode-changes", mode=0o755),
        directory("torture/real"),
        entry("torture/through", SYMLINK, link="/torture/real", mode=0o777),
    )


def changes():
    """Layer 2: whiteouts, changes of type, and entries whose parents only the layer below has."""
    return archive(
        entry("torture/.wh.removed-file"),
        entry("torture/.wh.removed-directory"),
        directory("torture/opaque", mode=0o711, uid=5, mtime=77),
        entry("torture/opaque/new-before-the-marker", data=b"new"),
        entry("torture/opaque/.wh..wh..opq"),
        entry("torture/opaque/new", data=b"new"),
        entry("torture/file-becomes-directory/", DIRECTORY, mode=0o755),
        entry("torture/file-becomes-directory/inside", data=b"in"),
        entry("torture/directory-becomes-file", data=b"file"),
        directory("torture/symlink-becomes-directory"),
        entry("torture/symlink-becomes-directory/inside", data=b"in"),
        directory("torture/mode-changes", mode=0o500, uid=9),
        # no entry for torture/kept: it has to keep what layer 1 said
        entry("torture/kept/added", data=b"added"),
        # a link into the layer below
        entry("torture/hard-across-layers", HARDLINK, link="torture/has-a-name-above"),
        # through a symbolic link of the layer below, absolute in the image's root
        entry("torture/through/file", data=b"in /torture/real"),
    )


def gnu():
    """Layer 3: GNU format, contents before their directory, one name twice."""
    long_name, long_link = b"torture/gnu/" + b"g" * 200, b"k/" * 120 + b"end"
    return archive(
        header(b"torture/gnu/first", REGULAR, size=5, gnu=True) + padded(b"first"),
        header(b"torture/gnu/", DIRECTORY, mode=0o751, mtime=1_234_567_890, gnu=True),
        gnu_long(long_name, b"L") + header(long_name, REGULAR, size=4, gnu=True) + padded(b"long"),
        gnu_long(long_link, b"K") + header(b"torture/gnu/long-link", SYMLINK, link=long_link, mode=0o777, gnu=True),
        header(b"torture/gnu/large-ids", REGULAR, uid=4_000_000, gid=4_000_001, gnu=True),
        header(b"torture/gnu/twice", REGULAR, size=5, mode=0o600, gnu=True) + padded(b"first"),
        header(b"torture/gnu/twice", REGULAR, size=6, mode=0o644, gnu=True) + padded(b"second"),
        # after all that changed it, so that its time is what the archive says in every implementation
        directory("torture", mtime="1700000003.25"),
    )


def v7(name, data=b"", mode=0o644):
    """An entry as tar wrote it before ustar: no magic, no type; a directory is a name that ends in a slash."""
    plain = header(name, b"\0", mode=mode, size=len(data))[:257].ljust(512, b"\0")
    blank = plain[:148] + b" " * 8 + plain[156:]
    return blank[:148] + b"%06o\0 " % sum(blank) + blank[156:] + padded(data)


def rare():
    """What umoci refuses and Docker unpacks: a global PAX header, as `git archive` writes it, and a tar of 1979."""
    return archive(
        pax({b"comment": b"0123456789abcdef0123456789abcdef01234567"}, kind=b"g"),
        directory("torture"),
        v7(b"torture/v7/", mode=0o751),
        v7(b"torture/v7/file", data=b"seventh edition", mode=0o640),
    )


def images(layout, base, architecture, config):
    """Stores `torture:1`, which umoci can unpack, and `torture:rare`, which it cannot; both on top of the layer `base`."""
    common = [
        base,
        layout.layer(contents(), "torture: every kind of entry"),
        layout.layer(changes(), "torture: whiteouts, changes of type, absent parents"),
        layout.layer(gnu(), "torture: GNU format", "none"),
    ]
    layout.name("torture:1", layout.image(common, architecture, config))
    layout.name("torture:rare", layout.image([base, layout.layer(rare(), "torture: rare", "zstd")], architecture, config))
