use std::collections::HashSet;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use super::super::tar::{Kind, Reader};
use super::super::unpack::{Below, unpack};
use super::*;
use crate::sys::xattr;

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/var/tmp").unwrap()
}

fn archive(directory: &Path, form: Form, placeholders: &[&str]) -> Result<(Vec<u8>, u64), DiffError> {
    let placeholders = placeholders.iter().map(|path| path.as_bytes().to_vec()).collect::<HashSet<_>>();
    let mut bytes = Vec::new();
    let selection = Selection { form, placeholders: &placeholders, below: None, has_content: true };
    let entries = write(File::open(directory).unwrap().into(), &selection, &mut bytes)?;
    Ok((bytes, entries))
}

fn listed(directory: &Path, placeholders: &[&str]) -> Vec<String> {
    let (bytes, entries) = archive(directory, Form::Layer, placeholders).unwrap();
    let mut reader = Reader::new(&bytes[..]);
    let mut paths = Vec::new();
    while let Some(entry) = reader.next().unwrap() {
        paths.push(String::from_utf8(entry.path).unwrap());
    }
    assert_eq!(paths.remove(0), "./");
    assert_eq!(paths.len() as u64, entries);
    paths
}

#[test]
fn names_come_in_order_and_the_same_directory_gives_the_same_bytes() {
    let directory = scratch();
    for name in ["b", "a", "c/z", "c/y"] {
        fs::create_dir_all(directory.path().join(name).parent().unwrap()).unwrap();
        fs::write(directory.path().join(name), name).unwrap();
    }
    assert_eq!(listed(directory.path(), &[]), ["a", "b", "c/", "c/y", "c/z"]);
    let twice = [0, 1].map(|_| archive(directory.path(), Form::Layer, &[]).unwrap());
    assert_eq!(twice[0], twice[1]);
}

#[test]
fn a_second_name_of_a_file_is_a_link_to_the_first() {
    let directory = scratch();
    fs::write(directory.path().join("a"), "x").unwrap();
    fs::hard_link(directory.path().join("a"), directory.path().join("b")).unwrap();
    let (bytes, _) = archive(directory.path(), Form::Layer, &[]).unwrap();
    let mut reader = Reader::new(&bytes[..]);
    let mut entries = Vec::new();
    while let Some(entry) = reader.next().unwrap() {
        entries.push((entry.kind, entry.link, entry.size));
    }
    assert_eq!(entries[1], (Kind::Regular, vec![], 1));
    assert_eq!(entries[2], (Kind::HardLink, b"a".to_vec(), 0));
}

#[test]
fn a_link_is_written_and_never_followed() {
    let directory = scratch();
    symlink("/etc/passwd", directory.path().join("a")).unwrap();
    symlink("/etc", directory.path().join("b")).unwrap();
    assert_eq!(listed(directory.path(), &[]), ["a", "b"]);
}

#[test]
fn empty_placeholders_are_left_out_and_others_are_not() {
    let directory = scratch();
    for name in ["etc", "dev/shm", "proc"] {
        fs::create_dir_all(directory.path().join(name)).unwrap();
    }
    fs::write(directory.path().join("etc/hosts"), "").unwrap();
    fs::write(directory.path().join("etc/hostname"), "mine").unwrap();
    let standard = ["etc/hosts", "etc/hostname", "dev", "dev/shm", "proc"];
    assert_eq!(listed(directory.path(), &standard), ["etc/", "etc/hostname"]);
    fs::write(directory.path().join("dev/x"), "").unwrap();
    assert_eq!(listed(directory.path(), &standard), ["dev/", "dev/x", "etc/", "etc/hostname"]);
}

#[test]
fn a_name_that_would_be_read_as_a_whiteout_is_refused() {
    let directory = scratch();
    fs::write(directory.path().join(".wh.a"), "").unwrap();
    let error = archive(directory.path(), Form::Layer, &[]).unwrap_err();
    assert!(error.to_string().starts_with("`/.wh.a` cannot be in a layer"), "{error}");
    assert!(archive(directory.path(), Form::Whole, &[]).is_ok());
}

#[test]
fn a_hollow_file_costs_its_data_only_and_comes_back_hollow() {
    let (directory, target) = (scratch(), scratch());
    let file = File::create(directory.path().join("a")).unwrap();
    file.set_len(64 << 20).unwrap();
    file.write_all_at(b"middle", 32 << 20).unwrap();
    let (bytes, _) = archive(directory.path(), Form::Layer, &[]).unwrap();
    assert!(bytes.len() < 1 << 20, "{}", bytes.len());
    let nothing = || Ok(Below::Nothing);
    unpack(&mut Reader::new(&bytes[..]), File::open(target.path()).unwrap().into(), &nothing).unwrap();
    let copy = File::open(target.path().join("a")).unwrap();
    let mut middle = [0; 8];
    copy.read_exact_at(&mut middle, (32 << 20) - 1).unwrap();
    assert_eq!((copy.metadata().unwrap().len(), &middle), (64 << 20, b"\0middle\0"));
}

#[test]
#[ignore = "needs root"]
fn what_overlayfs_marks_becomes_whiteouts_and_comes_back_as_it_was() {
    let (directory, target) = (scratch(), scratch());
    let top = directory.path();
    fs::create_dir(top.join("d")).unwrap();
    fs::write(top.join("d/kept"), "x").unwrap();
    fs::set_permissions(top.join("d"), fs::Permissions::from_mode(0o1750)).unwrap();
    nix::sys::stat::mknod(&top.join("gone"), nix::sys::stat::SFlag::S_IFCHR, nix::sys::stat::Mode::empty(), 0).unwrap();
    let fd = File::open(top).unwrap();
    xattr::set_at(fd.as_fd(), b"d", b"trusted.overlay.opaque", b"y").unwrap();
    xattr::set_at(fd.as_fd(), b"d/kept", b"user.colour", b"\x00red\n").unwrap();
    assert_eq!(listed(top, &[]), ["d/", "d/.wh..wh..opq", "d/kept", ".wh.gone"]);
    let (bytes, _) = archive(top, Form::Layer, &[]).unwrap();
    let unknown = || Ok(Below::Unknown);
    unpack(&mut Reader::new(&bytes[..]), File::open(target.path()).unwrap().into(), &unknown).unwrap();
    assert_eq!(archive(target.path(), Form::Layer, &[]).unwrap().0, bytes);
    assert_eq!(fs::metadata(target.path().join("d")).unwrap().mode() & 0o7777, 0o1750);
}

#[test]
#[ignore = "needs root"]
fn what_overlayfs_keeps_elsewhere_is_refused() {
    let directory = scratch();
    fs::create_dir(directory.path().join("moved")).unwrap();
    let fd = File::open(directory.path()).unwrap();
    xattr::set_at(fd.as_fd(), b"moved", b"trusted.overlay.redirect", b"old").unwrap();
    let error = archive(directory.path(), Form::Layer, &[]).unwrap_err().to_string();
    assert!(error.contains("under another name"), "{error}");
}

/// Unpacks an archive into a new directory.
fn unpacked(bytes: &[u8]) -> tempfile::TempDir {
    let target = scratch();
    unpack(&mut Reader::new(bytes), File::open(target.path()).unwrap().into(), &|| Ok(Below::Nothing)).unwrap();
    target
}

#[test]
fn of_a_whole_copy_only_what_differs_is_written() {
    let image = scratch();
    for name in ["kept/a", "changed/a", "changed/deep/a", "gone/a", "touched/a", "replaced/a", "link/a"] {
        fs::create_dir_all(image.path().join(name).parent().unwrap()).unwrap();
        fs::write(image.path().join(name), name).unwrap();
    }
    symlink("one", image.path().join("link/to")).unwrap();
    let (bytes, _) = archive(image.path(), Form::Whole, &[]).unwrap();
    let (lower, copy) = (unpacked(&bytes), unpacked(&bytes));
    let compared = || {
        let below = Below::Layers(vec![File::open(lower.path()).unwrap().into()]);
        let selection =
            Selection { form: Form::Layer, placeholders: &HashSet::new(), below: Some(&below), has_content: true };
        let mut bytes = Vec::new();
        write(File::open(copy.path()).unwrap().into(), &selection, &mut bytes).unwrap();
        let mut reader = Reader::new(&bytes[..]);
        let mut paths = Vec::new();
        while let Some(entry) = reader.next().unwrap() {
            paths.push(String::from_utf8(entry.path).unwrap());
        }
        paths[1..].to_vec()
    };
    assert_eq!(compared(), Vec::<String>::new());
    let at = |name: &str| copy.path().join(name);
    let time = fs::metadata(at("changed/deep")).unwrap().modified().unwrap();
    fs::write(at("changed/deep/a"), "other/deep/a...").unwrap();
    File::open(at("changed/deep")).unwrap().set_modified(time).unwrap();
    fs::remove_dir_all(at("gone")).unwrap();
    File::open(at("touched/a")).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    fs::remove_dir_all(at("replaced")).unwrap();
    fs::write(at("replaced"), "a file").unwrap();
    fs::remove_file(at("link/to")).unwrap();
    symlink("two", at("link/to")).unwrap();
    let expected = [
        "changed/",
        "changed/deep/",
        "changed/deep/a",
        ".wh.gone",
        "link/",
        "link/to",
        "replaced",
        "touched/",
        "touched/a",
    ];
    assert_eq!(compared(), expected);
}
