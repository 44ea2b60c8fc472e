//! Which containers have a monitor that lives. Runs in the command and in the monitor.
//!
//! A monitor has a lock on one byte of a file that many share; where the byte is follows from the container's id. The kernel
//! takes the lock away when the process is gone, however it ended. So a command that looks for containers without a monitor has
//! one file open, and asks one question for each container.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use nix::fcntl::{FcntlArg, fcntl};

use crate::durable::{self, FileError};
use crate::layout::Layout;

/// How many files there are: the kernel goes through all locks on a file to find one, which must not be those of thousands.
const FILES: usize = 16;

/// Says that this process lives and looks after a container, until it ends or this is dropped.
#[derive(Debug)]
pub(crate) struct Life {
    /// The lock is its description's, not the process's: a monitor may open and close the file for another reason.
    _file: File,
}

impl Life {
    /// Begins to say so of container `id`.
    pub(crate) fn begin(layout: &Layout, id: &str) -> Result<Self, FileError> {
        let path = file_of(layout, id);
        durable::create_dir(&layout.living())?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(FileError::io("open lock", &path))?;
        // shared, so that one who takes over need not wait until the kernel has seen to all of its predecessor's end
        let locked = fcntl(&file, FcntlArg::F_OFD_SETLK(&byte_of(id, libc::F_RDLCK)));
        locked.map_err(io::Error::from).map_err(FileError::io("lock", &path))?;
        Ok(Self { _file: file })
    }
}

/// The files, as they were opened to ask.
pub(crate) struct Living<'a> {
    layout: &'a Layout,
    files: [Option<File>; FILES],
}

impl<'a> Living<'a> {
    /// Opens nothing yet.
    pub(crate) fn new(layout: &'a Layout) -> Self {
        Self { layout, files: Default::default() }
    }

    /// Returns whether container `id` has a monitor; one that cannot be asked after has none.
    ///
    /// Not by `/proc/locks`, which would say it of all at once: the kernel stops all locking to show it, and waits 10 to 20 ms until
    /// it may.
    pub(crate) fn has(&mut self, id: &str) -> bool {
        let file = &mut self.files[number_of(id)];
        if file.is_none() {
            *file = File::open(file_of(self.layout, id)).ok();
        }
        let Some(file) = file else { return false };
        let mut question = byte_of(id, libc::F_WRLCK);
        let answer = fcntl(file.as_fd(), FcntlArg::F_OFD_GETLK(&mut question));
        answer.is_ok() && i32::from(question.l_type) != libc::F_UNLCK
    }
}

fn number_of(id: &str) -> usize {
    hexadecimal(id, 0, 1) as usize % FILES
}

fn file_of(layout: &Layout, id: &str) -> PathBuf {
    layout.living().join(format!("{:x}", number_of(id)))
}

/// Returns the byte of container `id`: by 60 bits of its id, which is random.
fn byte_of(id: &str, kind: i32) -> libc::flock {
    libc::flock {
        l_type: libc::c_short::try_from(kind).expect("the kinds of locks are small numbers"),
        l_whence: libc::c_short::try_from(libc::SEEK_SET).expect("it is 0"),
        l_start: i64::try_from(hexadecimal(id, 1, 16)).expect("15 digits are 60 bits"),
        l_len: 1,
        l_pid: 0, // fcntl(2) demands it of locks of a description
    }
}

fn hexadecimal(id: &str, from: usize, to: usize) -> u64 {
    id.get(from..to).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_has_a_monitor_as_long_as_that_lives() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path().join("root"), dir.path().join("run"));
        let ids = ["a", "b", "ab"].map(|begin| format!("{begin:0<64}"));
        let has = || ids.clone().map(|id| Living::new(&layout).has(&id));
        assert_eq!(has(), [false; 3]);

        let first = Life::begin(&layout, &ids[0]).unwrap();
        assert_eq!(has(), [true, false, false]);
        let mut asked = Living::new(&layout);
        assert!(asked.has(&ids[0]) && !asked.has(&ids[2]));

        let next = Life::begin(&layout, &ids[0]).unwrap();
        drop(first);
        assert!(asked.has(&ids[0]), "the next one lives");
        drop(next);
        assert_eq!(has(), [false; 3]);
        assert!(!asked.has(&ids[0]));
    }
}
