//! Devices and pipes: made, never opened, and never one that means something to overlayfs.

use tar::EntryType;

use crate::archive::new;
use crate::ground::{Ground, looks, refused, try_above, try_alone};

#[test]
#[ignore = "needs root"]
fn devices_are_made_and_never_opened() {
    let ground = Ground::new();
    let odd = |field: std::ops::Range<usize>, bytes: &'static [u8]| {
        new().changed(
            |archive| archive.entry("x", EntryType::Char, "", b""),
            move |header| header.as_mut_bytes()[field].copy_from_slice(bytes),
        )
    };
    try_alone(
        &ground,
        vec![
            ("a device over a file", new().file("a", "x").device("a", EntryType::Char, 1, 3), looks(&["c a 1:3"])),
            ("a file over a device", new().device("a", EntryType::Char, 1, 3).file("a", "x"), looks(&["f a x"])),
            ("a file over a disk", new().device("a", EntryType::Block, 8, 0).file("a", "x"), looks(&["f a x"])),
            ("a disk", new().device("a", EntryType::Block, 254, 300), looks(&["b a 254:300"])),
            (
                "a device of a directory's name",
                new().dir("a").file("a/b", "x").device("a", EntryType::Char, 1, 5),
                looks(&["c a 1:5"]),
            ),
            (
                "a file below a device",
                new().device("a", EntryType::Char, 1, 3).file("a/b", "x"),
                refused("Not a directory"),
            ),
            ("overlayfs's mark", new().device("a", EntryType::Char, 0, 0), refused("marks a removed file")),
            ("overlayfs's mark in the oldest form", odd(257..265, &[0; 8]), refused("marks a removed file")),
            ("a number that is none", odd(329..337, b"9999999\0"), refused("device number is out of range")),
            (
                "a negative number",
                odd(329..337, b"\xff\xff\xff\xff\xff\xff\xff\xff"),
                refused("device number is out of range"),
            ),
            ("a huge number", odd(337..345, b"\x80\0\0\x01\0\0\0\0"), refused("device number is out of range")),
            ("a device of 0:0 as a disk", new().device("a", EntryType::Block, 0, 0), looks(&["b a 0:0"])),
        ],
    );
}

#[test]
#[ignore = "needs root"]
fn a_mark_cannot_be_brought_in_by_another_name() {
    let ground = Ground::new();
    try_above(
        &ground,
        &new().file("f", "x").file("g", "y"),
        vec![
            ("a hard link to a whiteout", new().file(".wh.f", "").hard("g", "f"), refused("No such file")),
            ("a file in place of a whiteout", new().file(".wh.f", "").file("f", "z"), looks(&["f f z"])),
        ],
    );
}
