//! A file tree as data, to compare two of them in every respect.

use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::sys::xattr;

/// Every entry below a directory by its path, each as one line that says all there is to say about it.
#[derive(Debug)]
pub(crate) struct Tree(BTreeMap<OsString, String>);

/// One entry that two trees disagree on.
#[derive(Debug)]
pub(crate) struct Difference {
    path: PathBuf,
    left: Option<String>,
    right: Option<String>,
}

impl Difference {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |side: &Option<String>| side.clone().unwrap_or_else(|| "absent".to_owned());
        write!(f, "{}\n  {}\n  {}", self.path.display(), shown(&self.left), shown(&self.right))
    }
}

impl Tree {
    /// Reads the tree below `top`, `top` itself included under the empty name.
    pub(crate) fn read(top: &Path) -> io::Result<Self> {
        let mut entries = BTreeMap::new();
        let mut hard_links = BTreeMap::new();
        let mut pending = vec![PathBuf::new()];
        while let Some(relative) = pending.pop() {
            let path = if relative.as_os_str().is_empty() { top.to_owned() } else { top.join(&relative) };
            let metadata = fs::symlink_metadata(&path)?;
            if metadata.is_dir() {
                for entry in fs::read_dir(&path)? {
                    pending.push(relative.join(entry?.file_name()));
                }
            } else if metadata.nlink() > 1 {
                let names: &mut Vec<PathBuf> = hard_links.entry(metadata.ino()).or_default();
                names.push(relative.clone());
            }
            entries.insert(relative.into_os_string(), describe(&path, &metadata)?);
        }
        for mut names in hard_links.into_values() {
            names.sort();
            for name in &names {
                let line = entries.get_mut(name.as_os_str()).expect("every name was entered above");
                let _ = write!(line, " same file as {names:?}");
            }
        }
        Ok(Self(entries))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the entries on which the two trees disagree.
    pub(crate) fn differences(&self, other: &Self) -> Vec<Difference> {
        let paths: std::collections::BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        let differing = paths.into_iter().filter(|path| self.0.get(*path) != other.0.get(*path));
        differing
            .map(|path| Difference {
                path: PathBuf::from(path),
                left: self.0.get(path).cloned(),
                right: other.0.get(path).cloned(),
            })
            .collect()
    }
}

/// Type, permissions, owner, time, and what the type has: content, target, device; then the extended attributes.
fn describe(path: &Path, metadata: &fs::Metadata) -> io::Result<String> {
    let kind = metadata.file_type();
    let what = if kind.is_symlink() {
        format!("symlink to {:?}", fs::read_link(path)?)
    } else if kind.is_dir() {
        "directory".to_owned()
    } else if kind.is_file() {
        format!("file of {} bytes, {:016x}", metadata.len(), fingerprint(&fs::read(path)?))
    } else if kind.is_fifo() {
        "fifo".to_owned()
    } else {
        format!("device {kind:?} {:x}", metadata.rdev())
    };
    let (mode, uid, gid) = (metadata.mode() & 0o7777, metadata.uid(), metadata.gid());
    let time = format!("{}.{:09}", metadata.mtime(), metadata.mtime_nsec());
    let attributes = if kind.is_symlink() || kind.is_file() || kind.is_dir() { attributes(path)? } else { Vec::new() };
    Ok(format!("{what} mode {mode:04o} owner {uid}:{gid} mtime {time} xattrs {attributes:?}"))
}

/// FNV-1a: enough to tell two files apart that nobody made to collide.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Names and values of the extended attributes, in order of names. What belongs to overlayfs is no part of the tree.
fn attributes(path: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut names = call(|buffer| xattr::list(&path, buffer))?;
    names.pop();
    let mut attributes = Vec::new();
    for name in names.split(|&byte| byte == 0).filter(|name| !name.is_empty() && !name.starts_with(b"trusted.overlay."))
    {
        let key = CString::new(name)?;
        attributes.push((String::from_utf8_lossy(name).into_owned(), call(|buffer| xattr::get(&path, &key, buffer))?));
    }
    attributes.sort();
    Ok(attributes)
}

/// Calls `read` with a buffer that holds any attribute (xattr(7): at most 64 KiB).
fn call(read: impl Fn(&mut [u8]) -> io::Result<usize>) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; 64 << 10];
    let length = read(&mut buffer)?;
    buffer.truncate(length);
    Ok(buffer)
}
