//! What the kernel keeps about running a process: scheduler, I/O priority, processors, memory nodes, personality.
//!
//! Runs in init, in an exec'ed process, and around the clone of the latter in the command that execs.
#![expect(unsafe_code, reason = "nix 0.31 wraps none of these calls, or for 1024 processors only")]

use nix::errno::Errno;

use crate::plan::Scheduler;

/// `IOPRIO_WHO_PROCESS`, `linux/ioprio.h`.
const IO_PROCESS: libc::c_int = 1;
/// Words of a mask for 8192 processors, more than any kernel has.
const AFFINITY_WORDS: usize = 128;

/// Sets the scheduling policy of the caller and its parameters (sched_setattr(2)).
pub(crate) fn set_scheduler(scheduler: &Scheduler) -> nix::Result<()> {
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: scheduler.policy,
        sched_flags: scheduler.flags,
        sched_nice: scheduler.nice,
        sched_priority: scheduler.priority,
        sched_runtime: scheduler.runtime,
        sched_deadline: scheduler.deadline,
        sched_period: scheduler.period,
    };
    // SAFETY: the kernel reads `size` bytes of a `sched_attr` of that size, which lives across the call, and
    // writes to it only when it refuses the size; 0 and 0 are the caller itself and no flags.
    let rc = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    Errno::result(rc).map(drop)
}

/// Sets the I/O priority of the caller: class and level (ioprio_set(2)).
pub(crate) fn set_io_priority(priority: u32) -> nix::Result<()> {
    // SAFETY: ioprio_set(2) takes three numbers; 0 is the caller itself.
    let rc = unsafe { libc::syscall(libc::SYS_ioprio_set, IO_PROCESS, 0, priority) };
    Errno::result(rc).map(drop)
}

/// Returns the processors the caller may run on, as a mask.
pub(crate) fn affinity() -> nix::Result<Vec<u64>> {
    let mut words = vec![0u64; AFFINITY_WORDS];
    let size = size_of_val(words.as_slice());
    // SAFETY: the kernel writes at most `size` bytes into a vector of that size, exclusively ours.
    let rc = unsafe { libc::syscall(libc::SYS_sched_getaffinity, 0, size, words.as_mut_ptr()) };
    Errno::result(rc)?;
    Ok(words)
}

/// Sets the processors the caller may run on (sched_setaffinity(2)).
pub(crate) fn set_affinity(words: &[u64]) -> nix::Result<()> {
    // SAFETY: the kernel reads as many bytes as the slice has, which is borrowed across the call.
    let rc = unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0, size_of_val(words), words.as_ptr()) };
    Errno::result(rc).map(drop)
}

/// Sets the memory policy of the caller: `MPOL_*` with flags, and a mask of nodes (set_mempolicy(2)).
pub(crate) fn set_memory_policy(mode: i32, nodes: &[u64]) -> nix::Result<()> {
    // The kernel takes one bit less than it is told (get_mempolicy(2), "BUGS" of maxnode).
    let bits = if nodes.is_empty() { 0 } else { nodes.len() * 64 + 1 };
    let mask = if nodes.is_empty() { std::ptr::null() } else { nodes.as_ptr() };
    // SAFETY: the kernel reads `bits` - 1 bits, which is what the slice holds, or nothing at all; it is borrowed
    // across the call.
    let rc = unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, mask, bits) };
    Errno::result(rc).map(drop)
}

/// Sets the execution domain of the caller (personality(2)).
pub(crate) fn set_personality(persona: u64) -> nix::Result<()> {
    // SAFETY: personality(2) takes a number and touches no memory of ours.
    let rc = unsafe { libc::syscall(libc::SYS_personality, persona) };
    Errno::result(rc).map(drop)
}
