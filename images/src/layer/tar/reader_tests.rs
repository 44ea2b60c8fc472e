//! Archives are built header by header, so that the malformed ones can be built too.

use proptest::prelude::*;
use tar::{EntryType, Header};

use super::super::entry::Timestamp;
use super::*;

/// One header block of the GNU form, with its content padded to whole blocks.
fn member(name: &[u8], entry_type: EntryType, content: &[u8]) -> Vec<u8> {
    member_with(name, entry_type, content, |_| {})
}

fn member_with(name: &[u8], entry_type: EntryType, content: &[u8], change: impl FnOnce(&mut Header)) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_entry_type(entry_type);
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    change(&mut header);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let body: String = records.iter().map(|(key, value)| record(key, value)).collect();
    member(b"pax", EntryType::XHeader, body.as_bytes())
}

fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let length = (1..9).map(|digits| rest.len() + digits).find(|all| all.to_string().len() + rest.len() == *all);
    format!("{}{rest}", length.unwrap())
}

/// Reads a whole archive: each entry with its content.
fn read(archive: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, TarError> {
    let mut reader = Reader::new(archive);
    let mut entries = Vec::new();
    while let Some(entry) = reader.next()? {
        let mut content = Vec::new();
        loop {
            let length = match reader.chunk()? {
                [] => break,
                chunk => {
                    content.extend_from_slice(chunk);
                    chunk.len()
                }
            };
            reader.consume(length);
        }
        entries.push((entry, content));
    }
    Ok(entries)
}

fn names(archive: &[u8]) -> Option<Vec<String>> {
    let entries = read(archive).ok()?;
    Some(entries.into_iter().map(|(entry, _)| String::from_utf8(entry.path).unwrap()).collect())
}

#[test]
fn entries_come_with_their_content_and_unread_content_is_skipped() {
    let archive = [
        member(b"a", EntryType::Regular, b"hello"),
        member(b"d/", EntryType::Directory, b""),
        member(b"old-dir/", EntryType::Regular, b""),
        member(b"b", EntryType::Regular, &[7; 1000]),
        vec![0; 1024],
    ]
    .concat();
    let entries = read(&archive).unwrap();
    assert_eq!(entries[0].1, b"hello");
    assert_eq!((entries[1].0.kind, entries[2].0.kind), (Kind::Directory, Kind::Directory));
    assert_eq!(entries[3].1, [7; 1000]);
    let mut reader = Reader::new(&archive[..]);
    let count = std::iter::from_fn(|| reader.next().unwrap()).count();
    assert_eq!(count, 4);
}

#[test]
fn extended_headers_override_what_they_name() {
    let long = "d/".repeat(150) + "file";
    let archive = [
        pax(&[
            ("path", &long),
            ("mtime", "1700000000.5"),
            ("uid", "3000000"),
            ("SCHILY.xattr.user.a", "b"),
            ("gid", ""),
        ]),
        member_with(b"short", EntryType::Regular, b"x", |header| header.set_gid(7)),
        member(b"././@LongLink", EntryType::GNULongLink, b"to/some/where\0"),
        member(b"link", EntryType::Symlink, b""),
        member_with(b"tty", EntryType::Char, b"", |header| {
            header.set_device_major(5).unwrap();
            header.set_device_minor(1).unwrap();
        }),
    ]
    .concat();
    let entries: Vec<Entry> = read(&archive).unwrap().into_iter().map(|(entry, _)| entry).collect();
    assert_eq!(entries[0].path, long.as_bytes());
    assert_eq!(entries[0].mtime, Timestamp { seconds: 1_700_000_000, nanoseconds: 500_000_000 });
    assert_eq!((entries[0].uid, entries[0].gid), (3_000_000, 7));
    assert_eq!(entries[0].xattrs, [(b"user.a".to_vec(), b"b".to_vec())]);
    assert_eq!(entries[1].link, b"to/some/where");
    assert_eq!(entries[2].kind, Kind::CharDevice(Device { major: 5, minor: 1 }));
}

/// The class of CVE-2025-62518: where header and extended header disagree about the size, a reader that believes the
/// wrong one finds headers inside the content.
#[test]
fn the_extended_size_wins_over_the_header() {
    let inner = member(b"smuggled", EntryType::Regular, b"");
    let size = inner.len().to_string();
    for header_size in [0, 1, 4096] {
        let outer = member_with(b"outer", EntryType::Regular, &inner, |header| header.set_size(header_size));
        let archive = [pax(&[("size", &size)]), outer, member(b"after", EntryType::Regular, b"")].concat();
        assert_eq!(names(&archive).unwrap(), ["outer", "after"]);
    }
}

#[test]
fn what_readers_disagree_about_is_an_error() {
    let file = member(b"f", EntryType::Regular, b"");
    let long_name = member(b"L", EntryType::GNULongName, b"name\0");
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("two extended headers", [pax(&[("path", "a")]), pax(&[("path", "b")]), file.clone()].concat()),
        ("two long names", [long_name.clone(), long_name.clone(), file.clone()].concat()),
        ("an extended header at the end", [file.clone(), pax(&[("path", "a")])].concat()),
        ("an empty long name", [member(b"L", EntryType::GNULongName, b"\0"), file.clone()].concat()),
        ("a negative size", [pax(&[("size", "-1")]), file.clone()].concat()),
        ("a size beyond 2^63", [pax(&[("size", "9223372036854775808")]), file.clone()].concat()),
        ("an owner of -1", [pax(&[("uid", "4294967295")]), file.clone()].concat()),
        ("an old directory with content", member(b"d/", EntryType::Regular, b"x")),
        ("one block of zeros", [file.clone(), vec![0; BLOCK], file.clone()].concat()),
        ("an unknown type", member(b"f", EntryType::new(b'V'), b"")),
        ("an end inside the content", member(b"f", EntryType::Regular, &[1; 2000])[..1000].to_vec()),
        ("an end inside a header", file[..100].to_vec()),
        (
            "a huge extended header",
            member_with(b"x", EntryType::XHeader, b"", |header| header.set_size(LONGEST_EXTENSION + 1)),
        ),
    ];
    for (what, archive) in cases {
        assert!(read(&archive).is_err(), "{what}");
    }
}

#[test]
fn sparse_files_of_every_form_are_read_alike() {
    let map = SparseMap { size: 8192, pieces: vec![(0, 512), (4096, 5)] };
    let content = [vec![1; 512], b"hello".to_vec()].concat();
    let gnu = member_with(b"s", EntryType::GNUSparse, &content, |header| {
        let gnu = header.as_gnu_mut().unwrap();
        gnu.sparse[0].set_offset(0);
        gnu.sparse[0].set_length(512);
        gnu.sparse[1].set_offset(4096);
        gnu.sparse[1].set_length(5);
        gnu.set_real_size(8192);
    });
    let version_0_0 = [
        pax(&[
            ("GNU.sparse.size", "8192"),
            ("GNU.sparse.numblocks", "2"),
            ("GNU.sparse.offset", "0"),
            ("GNU.sparse.numbytes", "512"),
            ("GNU.sparse.offset", "4096"),
            ("GNU.sparse.numbytes", "5"),
        ]),
        member(b"s", EntryType::Regular, &content),
    ];
    let version_0_1 = [
        pax(&[("GNU.sparse.name", "s"), ("GNU.sparse.size", "8192"), ("GNU.sparse.map", "0,512,4096,5")]),
        member(b"GNUSparseFile.0/s", EntryType::Regular, &content),
    ];
    let mut inline = b"2\n0\n512\n4096\n5\n".to_vec();
    inline.resize(BLOCK, 0);
    let version_1_0 = [
        pax(&[
            ("GNU.sparse.major", "1"),
            ("GNU.sparse.minor", "0"),
            ("GNU.sparse.name", "s"),
            ("GNU.sparse.realsize", "8192"),
        ]),
        member(b"GNUSparseFile.0/s", EntryType::Regular, &[inline, content.clone()].concat()),
    ];
    for archive in [gnu, version_0_0.concat(), version_0_1.concat(), version_1_0.concat()] {
        let entries = read(&[archive, member(b"after", EntryType::Regular, b"x")].concat()).unwrap();
        let (entry, read_content) = &entries[0];
        assert_eq!((&entry.path[..], &entry.sparse, read_content), (&b"s"[..], &Some(map.clone()), &content));
        assert_eq!(entries[1].0.path, b"after");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_read(archive in proptest::collection::vec(any::<u8>(), 0..2048)) {
        let _ = read(&archive);
    }

    /// Random bytes rarely pass a checksum, so this one changes a field and repairs the checksum.
    #[test]
    fn any_header_is_refused_or_read(
        at in 0usize..BLOCK, bytes in proptest::collection::vec(any::<u8>(), 1..40), kind in any::<u8>(),
    ) {
        let mut archive = member_with(b"f", EntryType::new(kind), &[b'1'; 600], |header| {
            let end = (at + bytes.len()).min(BLOCK);
            header.as_mut_bytes()[at..end].copy_from_slice(&bytes[..end - at]);
        });
        archive.extend(member(b"after", EntryType::Regular, b"x"));
        let _ = read(&archive);
    }
}
