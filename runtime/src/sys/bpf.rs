//! Loading and attaching an eBPF program (bpf(2)).
//!
//! Runs in the monitor, where a container's cgroup is made on cgroup v2.
#![expect(unsafe_code, reason = "neither nix nor libc wrap bpf(2)")]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

// `linux/bpf.h`
const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_PROG_ATTACH: libc::c_int = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 2;

/// The head of `union bpf_attr` for BPF_PROG_LOAD.
#[repr(C)]
#[derive(Default)]
struct LoadAttributes {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buffer: u64,
    kernel_version: u32,
    flags: u32,
}

/// The head of `union bpf_attr` for BPF_PROG_ATTACH.
#[repr(C)]
struct AttachAttributes {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
}

/// Loads a device filter: `instructions` are `struct bpf_insn`, 8 bytes each.
pub(crate) fn load_device_program(instructions: &[u64]) -> nix::Result<OwnedFd> {
    let attributes = LoadAttributes {
        program_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        instruction_count: instructions.len() as u32,
        instructions: instructions.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        ..LoadAttributes::default()
    };
    let size = size_of::<LoadAttributes>();
    // SAFETY: the kernel reads `size` bytes of `attributes`, then as many instructions as it counts
    // from a slice that is borrowed, and a licence that ends in NUL; it writes nothing, as no log is
    // asked for.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &raw const attributes, size) };
    let fd = Errno::result(fd)? as RawFd;
    // SAFETY: the kernel has just returned `fd` as a new descriptor, which nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Attaches a device filter to a cgroup2 directory; it stays until the cgroup is removed.
pub(crate) fn attach_device_program(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>) -> nix::Result<()> {
    let attributes = AttachAttributes {
        target: cgroup.as_raw_fd() as u32,
        program: program.as_raw_fd() as u32,
        kind: BPF_CGROUP_DEVICE,
        flags: BPF_F_ALLOW_MULTI,
    };
    let size = size_of::<AttachAttributes>();
    // SAFETY: the kernel reads `size` bytes of `attributes`; both descriptors are borrowed.
    let rc = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_ATTACH, &raw const attributes, size) };
    Errno::result(rc).map(drop)
}
