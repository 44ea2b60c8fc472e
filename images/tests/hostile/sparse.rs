//! Files with holes, in the three forms of GNU tar.

use tar::EntryType;

use crate::archive::{Archive, new};
use crate::ground::{Ground, looks, refused, try_alone};

/// A file of version 0.1: its map is a record.
fn mapped(size: &str, map: &str, content: &str) -> Archive {
    let records = [("GNU.sparse.size", size.as_bytes()), ("GNU.sparse.map", map.as_bytes())];
    new().pax(&records).file("s", content)
}

/// A file of version 1.0: its map is in front of its content.
fn inline(size: &str, head: &str) -> Archive {
    let mut content = head.as_bytes().to_vec();
    content.resize(content.len().next_multiple_of(512), 0);
    content.extend_from_slice(b"hello");
    let records: [(&str, &[u8]); 4] = [
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"s"),
        ("GNU.sparse.realsize", size.as_bytes()),
    ];
    new().pax(&records).entry("GNUSparseFile.0/s", EntryType::Regular, "", &content)
}

#[test]
#[ignore = "needs root"]
fn a_map_of_holes_accounts_for_every_byte_or_is_refused() {
    let ground = Ground::new();
    let many: String = (0..70_000).map(|n| format!("{},0,", n * 10)).collect();
    try_alone(
        &ground,
        vec![
            ("a hole before", mapped("10", "5,5", "hello"), looks(&["f s \\x00\\x00\\x00\\x00\\x00hello"])),
            ("a file of holes", mapped("1099511627776", "1099511627776,0", ""), looks(&["f s 1099511627776 bytes"])),
            ("a map in front", inline("10", "1\n5\n5\n"), looks(&["f s \\x00\\x00\\x00\\x00\\x00hello"])),
            ("pieces that overlap", mapped("10", "0,3,2,2", "hello"), refused("sparse map overlaps itself")),
            ("pieces in the wrong order", mapped("10", "5,3,0,2", "hello"), refused("sparse map overlaps itself")),
            ("a piece beyond the end", mapped("7", "5,5", "hello"), refused("sparse map is out of range")),
            (
                "a piece at the end of all numbers",
                mapped("9223372036854775807", "9223372036854775807,5", "hello"),
                refused("sparse map is out of range"),
            ),
            ("less content than pieces", mapped("10", "0,9", "hello"), refused("sparse map does not account")),
            ("more content than pieces", mapped("10", "0,1", "hello"), refused("sparse map does not account")),
            (
                "a size that no file can have",
                mapped("9223372036854775807", "0,5", "hello"),
                refused("unpack `s`: File too large"),
            ),
            ("half a piece", mapped("10", "0,5,7", "hello"), refused("sparse map is malformed")),
            (
                "no size",
                new().pax(&[("GNU.sparse.map", b"0,5")]).file("s", "hello"),
                refused("sparse file has no size"),
            ),
            ("too many pieces", mapped("700000", many.trim_end_matches(','), ""), refused("sparse map is too long")),
            ("too many pieces in front", inline("10", "99999999\n"), refused("sparse map is too long")),
            ("a map in front that does not end", inline("10", "3\n0\n1\n"), refused("sparse map")),
            (
                "a name that leads out",
                new()
                    .pax(&[("GNU.sparse.name", b"../../s"), ("GNU.sparse.size", b"5"), ("GNU.sparse.map", b"0,5")])
                    .file("x", "hello"),
                looks(&["f s hello"]),
            ),
        ],
    );
}
