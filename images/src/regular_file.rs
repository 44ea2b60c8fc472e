//! Opening files that an image or a container has made.
//!
//! Runs in the shell command's process, and in the monitor. Opening acts: a device of the host's may do something (a watchdog
//! begins to count, a tape rewinds), and a pipe waits for a writer. No rule of the container's devices holds for us. So what has
//! the name is looked at first, by a descriptor that opens nothing, and opened through that, whatever has the name by then.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::NixPath;
use nix::fcntl::{AT_FDCWD, OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fstat};

/// Opens the regular file `name` of an open directory for reading; `None` if it is no regular file, a link among others.
///
/// # Errors
/// Whatever the file system says.
pub fn open<P: ?Sized + NixPath>(parent: impl AsFd, name: &P) -> io::Result<Option<File>> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    open_found(openat(parent, name, flags, Mode::empty())?)
}

/// Opens for reading what was opened with `O_PATH`; `None` if it is no regular file.
///
/// # Errors
/// Whatever the file system says.
pub fn open_found(found: OwnedFd) -> io::Result<Option<File>> {
    if SFlag::from_bits_truncate(fstat(&found)?.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
        return Ok(None);
    }
    let path = format!("/proc/self/fd/{}", found.as_raw_fd());
    Ok(Some(openat(AT_FDCWD, path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?.into()))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use nix::errno::Errno;
    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
    use nix::unistd::mkfifo;

    use super::*;

    #[test]
    fn a_regular_file_is_opened_and_nothing_else_is_touched() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "text").unwrap();
        symlink("file", dir.path().join("link")).unwrap();
        mkfifo(&dir.path().join("pipe"), Mode::S_IRWXU).unwrap();
        let watch = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
        watch.add_watch(&dir.path().join("pipe"), AddWatchFlags::IN_OPEN).unwrap();
        let parent = File::open(dir.path()).unwrap();
        let mut text = String::new();
        open(&parent, "file").unwrap().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "text");
        for other in ["link", "pipe", "."] {
            assert!(open(&parent, other).unwrap().is_none(), "{other}");
        }
        assert_eq!(watch.read_events().unwrap_err(), Errno::EAGAIN);
        assert_eq!(open(&parent, "none").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
