//! Deleting a tree that containers have written, or an archive: no link is followed, no mount crossed, no depth too great.
//!
//! Runs in the shell command's process, and in the monitor.
//!
//! `std::fs::remove_dir_all` empties what is mounted below; a host folder bind-mounted into a volume would be lost.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

/// Directories nested deeper than this are first moved to the top, so that neither stack nor descriptors run out.
const DEPTH: usize = 64;

/// Deletes `path` and all below it; absent is success.
///
/// Fails with EXDEV when something is mounted below it: what is mounted stays as it is.
///
/// # Errors
/// Whatever the file system says.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    remove_tree_at(AT_FDCWD, path)
}

/// Deletes the directory `name` of an open one and all below it; see [`remove_tree`].
///
/// # Errors
/// Whatever the file system says.
pub fn remove_tree_at<P: ?Sized + nix::NixPath>(parent: BorrowedFd<'_>, name: &P) -> io::Result<()> {
    let Some(top) = open(parent, name, ResolveFlag::empty())? else { return Ok(()) };
    let mut moved = 0;
    while !is_empty(&top)? {
        empty(top.as_fd(), top.as_fd(), 0, &mut moved)?;
    }
    gone(unlinkat(parent, name, UnlinkatFlags::RemoveDir))
}

fn empty(top: BorrowedFd<'_>, directory: BorrowedFd<'_>, depth: usize, moved: &mut u64) -> io::Result<()> {
    for (name, is_directory) in entries(directory)? {
        if !is_directory {
            gone(unlinkat(directory, name.as_c_str(), UnlinkatFlags::NoRemoveDir))?;
        } else if depth == DEPTH {
            move_to(top, directory, &name, moved)?;
        } else {
            // same file system is not enough: a bind mount of it must not be entered either
            let inside = ResolveFlag::RESOLVE_NO_XDEV | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_BENEATH;
            if let Some(child) = open(directory, name.as_c_str(), inside)? {
                empty(top, child.as_fd(), depth + 1, moved)?;
            }
            match unlinkat(directory, name.as_c_str(), UnlinkatFlags::RemoveDir) {
                Err(Errno::ENOTEMPTY) => {} // its deepest part stands at the top now: the next round takes it
                result => gone(result)?,
            }
        }
    }
    Ok(())
}

/// Moves a directory to the top under a name that nothing has there: whoever has made the tree may have taken some. An empty
/// directory of that name is replaced, which is to go as well.
fn move_to(top: BorrowedFd<'_>, directory: BorrowedFd<'_>, name: &CStr, moved: &mut u64) -> io::Result<()> {
    loop {
        *moved += 1;
        match renameat(directory, name, top, format!(".removing-{moved}").as_str()) {
            Err(Errno::EEXIST | Errno::ENOTEMPTY | Errno::ENOTDIR) => {}
            renamed => return Ok(renamed?),
        }
    }
}

fn open<P: ?Sized + nix::NixPath>(at: BorrowedFd<'_>, name: &P, resolve: ResolveFlag) -> io::Result<Option<OwnedFd>> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    match openat2(at, name, OpenHow::new().flags(flags).mode(Mode::empty()).resolve(resolve)) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

fn entries(directory: BorrowedFd<'_>) -> io::Result<Vec<(CString, bool)>> {
    let copy =
        nix::fcntl::openat(directory, ".", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let mut found = Vec::new();
    for entry in Dir::from_fd(copy)?.iter() {
        let entry = entry?;
        let name: &CStr = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let is_directory = match entry.file_type() {
            Some(kind) => kind == Type::Directory,
            None => is_directory(directory, name)?,
        };
        found.push((name.to_owned(), is_directory));
    }
    Ok(found)
}

fn is_directory(directory: BorrowedFd<'_>, name: &CStr) -> io::Result<bool> {
    use nix::sys::stat::{SFlag, fstatat};
    let status = fstatat(directory, name, nix::fcntl::AtFlags::AT_SYMLINK_NOFOLLOW)?;
    Ok(SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR)
}

fn is_empty(directory: &OwnedFd) -> io::Result<bool> {
    Ok(entries(directory.as_fd())?.is_empty())
}

fn gone(result: nix::Result<()>) -> io::Result<()> {
    match result {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_tree_goes_and_what_its_links_point_to_stays() {
        let dir = tempfile::tempdir().unwrap();
        let canary = dir.path().join("canary");
        fs::write(&canary, "x").unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir_all(tree.join("a/b")).unwrap();
        std::os::unix::fs::symlink(dir.path(), tree.join("a/link")).unwrap();
        fs::write(tree.join("a/b/file"), "y").unwrap();
        remove_tree(&tree).unwrap();
        assert!(!tree.exists() && canary.exists());
        remove_tree(&tree).unwrap();
    }

    #[test]
    fn a_tree_deeper_than_any_path_goes_too() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir(&tree).unwrap();
        let mut at = open(AT_FDCWD, &tree, ResolveFlag::empty()).unwrap().unwrap();
        for _ in 0..3000 {
            nix::sys::stat::mkdirat(&at, "d", Mode::S_IRWXU).unwrap();
            at = open(at.as_fd(), c"d", ResolveFlag::empty()).unwrap().unwrap();
        }
        // whoever has made it knows what deep parts are called on their way
        (1..60).for_each(|number| fs::create_dir_all(tree.join(format!(".removing-{number}/x"))).unwrap());
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
    }
}
