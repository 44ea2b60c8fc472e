//! Loading, attaching and finding eBPF programs of cgroups (bpf(2)).
//!
//! Runs in the monitor, where a container's cgroup is made on cgroup v2, and in commands that change its limits.
#![expect(unsafe_code, reason = "neither nix nor libc wrap bpf(2)")]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

// `linux/bpf.h`
const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_PROG_ATTACH: libc::c_int = 8;
const BPF_PROG_DETACH: libc::c_int = 9;
const BPF_PROG_GET_FD_BY_ID: libc::c_int = 13;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BPF_PROG_QUERY: libc::c_int = 16;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 2;
const BPF_F_REPLACE: u32 = 4;

/// The most programs a cgroup may have (BPF_CGROUP_MAX_PROGS).
const MOST_PROGRAMS: usize = 64;

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
    name: [u8; 16],
}

/// The head of `union bpf_attr` for BPF_PROG_ATTACH and BPF_PROG_DETACH.
#[repr(C)]
#[derive(Default)]
struct AttachAttributes {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
    replaced: u32,
}

/// The head of `union bpf_attr` for BPF_PROG_QUERY.
#[repr(C)]
#[derive(Default)]
struct QueryAttributes {
    target: u32,
    kind: u32,
    query_flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
    padding: u32,
}

/// The head of `union bpf_attr` for BPF_PROG_GET_FD_BY_ID.
#[repr(C)]
#[derive(Default)]
struct IdAttributes {
    id: u32,
    next: u32,
    flags: u32,
}

/// The head of `union bpf_attr` for BPF_OBJ_GET_INFO_BY_FD.
#[repr(C)]
#[derive(Default)]
struct InfoAttributes {
    program: u32,
    length: u32,
    info: u64,
}

/// The head of `struct bpf_prog_info`, up to the name.
#[repr(C)]
#[derive(Default)]
struct ProgramInfo {
    numbers: [u32; 2],
    tag: [u8; 8],
    lengths: [u32; 2],
    instructions: [u64; 2],
    load_time: u64,
    uid: u32,
    map_count: u32,
    maps: u64,
    name: [u8; 16],
}

/// Loads a device filter: `instructions` are `struct bpf_insn`, 8 bytes each; `name` is filled up with NULs.
pub(crate) fn load_device_program(instructions: &[u64], name: [u8; 16]) -> nix::Result<OwnedFd> {
    let attributes = LoadAttributes {
        program_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        instruction_count: instructions.len() as u32,
        instructions: instructions.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        name,
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

/// Attaches a device filter to a cgroup2 directory, beside others or in place of `replaced`; it stays until
/// the cgroup is removed.
///
/// # Errors
/// EINVAL for a replacement before Linux 5.6.
pub(crate) fn attach_device_program(
    cgroup: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
    replaced: Option<BorrowedFd<'_>>,
) -> nix::Result<()> {
    let attributes = AttachAttributes {
        target: cgroup.as_raw_fd() as u32,
        program: program.as_raw_fd() as u32,
        kind: BPF_CGROUP_DEVICE,
        flags: BPF_F_ALLOW_MULTI | if replaced.is_some() { BPF_F_REPLACE } else { 0 },
        replaced: replaced.map_or(0, |replaced| replaced.as_raw_fd() as u32),
    };
    let size = size_of::<AttachAttributes>();
    // SAFETY: the kernel reads `size` bytes of `attributes`; the descriptors are borrowed.
    let rc = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_ATTACH, &raw const attributes, size) };
    Errno::result(rc).map(drop)
}

/// Takes a device filter off a cgroup2 directory.
pub(crate) fn detach_device_program(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>) -> nix::Result<()> {
    let attributes = AttachAttributes {
        target: cgroup.as_raw_fd() as u32,
        program: program.as_raw_fd() as u32,
        kind: BPF_CGROUP_DEVICE,
        ..AttachAttributes::default()
    };
    let size = size_of::<AttachAttributes>();
    // SAFETY: the kernel reads `size` bytes of `attributes`; both descriptors are borrowed.
    let rc = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_DETACH, &raw const attributes, size) };
    Errno::result(rc).map(drop)
}

/// Returns the ids of the device filters attached to a cgroup2 directory itself.
pub(crate) fn attached_device_programs(cgroup: BorrowedFd<'_>) -> nix::Result<Vec<u32>> {
    let mut ids = [0u32; MOST_PROGRAMS];
    let mut attributes = QueryAttributes {
        target: cgroup.as_raw_fd() as u32,
        kind: BPF_CGROUP_DEVICE,
        ids: ids.as_mut_ptr() as u64,
        count: ids.len() as u32,
        ..QueryAttributes::default()
    };
    let size = size_of::<QueryAttributes>();
    // SAFETY: the kernel reads and writes `size` bytes of `attributes`, and writes at most `count` ids to an
    // array that has room for them and outlives the call.
    let rc = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_QUERY, &raw mut attributes, size) };
    Errno::result(rc)?;
    Ok(ids.into_iter().take(attributes.count as usize).collect())
}

/// Opens the program `id`.
///
/// # Errors
/// ENOENT when it is gone.
pub(crate) fn program(id: u32) -> nix::Result<OwnedFd> {
    let attributes = IdAttributes { id, ..IdAttributes::default() };
    let size = size_of::<IdAttributes>();
    // SAFETY: the kernel reads `size` bytes of `attributes`.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_GET_FD_BY_ID, &raw const attributes, size) };
    let fd = Errno::result(fd)? as RawFd;
    // SAFETY: the kernel has just returned `fd` as a new descriptor, which nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Returns the name a program was loaded with, filled up with NULs.
pub(crate) fn program_name(program: BorrowedFd<'_>) -> nix::Result<[u8; 16]> {
    let mut info = ProgramInfo::default();
    let attributes = InfoAttributes {
        program: program.as_raw_fd() as u32,
        length: size_of::<ProgramInfo>() as u32,
        info: &raw mut info as u64,
    };
    let size = size_of::<InfoAttributes>();
    // SAFETY: the kernel reads `size` bytes of `attributes` and writes at most `length` bytes to `info`, which
    // is plain numbers; the lengths and addresses in it are zero, so it copies no instructions or maps.
    let rc = unsafe { libc::syscall(libc::SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &raw const attributes, size) };
    Errno::result(rc)?;
    Ok(info.name)
}
