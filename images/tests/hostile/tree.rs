//! A directory, written down to the last file.

use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::sys::stat::{major, minor};

use crate::sys::xattr;

/// Returns a line for each file below `root`, sorted: kind, name with what is no plain text escaped, content or target, and
/// the extended attributes. A directory that hides what is below is `D`, a removed file `w`.
pub(crate) fn lines(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    walk(root, root, &mut |path, name| {
        lines.push(line(path, name));
        true
    });
    lines.sort();
    lines
}

/// Returns everything there is to know about each file below `root`, but for those below one of `except`.
pub(crate) fn snapshot(root: &Path, except: &[&Path]) -> BTreeMap<OsString, String> {
    let mut found = BTreeMap::new();
    walk(root, root, &mut |path, _| {
        if except.contains(&path) {
            return false;
        }
        let meta = fs::symlink_metadata(path).expect("nobody else is here");
        let times = (meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec());
        let owner = (meta.uid(), meta.gid(), meta.mode(), meta.nlink(), meta.len(), meta.ino(), times);
        found.insert(path.as_os_str().to_owned(), format!("{owner:?}"));
        true
    });
    found
}

/// Returns the paths of the files below `root`, relative to it.
pub(crate) fn paths(root: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    walk(root, root, &mut |path, _| {
        paths.push(path.strip_prefix(root).expect("it is below").to_owned());
        true
    });
    paths
}

/// Visits each file below `directory`; what is in a directory only if its visit says so.
fn walk(root: &Path, directory: &Path, visit: &mut dyn FnMut(&Path, &[u8]) -> bool) {
    for entry in fs::read_dir(directory).expect("it is a directory of ours") {
        let path = entry.expect("it can be listed").path();
        let name = path.strip_prefix(root).expect("it is below").as_os_str().as_bytes().to_vec();
        if visit(&path, &name) && fs::symlink_metadata(&path).expect("nobody else is here").is_dir() {
            walk(root, &path, visit);
        }
    }
}

fn line(path: &Path, name: &[u8]) -> String {
    let meta = fs::symlink_metadata(path).expect("nobody else is here");
    let (kind, name) = (meta.file_type(), name.escape_ascii().to_string());
    let mut xattrs = xattrs(path);
    let is_opaque =
        xattrs.iter().position(|name| name == "trusted.overlay.opaque").map(|at| xattrs.remove(at)).is_some();
    let device = || format!("{}:{}", major(meta.rdev()), minor(meta.rdev()));
    let mut line = if kind.is_dir() {
        format!("{} {name}", if is_opaque { "D" } else { "d" })
    } else if kind.is_symlink() {
        let target = fs::read_link(path).expect("it is a link").into_os_string().into_vec();
        format!("l {name} -> {}", target.escape_ascii())
    } else if kind.is_fifo() {
        format!("p {name}")
    } else if kind.is_block_device() {
        format!("b {name} {}", device())
    } else if kind.is_char_device() && meta.rdev() == 0 {
        format!("w {name}")
    } else if kind.is_char_device() {
        format!("c {name} {}", device())
    } else {
        let content = if meta.len() <= 64 { fs::read(path).expect("it is a file") } else { Vec::new() };
        let content =
            if meta.len() <= 64 { content.escape_ascii().to_string() } else { format!("{} bytes", meta.len()) };
        format!("f {name} {content}").trim_end().to_owned()
    };
    for xattr in xattrs {
        line.push_str(&format!(" [{xattr}]"));
    }
    line
}

/// Returns the names of the extended attributes, but for labels of the host's security modules.
fn xattrs(path: &Path) -> Vec<String> {
    let path = CString::new(path.as_os_str().as_bytes()).expect("a path has no NUL");
    let mut names = vec![0; 64 * 1024];
    let length = xattr::list(&path, &mut names).expect("the file system has attributes");
    let names = names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.map(|name| name.escape_ascii().to_string()).filter(|name| name != "security.selinux").collect()
}
