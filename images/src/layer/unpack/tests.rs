//! Needs root: owners, devices and `trusted.` attributes. Every archive is unpacked beside a canary that must not change.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use ::tar::{EntryType, Header};

use super::*;
use crate::sys::xattr;

/// Builds an archive entry by entry.
#[derive(Default)]
struct Archive(Vec<u8>);

impl Archive {
    fn entry(mut self, name: &str, kind: EntryType, link: &str, content: &[u8], mode: u32) -> Archive {
        let mut header = Header::new_gnu();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        header.set_mtime(1_000_000_000);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn directory(self, name: &str) -> Archive {
        self.entry(name, EntryType::Directory, "", b"", 0o755)
    }

    fn file(self, name: &str, content: &str) -> Archive {
        self.entry(name, EntryType::Regular, "", content.as_bytes(), 0o644)
    }

    fn symlink(self, name: &str, target: &str) -> Archive {
        self.entry(name, EntryType::Symlink, target, b"", 0o777)
    }

    fn hard_link(self, name: &str, target: &str) -> Archive {
        self.entry(name, EntryType::Link, target, b"", 0o644)
    }

    fn device(mut self, name: &str, kind: EntryType, major: u32, minor: u32) -> Archive {
        let at = self.0.len();
        self = self.entry(name, kind, "", b"", 0o600);
        let mut header = Header::from_byte_slice(&self.0[at..at + 512]).clone();
        header.set_device_major(major).unwrap();
        header.set_device_minor(minor).unwrap();
        header.set_cksum();
        self.0[at..at + 512].copy_from_slice(header.as_bytes());
        self
    }

    fn pax(self, records: &[(&str, &[u8])]) -> Archive {
        let mut body = Vec::new();
        for (key, value) in records {
            let rest = [format!(" {key}=").as_bytes(), value, b"\n"].concat();
            let length =
                (1..6).map(|digits| rest.len() + digits).find(|all| all.to_string().len() + rest.len() == *all);
            body.extend_from_slice(length.unwrap().to_string().as_bytes());
            body.extend_from_slice(&rest);
        }
        self.entry("pax", EntryType::XHeader, "", &body, 0o644)
    }
}

/// A directory on a file system with every kind of attribute, with a canary and room for layers.
struct Ground {
    directory: tempfile::TempDir,
}

impl Ground {
    fn new() -> Ground {
        let directory = tempfile::tempdir_in("/var/tmp").unwrap();
        let canary = directory.path().join("canary");
        fs::create_dir(&canary).unwrap();
        fs::write(canary.join("file"), "untouched").unwrap();
        fs::set_permissions(canary.join("file"), fs::Permissions::from_mode(0o640)).unwrap();
        Ground { directory }
    }

    fn canary(&self) -> PathBuf {
        self.directory.path().join("canary")
    }

    fn layer(&self, name: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::create_dir(&path).unwrap();
        path
    }

    /// Unpacks as a bottom layer.
    fn unpack(&self, name: &str, archive: Archive) -> Result<PathBuf, UnpackError> {
        self.unpack_on(name, archive, &|| Ok(Below::Nothing)).map(|(path, _)| path)
    }

    fn unpack_on(
        &self,
        name: &str,
        archive: Archive,
        below: &dyn Fn() -> io::Result<Below>,
    ) -> Result<(PathBuf, Unpacked), UnpackError> {
        let path = self.layer(name);
        let root = fs::File::open(&path).unwrap().into();
        unpack(&mut Reader::new(&archive.0[..]), root, below).map(|unpacked| (path, unpacked))
    }

    /// Unpacks on top of `layers`, topmost first, as a layer that cannot stand alone.
    fn unpack_on_top(&self, name: &str, archive: Archive, layers: &[&Path]) -> Result<PathBuf, UnpackError> {
        assert!(matches!(
            self.unpack_on(&format!("{name}-alone"), Archive(archive.0.clone()), &|| Ok(Below::Unknown)),
            Err(UnpackError::NeedsBelow { .. })
        ));
        let open = |path: &&Path| fs::File::open(path).map(OwnedFd::from);
        let below = || layers.iter().map(open).collect::<io::Result<Vec<_>>>().map(Below::Layers);
        self.unpack_on(name, archive, &below).map(|(path, _)| path)
    }

    /// Asserts that nothing outside the layers was made or changed.
    fn check(&self, what: &str) {
        let canary = self.canary();
        let names: Vec<_> = fs::read_dir(&canary).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["file"], "{what}");
        let file = fs::symlink_metadata(canary.join("file")).unwrap();
        assert_eq!((file.mode() & 0o7777, file.nlink(), file.uid()), (0o640, 1, 0), "{what}");
        assert_eq!(fs::read_to_string(canary.join("file")).unwrap(), "untouched", "{what}");
        assert!(xattr::list_at(fs::File::open(&canary).unwrap().as_fd(), b"file").unwrap().is_empty(), "{what}");
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn is_whiteout_at(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|stat| stat.file_type().is_char_device() && stat.rdev() == 0)
}

fn is_opaque_at(path: &Path) -> bool {
    tree::is_opaque(fs::File::open(path).unwrap().as_fd(), b"").unwrap()
}

#[test]
#[ignore = "needs root"]
fn attributes_are_restored_whatever_the_order_of_the_entries() {
    let ground = Ground::new();
    let capability = b"\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let archive = Archive::default()
        .entry("d/", EntryType::Directory, "", b"", 0o1750)
        .entry("d/setuid", EntryType::Regular, "", b"#!", 0o4755)
        .pax(&[("uid", b"1234"), ("gid", b"70000"), ("mtime", b"1500000000.123456789")])
        .entry("d/owned", EntryType::Regular, "", b"x", 0o6711)
        .pax(&[("SCHILY.xattr.security.capability", capability), ("SCHILY.xattr.user.a", b"\n\0=")])
        .file("d/capable", "x")
        .pax(&[("uid", b"1234"), ("mtime", b"-1.5")])
        .symlink("d/link", "../../../nowhere")
        .pax(&[("SCHILY.xattr.user.dir", b"1"), ("mtime", b"1500000000.5")])
        .directory("e")
        .file("e/later", "changes the directory's time")
        .hard_link("again", "d/owned")
        .hard_link("link-again", "d/link");
    let layer = ground.unpack("layer", archive).unwrap();
    assert_eq!((mode(&layer.join("d")), mode(&layer.join("d/setuid"))), (0o1750, 0o4755));
    let owned = fs::metadata(layer.join("d/owned")).unwrap();
    assert_eq!((owned.uid(), owned.gid(), owned.mode() & 0o7777, owned.nlink()), (1234, 70000, 0o6711, 2));
    assert_eq!((owned.mtime(), owned.mtime_nsec()), (1_500_000_000, 123_456_789));
    let directory = fs::File::open(layer.join("d")).unwrap();
    let attribute = |name| xattr::get_at(directory.as_fd(), b"capable", name).unwrap().unwrap();
    assert_eq!((attribute(b"security.capability"), attribute(b"user.a")), (capability.to_vec(), b"\n\0=".to_vec()));
    let link = fs::symlink_metadata(layer.join("d/link")).unwrap();
    assert_eq!((link.uid(), link.mtime(), link.mtime_nsec(), link.nlink()), (1234, -2, 500_000_000, 2));
    assert_eq!(fs::metadata(layer.join("d")).unwrap().mtime(), 1_000_000_000);
    let directory = fs::metadata(layer.join("e")).unwrap();
    assert_eq!((directory.mtime(), directory.mtime_nsec()), (1_500_000_000, 500_000_000));
    assert_eq!(mode(&layer), 0o755);
}

#[test]
#[ignore = "needs root"]
fn devices_and_pipes_are_made_and_never_opened() {
    let ground = Ground::new();
    let archive = Archive::default()
        .device("null", EntryType::Char, 1, 3)
        .device("disk", EntryType::Block, 254, 300)
        .entry("etc-passwd", EntryType::Fifo, "", b"", 0o622)
        .file("etc-passwd", "a file in place of the pipe")
        .file("null", "a file in place of the device")
        .entry("pipe", EntryType::Fifo, "", b"", 0o622);
    let layer = ground.unpack("layer", archive).unwrap();
    let disk = fs::symlink_metadata(layer.join("disk")).unwrap();
    assert!(disk.file_type().is_block_device());
    assert_eq!(disk.rdev(), nix::sys::stat::makedev(254, 300));
    assert!(fs::symlink_metadata(layer.join("pipe")).unwrap().file_type().is_fifo());
    assert_eq!(mode(&layer.join("pipe")), 0o622);
    for name in ["etc-passwd", "null"] {
        assert!(fs::symlink_metadata(layer.join(name)).unwrap().is_file());
    }
}

#[test]
#[ignore = "needs root"]
fn no_archive_reaches_anything_outside_its_directory() {
    let ground = Ground::new();
    let canary = ground.canary();
    let outside = canary.to_str().unwrap();
    let up = "../../../../../../../../../..";
    let file = format!("{outside}/file");
    let new = || Archive::default();
    let vectors: Vec<(&str, Archive)> = vec![
        ("absolute name", new().file(&format!("{outside}/new"), "x")),
        ("dot-dot name", new().file("../canary/new", "x")),
        ("many dot-dots", new().file(&format!("{up}{outside}/new"), "x")),
        ("dot-dot directory", new().directory("../canary/new")),
        ("link up, file through it", new().symlink("l", "../canary").file("l/new", "x")),
        ("absolute link, file through it", new().symlink("l", outside).file("l/new", "x")),
        ("link chain", new().symlink("a", "b").symlink("b", "../canary").file("a/new", "x")),
        ("link in a directory", new().directory("d").symlink("d/l", "../../canary").file("d/l/new", "x")),
        ("link, then a file of its name", new().symlink("l", &file).file("l", "overwritten")),
        (
            "link, then a directory of its name",
            new().symlink("l", outside).entry("l", EntryType::Directory, "", b"", 0o777),
        ),
        (
            "link, then a directory with a slash",
            new().symlink("l", outside).entry("l/", EntryType::Directory, "", b"", 0o777),
        ),
        ("link, then a device of its name", new().symlink("l", &file).device("l", EntryType::Char, 1, 3)),
        ("hard link to an absolute name", new().hard_link("l", &file).file("l", "overwritten")),
        ("hard link up", new().hard_link("l", "../canary/file").entry("l", EntryType::Regular, "", b"x", 0o777)),
        ("hard link through a link", new().symlink("d", outside).hard_link("l", "d/file")),
        ("hard link to a link, then a file", new().symlink("s", &file).hard_link("l", "s").file("l", "overwritten")),
        (
            "hard link to a link, then its mode",
            new().symlink("s", &file).hard_link("l", "s").entry("l/", EntryType::Directory, "", b"", 0o777),
        ),
        (
            "attribute through a link",
            new().symlink("l", &file).pax(&[("SCHILY.xattr.user.a", b"1")]).symlink("l", &file),
        ),
        ("owner through a link", new().pax(&[("uid", b"1000")]).symlink("l", &file)),
        ("whiteout up", new().file("../canary/.wh.file", "")),
        ("whiteout through a link", new().symlink("l", outside).file("l/.wh.file", "")),
        ("opaque through a link", new().symlink("l", outside).file("l/.wh..wh..opq", "")),
        ("whiteout of dot-dot", new().directory("d").file("d/.wh...", "")),
        ("long name up", new().entry("L", EntryType::GNULongName, "", b"../canary/new\0", 0).file("x", "x")),
        ("long link up", new().entry("K", EntryType::GNULongLink, "", b"../canary/file\0", 0).hard_link("x", "x")),
        ("extended name up", new().pax(&[("path", b"../canary/new")]).file("x", "x")),
        ("extended link up", new().pax(&[("linkpath", b"../canary/file")]).hard_link("x", "x")),
        ("magic link", new().symlink("l", "/proc/self/root").file(&format!("l{outside}/new"), "x")),
        ("link to itself", new().symlink("l", "l").file("l/x", "x")),
        ("link replaced between", new().directory("d").file("d/x", "").symlink("d", outside).file("d/new", "x")),
    ];
    for (number, (what, archive)) in vectors.into_iter().enumerate() {
        // Contained or refused, both are right; reaching out is not.
        let _ = ground.unpack(&format!("layer-{number}"), archive);
        ground.check(what);
    }
}

#[test]
#[ignore = "needs root"]
fn what_no_layer_may_have_is_refused() {
    let ground = Ground::new();
    let new = || Archive::default();
    let vectors: Vec<(&str, Archive)> = vec![
        ("root as a link", new().symlink(".", "/")),
        ("root as a file", new().file("./", "").file("a/..", "x")),
        ("overlayfs's own whiteout", new().device("x", EntryType::Char, 0, 0)),
        ("whiteout of nothing", new().file(".wh.", "")),
        ("whiteout of dot", new().file(".wh..", "")),
        ("file in a whiteout", new().file(".wh.a/b", "x")),
        ("hard link to nothing", new().hard_link("l", "absent")),
        ("hard link to itself", new().file("l", "x").hard_link("l", "l")),
        ("hard link to a directory", new().directory("d").hard_link("l", "d")),
        ("file below a file", new().file("f", "x").file("f/g", "x")),
        ("a path of ten thousand directories", new().pax(&[("path", "d/".repeat(10_000).as_bytes())]).file("x", "x")),
    ];
    for (number, (what, archive)) in vectors.into_iter().enumerate() {
        assert!(ground.unpack(&format!("layer-{number}"), archive).is_err(), "{what}");
        ground.check(what);
    }
}

#[test]
#[ignore = "needs root"]
fn overlayfs_marks_of_the_archive_are_dropped() {
    let ground = Ground::new();
    let archive = Archive::default()
        .pax(&[("SCHILY.xattr.trusted.overlay.opaque", b"y"), ("SCHILY.xattr.user.overlay.opaque", b"y")])
        .directory("d")
        .pax(&[("SCHILY.xattr.trusted.overlay.redirect", b"/canary")])
        .file("f", "x");
    let layer = fs::File::open(ground.unpack("layer", archive).unwrap()).unwrap();
    for name in [&b"d"[..], b"f"] {
        assert!(xattr::list_at(layer.as_fd(), name).unwrap().is_empty());
    }
}

/// A rootfs-absolute link whose target is in the layer: refused by readers that join strings, valid all the same.
#[test]
#[ignore = "needs root"]
fn the_layers_own_links_lead_within_it() {
    let ground = Ground::new();
    let archive = Archive::default()
        .directory("usr")
        .directory("usr/lib")
        .symlink("lib", "/usr/lib")
        .file("lib/a", "by the absolute link")
        .symlink("up", "../../../usr")
        .file("up/lib/b", "by the link that goes up")
        .hard_link("usr/c", "lib/a");
    let layer = ground.unpack("layer", archive).unwrap();
    assert_eq!(fs::read_to_string(layer.join("usr/lib/a")).unwrap(), "by the absolute link");
    assert_eq!(fs::read_to_string(layer.join("usr/lib/b")).unwrap(), "by the link that goes up");
    assert_eq!(fs::metadata(layer.join("usr/c")).unwrap().nlink(), 2);
}

#[test]
#[ignore = "needs root"]
fn the_last_entry_of_a_name_counts() {
    let ground = Ground::new();
    let archive = Archive::default()
        .directory("a")
        .file("a/x", "gone with its directory")
        .file("a", "a file now")
        .file("b", "x")
        .directory("b")
        .file("b/y", "y")
        .file("c", "first")
        .file("c", "last")
        .symlink("d", "a")
        .directory("d");
    let layer = ground.unpack("layer", archive).unwrap();
    assert_eq!(fs::read_to_string(layer.join("a")).unwrap(), "a file now");
    assert_eq!(fs::read_to_string(layer.join("b/y")).unwrap(), "y");
    assert_eq!(fs::read_to_string(layer.join("c")).unwrap(), "last");
    assert!(fs::symlink_metadata(layer.join("d")).unwrap().is_dir());
}

#[test]
#[ignore = "needs root"]
fn sparse_files_keep_their_holes() {
    let ground = Ground::new();
    let records: [(&str, &[u8]); 2] = [("GNU.sparse.size", b"1099511627776"), ("GNU.sparse.map", b"1048576,5")];
    let layer = ground.unpack("layer", Archive::default().pax(&records).file("s", "hello")).unwrap();
    let file = fs::metadata(layer.join("s")).unwrap();
    assert_eq!(file.len(), 1 << 40);
    assert!(file.blocks() < 100, "{} blocks", file.blocks());
}

#[test]
#[ignore = "needs root"]
fn whiteouts_take_overlayfss_form_and_spare_this_layers_own_entries() {
    let ground = Ground::new();
    let archive = Archive::default()
        .directory("d")
        .file("d/.wh.gone", "")
        .file("d/kept", "x")
        .file("d/.wh.kept", "")
        .directory("replaced")
        .file(".wh.replaced", "")
        .file(".wh.before", "")
        .directory("before")
        .file(".wh.implied", "")
        .file("implied/x", "x")
        .directory("opaque")
        .file("opaque/own", "x")
        .file("opaque/.wh..wh..opq", "")
        .file(".wh..wh.plnk", "");
    let (layer, unpacked) = ground.unpack_on("layer", archive, &|| Ok(Below::Unknown)).unwrap();
    assert!(!unpacked.is_for_bottom);
    assert!(is_whiteout_at(&layer.join("d/gone")));
    assert!(layer.join("d/kept").is_file() && layer.join("opaque/own").is_file());
    for name in ["replaced", "before", "implied", "opaque"] {
        assert!(is_opaque_at(&layer.join(name)), "{name}");
    }
    assert!(!is_opaque_at(&layer.join("d")));
    assert!(!layer.join(".wh..wh.plnk").exists());
}

#[test]
#[ignore = "needs root"]
fn a_bottom_layer_has_nothing_to_hide_and_says_that_it_is_one() {
    let ground = Ground::new();
    let archive = Archive::default().directory("d").file("d/.wh.x", "").file("d/.wh..wh..opq", "");
    let (layer, unpacked) = ground.unpack_on("layer", archive, &|| Ok(Below::Nothing)).unwrap();
    assert!(unpacked.is_for_bottom);
    assert!(!is_opaque_at(&layer.join("d")) && fs::read_dir(layer.join("d")).unwrap().next().is_none());
    let archive = Archive::default().file("made/up/x", "x");
    let (layer, unpacked) = ground.unpack_on("implied", archive, &|| Ok(Below::Nothing)).unwrap();
    assert!(unpacked.is_for_bottom);
    assert_eq!(mode(&layer.join("made/up")), 0o755);
}

#[test]
#[ignore = "needs root"]
fn a_layer_that_leaves_directories_out_gets_them_from_below() {
    let ground = Ground::new();
    let bottom = Archive::default()
        .pax(&[("uid", b"33"), ("SCHILY.xattr.user.a", b"1")])
        .entry("usr", EntryType::Directory, "", b"", 0o2751)
        .directory("usr/lib")
        .file("usr/lib/target", "content")
        .symlink("usr/lib/link", "target")
        .symlink("lib", "usr/lib")
        .directory("hidden")
        .file("hidden/x", "x");
    let bottom = ground.unpack("bottom", bottom).unwrap();
    let (middle, _) =
        ground.unpack_on("middle", Archive::default().file(".wh.hidden", ""), &|| Ok(Below::Unknown)).unwrap();
    let top = Archive::default()
        .file("lib/new", "through the link of the layer below")
        .hard_link("usr/lib/hard", "usr/lib/target")
        .hard_link("usr/lib/hard-link", "usr/lib/link")
        .file("hidden/y", "in a new directory")
        .file("usr/lib/.wh.target", "");
    let top = ground.unpack_on_top("top", top, &[&middle, &bottom]).unwrap();
    let directory = fs::metadata(top.join("usr")).unwrap();
    assert_eq!((directory.uid(), directory.mode() & 0o7777, directory.mtime()), (33, 0o2751, 1_000_000_000));
    assert_eq!(xattr::list_at(fs::File::open(&top).unwrap().as_fd(), b"usr").unwrap(), [b"user.a".to_vec()]);
    assert!(fs::symlink_metadata(top.join("lib")).is_err(), "the link stays below");
    assert!(top.join("usr/lib/new").is_file());
    assert_eq!(fs::metadata(top.join("usr/lib/hard")).unwrap().nlink(), 2, "copied up, then linked");
    assert_eq!(fs::read_link(top.join("usr/lib/hard-link")).unwrap(), Path::new("target"));
    assert_eq!((mode(&top.join("hidden")), fs::metadata(top.join("hidden")).unwrap().uid()), (0o755, 0));
    assert!(!top.join("hidden/x").exists());
    assert_eq!(fs::metadata(bottom.join("usr/lib/target")).unwrap().nlink(), 1, "the layer below is as it was");
}

#[test]
#[ignore = "needs root"]
fn an_opaque_root_hides_every_name_below() {
    let ground = Ground::new();
    let bottom = Archive::default().directory("a").file("b", "x").directory("c");
    let bottom = ground.unpack("bottom", bottom).unwrap();
    let top = Archive::default().directory("a").file(".wh..wh..opq", "").directory("c");
    let top = ground.unpack_on_top("top", top, &[&bottom]).unwrap();
    assert!(is_opaque_at(&top.join("a")) && is_opaque_at(&top.join("c")));
    assert!(is_whiteout_at(&top.join("b")));
}

/// Layers below are read as if they were the whole system too: their links must not lead this side out.
#[test]
#[ignore = "needs root"]
fn links_of_the_layers_below_do_not_lead_out_either() {
    let ground = Ground::new();
    let bottom = ground.layer("bottom");
    symlink(ground.canary(), bottom.join("out")).unwrap();
    symlink("../../../../..", bottom.join("up")).unwrap();
    let outside = ground.canary().to_str().unwrap().trim_start_matches('/').to_owned();
    for (number, name) in ["out/new".to_owned(), format!("up/{outside}/new")].into_iter().enumerate() {
        let layer =
            ground.unpack_on_top(&format!("top-{number}"), Archive::default().file(&name, "x"), &[&bottom]).unwrap();
        assert!(layer.join(&outside).join("new").is_file());
        ground.check(&name);
    }
    let linked = Archive::default().hard_link("l", "out/file");
    assert!(ground.unpack_on_top("hard", linked, &[&bottom]).is_err());
    ground.check("hard link through a link below");
}
