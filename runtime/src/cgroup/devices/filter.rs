//! A device filter on a version 2 cgroup: loaded, and put in the place of the one before.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

use crate::sys::bpf;

/// The name of our filters, by which they are told from others: BPF_OBJ_NAME_LEN, 16 bytes with a NUL.
const NAME: [u8; 16] = *b"lighter_devices\0";

/// Loads `instructions` and attaches them to the cgroup at `directory`, in place of an older filter of ours.
///
/// Filters add up: all that are attached must allow. One that stays would make an allowance that an update
/// adds useless; one of somebody else (systemd's `DeviceAllow=`) is left where it is.
pub(super) fn replace(directory: &Path, instructions: &[u64]) -> io::Result<()> {
    let cgroup = File::open(directory)?;
    let filter = load(instructions)?;
    let ours = ours(cgroup.as_fd())?;
    match ours.first() {
        None => bpf::attach_device_program(cgroup.as_fd(), filter.as_fd(), None)?,
        Some(old) => attach_over(cgroup.as_fd(), filter.as_fd(), old.as_fd())?,
    }
    // More than one can be there only if a former update was cut short.
    for left in ours.iter().skip(1) {
        bpf::detach_device_program(cgroup.as_fd(), left.as_fd())?;
    }
    Ok(())
}

/// Replaces at once where the kernel can (Linux 5.6), else adds before it takes away: never unfiltered.
fn attach_over(cgroup: BorrowedFd<'_>, filter: BorrowedFd<'_>, old: BorrowedFd<'_>) -> nix::Result<()> {
    match bpf::attach_device_program(cgroup, filter, Some(old)) {
        Err(Errno::EINVAL) => {
            bpf::attach_device_program(cgroup, filter, None)?;
            bpf::detach_device_program(cgroup, old)
        }
        result => result,
    }
}

/// Returns the filters of this program that are attached already.
fn ours(cgroup: BorrowedFd<'_>) -> io::Result<Vec<OwnedFd>> {
    let mut ours = Vec::new();
    for id in bpf::attached_device_programs(cgroup)? {
        let program = match bpf::program(id) {
            Err(Errno::ENOENT) => continue,
            result => result?,
        };
        if bpf::program_name(program.as_fd())? == NAME {
            ours.push(program);
        }
    }
    Ok(ours)
}

/// Loads; before Linux 5.11 a program is charged to RLIMIT_MEMLOCK, which is then raised for this moment.
fn load(instructions: &[u64]) -> io::Result<OwnedFd> {
    match bpf::load_device_program(instructions, NAME) {
        Err(Errno::EPERM) => {}
        result => return Ok(result?),
    }
    let (soft, hard) = getrlimit(Resource::RLIMIT_MEMLOCK)?;
    let raised = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY)
        .or_else(|_| setrlimit(Resource::RLIMIT_MEMLOCK, hard, hard));
    let loaded = bpf::load_device_program(instructions, NAME);
    // What is raised here would be the container's limit.
    raised.and_then(|()| setrlimit(Resource::RLIMIT_MEMLOCK, soft, hard))?;
    loaded.map_err(|errno| match errno {
        Errno::EPERM => io::Error::other(format!(
            "{errno}: loading a device filter takes CAP_BPF or CAP_SYS_ADMIN, and before Linux 5.11 locked \
             memory beyond `ulimit -l` ({hard} bytes here)"
        )),
        errno => errno.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cgroup::Cgroup;
    use crate::cgroup::devices::program;
    use crate::defaults;

    /// A version 2 cgroup without processes.
    struct Scratch(Cgroup);

    impl Drop for Scratch {
        fn drop(&mut self) {
            self.0.delete().expect("nobody is in it");
        }
    }

    #[test]
    #[ignore = "needs root"]
    fn a_filter_takes_the_place_of_the_one_before_and_leaves_those_of_others() {
        let scratch = Scratch(Cgroup::open(&format!("/lighter/tests/filter-{}", std::process::id())).unwrap());
        scratch.0.create().unwrap();
        let directory = scratch.0.unified().expect("a version 2 hierarchy is mounted");
        let cgroup = File::open(&directory).unwrap();
        let foreign = bpf::load_device_program(&program::compile(&[]), *b"somebody_else\0\0\0").unwrap();
        bpf::attach_device_program(cgroup.as_fd(), foreign.as_fd(), None).unwrap();
        for rules in [vec![], defaults::devices(), vec![]] {
            replace(&directory, &program::compile(&rules)).unwrap();
            assert_eq!(ours(cgroup.as_fd()).unwrap().len(), 1);
            assert_eq!(bpf::attached_device_programs(cgroup.as_fd()).unwrap().len(), 2);
        }
    }
}
