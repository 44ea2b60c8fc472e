//! Headers that lie, break off, or go on for ever.

use tar::{EntryType, Header};

use crate::archive::{new, record};
use crate::ground::{Case, Ground, Layer, looks, refused, try_alone};

/// What is odd about an archive's end, the archive, and the layer or the words of the error.
type Ending<'a> = (&'a str, Vec<u8>, Result<&'a [&'a str], &'a str>);

/// Returns a header of a file whose bytes are changed; its checksum is right.
fn changed(at: usize, bytes: &'static [u8]) -> crate::archive::Archive {
    new().changed(
        |archive| archive.file("x", ""),
        move |header| header.as_mut_bytes()[at..at + bytes.len()].copy_from_slice(bytes),
    )
}

#[test]
#[ignore = "needs root"]
fn a_header_is_well_formed_or_refused() {
    let ground = Ground::new();
    let mut broken = new().file("x", "x").0;
    broken[0] = b'y';
    try_alone(
        &ground,
        vec![
            ("a wrong checksum", crate::archive::Archive(broken), refused("header checksum does not match")),
            ("noise", new().raw(&[0xaa; 512]), refused("header checksum does not match")),
            ("a size that is no number", changed(124, b"zzz"), refused("size is not a number")),
            ("a negative size", changed(124, &[0xff; 12]), refused("size is not a number")),
            ("a size of 2^63", changed(124, b"\x80\0\0\0\x80\0\0\0\0\0\0\0"), refused("size is not a number")),
            ("a mode that is no number", changed(100, b"xxxxxxx\0"), refused("mode is not a number")),
            ("an owner that is no number", changed(108, b"xxxxxxx\0"), refused("owner is not a number")),
            (
                "an owner that means nobody",
                changed(108, b"\x80\0\0\0\xff\xff\xff\xff"),
                refused("owner is out of range"),
            ),
            ("a group of 2^40", changed(116, b"\x80\0\x01\0\0\0\0\0"), refused("owner is out of range")),
            ("a type that nobody knows", changed(156, b"Z"), refused("entry has an unknown type")),
            ("a type of the vendor's", changed(156, b"V"), refused("entry has an unknown type")),
            ("a multi-volume entry", changed(156, b"M"), refused("entry has an unknown type")),
            ("a time before all others", changed(136, b"\xff\xff\xff\xff\x80\0\0\0\0\0\0\0"), looks(&["f x"])),
            ("a time after all others", changed(136, b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"), looks(&["f x"])),
            ("every bit of the mode", changed(100, b"7777777\0"), looks(&["f x"])),
            ("a directory of the oldest form", new().file("d/", ""), looks(&["d d"])),
            ("one with content", new().file("d/", "x"), refused("directory has content")),
        ],
    );
}

#[test]
#[ignore = "needs root"]
fn an_archive_ends_where_it_says_or_is_refused() {
    let ground = Ground::new();
    let whole = new().file("x", "content").0;
    let lie = |size: u64| new().changed(|archive| archive.file("x", ""), move |header| header.set_size(size));
    let cases: Vec<Ending> = vec![
        ("nothing at all", Vec::new(), Ok(&[])),
        ("no end", whole.clone(), Ok(&["f x content"])),
        ("half an end", [&whole[..], &[0; 512]].concat(), Ok(&["f x content"])),
        ("a broken header", whole[..300].to_vec(), Err("read the archive at byte 0")),
        ("a broken content", whole[..514].to_vec(), Err("read the archive")),
        ("a broken padding", whole[..600].to_vec(), Err("read the archive")),
        ("a size beyond the end", lie(1 << 40).0, Err("read the archive")),
        ("a size of all there can be", lie(u64::MAX >> 1).0, Err("read the archive")),
        ("an entry after one empty block", [&[0; 512], &whole[..]].concat(), Err("a single block of zeros")),
        ("an entry after the end", [&whole[..], &[0; 1024], &whole.clone()].concat(), Ok(&["f x content"])),
        ("noise after the end", [&whole[..], &[0; 1024], &[0xaa; 5000]].concat(), Ok(&["f x content"])),
        ("a mebibyte of zeros after the end", [&whole[..], &vec![0; 1 << 20]].concat(), Ok(&["f x content"])),
    ];
    for (what, archive, expected) in cases {
        let found = ground.unpack(&[Layer::plain(archive)]).map(|layers| crate::tree::lines(&layers[0]));
        match (&found, expected) {
            (Ok(lines), Ok(expected)) => assert_eq!(lines, expected, "{what}"),
            (Err(text), Err(words)) => assert!(text.contains(words), "{what}: {text}"),
            _ => panic!("{what}: {found:?}"),
        }
    }
}

#[test]
#[ignore = "needs root"]
fn an_extended_header_is_read_in_one_way_or_refused() {
    let ground = Ground::new();
    let extended = |body: &[u8]| new().entry("pax", EntryType::XHeader, "", body).file("x", "content");
    let hidden = new().file("hidden", "x").0;
    // What follows is read as one file's content, or as an entry of its own, by readers that disagree about the size.
    let smuggled = |record_size: usize, header_size: u64| {
        let size = record_size.to_string();
        new().pax(&[("size", size.as_bytes())]).changed(
            |archive| archive.entry("carrier", EntryType::Regular, "", &hidden),
            move |header| header.set_size(header_size),
        )
    };
    let huge = vec![b'x'; 2 << 20];
    let large = vec![b'x'; 900_000];
    let length = |text: &str| new().pax(&[("size", text.as_bytes())]).file("x", "content");
    let cases: Vec<Case> = vec![
        ("the size of the record", smuggled(hidden.len(), 0), looks(&[format!("f carrier {} bytes", hidden.len())])),
        ("no size in the record", smuggled(0, hidden.len() as u64), looks(&["f carrier", "f hidden x"])),
        ("a record that is too short", extended(b"5 path=y\n"), refused("extended header record is malformed")),
        ("a record that is too long", extended(b"99 path=y\n"), refused("extended header record is malformed")),
        ("a record without a length", extended(b"path=y\n"), refused("extended header record is malformed")),
        ("a record without a key", extended(b"6 =yy\n"), refused("extended header")),
        ("a record of length nought", extended(b"0 a=b\n"), refused("extended header record is malformed")),
        (
            "a record of an endless length",
            extended(b"99999999999999999999 a=b\n"),
            refused("extended header record is malformed"),
        ),
        ("a size that is no number", length("x"), refused("malformed number")),
        ("a negative size", length("-1"), refused("malformed number")),
        ("a size of 2^64", length("18446744073709551616"), refused("malformed number")),
        (
            "two of them",
            new().pax(&[("path", b"a")]).pax(&[("path", b"b")]).file("x", ""),
            refused("two extended headers of one kind"),
        ),
        (
            "two long names",
            new().long(EntryType::GNULongName, b"a").long(EntryType::GNULongName, b"b").file("x", ""),
            refused("two extended headers of one kind"),
        ),
        ("one for nothing", new().pax(&[("path", b"a")]), refused("extended header describes no entry")),
        (
            "a long name for nothing",
            new().long(EntryType::GNULongName, b"a"),
            refused("extended header describes no entry"),
        ),
        (
            "one for all",
            new().entry("g", EntryType::XGlobalHeader, "", &record("path", b"y")).file("x", "1"),
            looks(&["f x 1"]),
        ),
        (
            "a long name beside a record",
            new().pax(&[("path", b"a")]).long(EntryType::GNULongName, b"b").file("x", ""),
            looks(&["f b"]),
        ),
        ("two mebibytes of it", new().pax(&[("comment", &huge)]).file("x", ""), refused("malformed")),
        ("a long name of two mebibytes", new().long(EntryType::GNULongName, &huge).file("x", ""), refused("malformed")),
        ("nearly a mebibyte", new().pax(&[("comment", &large)]).file("x", "1"), looks(&["f x 1"])),
        ("an empty one", new().pax(&[]).file("x", "1"), looks(&["f x 1"])),
        ("an empty name", new().pax(&[("path", b"")]).file("x", "1"), looks(&["f x 1"])),
    ];
    try_alone(&ground, cases);
}

#[test]
#[ignore = "needs root"]
fn ten_thousand_entries_of_one_name_cost_no_memory() {
    let ground = Ground::new();
    let mut header = Header::new_gnu();
    header.as_mut_bytes()[0] = b'x';
    header.set_entry_type(EntryType::Directory);
    header.set_mode(0o755);
    header.set_size(0);
    header.set_mtime(0);
    let archive = (0..10_000).fold(new(), |archive, _| archive.header(header.clone(), b""));
    try_alone(&ground, vec![("directories", archive, looks(&["d x"]))]);
}
