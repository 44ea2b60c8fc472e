use std::io::BufReader;

use proptest::prelude::*;

use super::super::entry::{Device, Timestamp};
use super::super::reader::Reader;
use super::super::sparse::SparseMap;
use super::*;

fn file(path: &str, content: &[u8]) -> Entry {
    Entry {
        path: path.as_bytes().to_vec(),
        link: Vec::new(),
        kind: Kind::Regular,
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: Timestamp::default(),
        size: content.len() as u64,
        sparse: None,
        xattrs: Vec::new(),
    }
}

fn written(entries: &[(Entry, Vec<u8>)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (entry, content) in entries {
        writer.entry(entry).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap()
}

fn read(archive: &[u8]) -> Vec<(Entry, Vec<u8>)> {
    let mut reader = Reader::new(BufReader::new(archive));
    let mut entries = Vec::new();
    while let Some(entry) = reader.next().unwrap() {
        let mut content = Vec::new();
        loop {
            let chunk = reader.chunk().unwrap().to_vec();
            if chunk.is_empty() {
                break;
            }
            reader.consume(chunk.len());
            content.extend(chunk);
        }
        entries.push((entry, content));
    }
    entries
}

#[test]
fn content_must_be_as_long_as_the_header_says() {
    let mut writer = Writer::new(Vec::new());
    writer.entry(&file("a", b"abc")).unwrap();
    writer.write_all(b"ab").unwrap();
    assert!(writer.entry(&file("b", b"")).is_err());
    let mut writer = Writer::new(Vec::new());
    writer.entry(&file("a", b"abc")).unwrap();
    assert!(writer.write_all(b"abcd").is_err());
}

#[test]
fn an_ordinary_entry_needs_no_records() {
    assert_eq!(written(&[(file("a/b", b"abc"), b"abc".to_vec())]).len(), 4 * BLOCK);
}

#[test]
fn times_before_1970_read_back() {
    assert_eq!(time(-2, 750_000_000), "-1.25");
    assert_eq!(time(-1, 0), "-1");
    assert_eq!(time(1, 5), "1.000000005");
}

fn kinds() -> impl Strategy<Value = Kind> {
    let device = (0u32..4096, 0u32..1 << 20).prop_map(|(major, minor)| Device { major, minor });
    prop_oneof![
        Just(Kind::Regular),
        Just(Kind::Directory),
        Just(Kind::Symlink),
        Just(Kind::HardLink),
        Just(Kind::Fifo),
        device.clone().prop_map(Kind::CharDevice),
        device.prop_map(Kind::BlockDevice),
    ]
}

prop_compose! {
    fn entries()(
        kind in kinds(),
        path in proptest::collection::vec(1u8..=255, 1..300),
        link in proptest::collection::vec(1u8..=255, 1..300),
        (mode, uid, gid) in (0u32..0o10000, 0u32..u32::MAX, 0u32..u32::MAX),
        (seconds, nanoseconds) in (-10_000_000_000i64..100_000_000_000, 0u32..1_000_000_000),
        content in proptest::collection::vec(any::<u8>(), 0..2000),
        holes in any::<bool>(),
        xattrs in proptest::collection::btree_map("[a-z.]{1,20}", proptest::collection::vec(any::<u8>(), 1..200), 0..3),
    ) -> (Entry, Vec<u8>) {
        let is_regular = kind == Kind::Regular;
        // A trailing slash would make a directory of it.
        let path = [path, b"x".to_vec()].concat();
        let link = if matches!(kind, Kind::Symlink | Kind::HardLink) { link } else { Vec::new() };
        let content = if is_regular { content } else { Vec::new() };
        let length = content.len() as u64;
        let pieces = vec![(512, length), ((length + 1) << 20, 0)];
        let sparse = (is_regular && holes).then_some(SparseMap { size: (length + 1) << 20, pieces });
        let xattrs = xattrs.into_iter().map(|(name, value)| (name.into_bytes(), value)).collect();
        let mtime = Timestamp { seconds, nanoseconds };
        (Entry { path, link, kind, mode, uid, gid, mtime, size: length, sparse, xattrs }, content)
    }
}

proptest! {
    #[test]
    fn every_entry_reads_back(entries in proptest::collection::vec(entries(), 0..4)) {
        prop_assert_eq!(read(&written(&entries)), entries);
    }
}
