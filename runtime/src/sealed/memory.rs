//! A sealed copy in memory (memfd_create(2)).

use std::fs::File;
use std::io::{self, Seek};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

/// What it takes that nobody can change the copy, or take that back.
fn seals() -> SealFlag {
    SealFlag::F_SEAL_SEAL | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_WRITE
}

/// Copies a program into a memfd and seals it.
pub(super) fn copy(program: &File) -> io::Result<File> {
    let mut source = program.try_clone()?;
    source.rewind()?;
    let mut copy: File = create()?.into();
    io::copy(&mut source, &mut copy)?;
    fcntl(&copy, FcntlArg::F_ADD_SEALS(seals()))?;
    // Opened for writing, as it still is, it could not be executed: ETXTBSY.
    File::open(format!("/proc/self/fd/{}", copy.as_raw_fd()))
}

fn create() -> io::Result<OwnedFd> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    // Linux 6.3 wants to be told that a memfd is to be executed; older kernels do not know the flag.
    let executable = MFdFlags::from_bits_retain(libc::MFD_EXEC);
    match memfd_create("lighter", flags | executable) {
        Err(Errno::EINVAL) => Ok(memfd_create("lighter", flags)?),
        result => Ok(result?),
    }
}

/// Tells whether a file is a memfd with all seals.
pub(super) fn is_sealed(program: &File) -> bool {
    let set = fcntl(program, FcntlArg::F_GET_SEALS).map_or(SealFlag::empty(), SealFlag::from_bits_truncate);
    set.contains(seals())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn the_copy_is_the_same_and_cannot_be_written() {
        let mut original = tempfile::tempfile().unwrap();
        original.write_all(b"a program").unwrap();
        assert!(!is_sealed(&original));
        let mut sealed = copy(&original).unwrap();
        let mut text = String::new();
        sealed.read_to_string(&mut text).unwrap();
        assert_eq!(text, "a program");
        assert!(is_sealed(&sealed));
        let path = format!("/proc/self/fd/{}", sealed.as_raw_fd());
        let mut again = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        assert_eq!(again.write_all(b"x").unwrap_err().raw_os_error(), Some(Errno::EPERM as i32));
    }
}
