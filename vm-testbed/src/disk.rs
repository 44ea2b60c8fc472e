//! File systems in files, made from folders.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};

use crate::command::output;
use crate::tree::Tree;

const MIB: u64 = 1 << 20;

/// What is special about a disk made from a folder: part of the name under which it is kept.
pub(crate) const FORM: &str = "without lost+found";

/// Makes `image` an ext4 file system with the content of `folder`, nothing else, and `spare` MiB more than that takes.
///
/// Owners are those of the files: whoever is not root gives the guest a root with foreign owners.
pub(crate) fn from_folder(tools: &Tree, folder: &Path, image: &Path, spare: u64) -> Result<()> {
    let (bytes, files) = footprint(folder)?;
    // A quarter for what the file system itself takes, an inode (256 bytes, ext4(5)) for each file.
    let size = (bytes * 5 / 4 + files * 256) / MIB + 16 + spare;
    format(tools, image, size, &["-d".as_ref(), folder.as_os_str()])?;
    // mke2fs(8) adds it, and a test that lists a shared folder would find it there.
    let mut command = tools.command("debugfs", "usr/sbin/debugfs");
    output(command.args(["-w", "-R", "rmdir lost+found"]).arg(image))?;
    Ok(())
}

/// Makes `image` an empty ext4 file system of `size` MiB; it takes no space before it is written to.
pub(crate) fn empty(tools: &Tree, image: &Path, size: u64) -> Result<()> {
    format(tools, image, size, &[])
}

/// Makes `image` a hole of `size` MiB.
pub(crate) fn blank(image: &Path, size: u64) -> Result<()> {
    let file = File::create(image).with_context(|| format!("create `{}`", image.display()))?;
    file.set_len(size * MIB).with_context(|| format!("extend `{}`", image.display()))
}

fn format(tools: &Tree, image: &Path, size: u64, more: &[&std::ffi::OsStr]) -> Result<()> {
    blank(image, size)?;
    let mut command = tools.command("mke2fs", "usr/sbin/mke2fs");
    command
        .env("MKE2FS_CONFIG", tools.root().join("etc/mke2fs.conf"))
        .args(["-q", "-F", "-t", "ext4", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1"])
        .args(more)
        .arg(image);
    output(&mut command)?;
    Ok(())
}

/// Returns bytes, in whole blocks of 4 KiB, and number of all that is in `folder`.
fn footprint(folder: &Path) -> Result<(u64, u64)> {
    let (mut bytes, mut files) = (0, 0);
    visit(folder, &mut |metadata, _| {
        bytes += metadata.len().next_multiple_of(4096);
        files += 1;
    })?;
    Ok((bytes, files))
}

/// Calls `seen` for everything below `folder`, in order of names, links not followed.
pub(crate) fn visit(folder: &Path, seen: &mut impl FnMut(&fs::Metadata, &Path)) -> Result<()> {
    let look = || format!("look into `{}`", folder.display());
    let mut entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>).with_context(look)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (metadata, path) = (entry.metadata().with_context(look)?, entry.path());
        seen(&metadata, &path);
        if metadata.is_dir() {
            visit(&path, seen)?;
        }
    }
    Ok(())
}

/// Returns text that changes when anything in `folder` does: names, kinds, sizes, times.
pub(crate) fn fingerprint(folder: &Path) -> Result<String> {
    let mut text = String::new();
    visit(folder, &mut |metadata, path| {
        let fields = [u64::from(metadata.mode()), metadata.len(), metadata.mtime().unsigned_abs(), metadata.ino()];
        text.push_str(&format!("{path:?} {fields:?} {}\n", metadata.mtime_nsec()));
    })?;
    Ok(text)
}
