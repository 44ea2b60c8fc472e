//! The default seccomp profile, equivalent in effect to Docker's.

use std::collections::HashSet;

use oci_spec::runtime::{
    Arch, Capability, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArgBuilder, LinuxSeccompOperator, LinuxSyscall,
};

use super::seccomp_names::{ALWAYS, ON_ARM, ON_X86, SYS_ADMIN, SYS_MODULE, SYS_NICE, SYS_PTRACE, SYS_TIME};

/// What a capability adds to the profile.
const BY_CAPABILITY: [(Capability, &str); 13] = [
    (Capability::DacReadSearch, "open_by_handle_at"),
    (Capability::SysAdmin, SYS_ADMIN),
    (Capability::SysBoot, "reboot"),
    (Capability::SysChroot, "chroot"),
    (Capability::SysModule, SYS_MODULE),
    (Capability::SysPacct, "acct"),
    (Capability::SysPtrace, SYS_PTRACE),
    (Capability::SysRawio, "iopl ioperm"),
    (Capability::SysTime, SYS_TIME),
    (Capability::SysTtyConfig, "vhangup"),
    (Capability::SysNice, SYS_NICE),
    (Capability::Syslog, "syslog"),
    (Capability::Bpf, "bpf"),
];

/// Address families socket(2) may have, beside all below 12. `linux/socket.h`.
///
/// Left out: 12 DECnet, 19 Econet, 20 ATM SVC, 23 IrDA, 25 Wanpipe, 34 IUCV, 37 CAIF, 38 the kernel's
/// cryptography and 40 VSOCK, which reaches the hypervisor.
const SOCKET_FAMILIES: [u64; 25] =
    [13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29, 30, 31, 32, 33, 35, 36, 39, 41, 42, 43, 44, 45];

/// Values personality(2) may be given: PER_LINUX, PER_LINUX32, UNAME26, both, and "tell me".
const PERSONALITIES: [u64; 5] = [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET (clone(2)).
const CLONE_NAMESPACES: u64 = 0x7e02_0000;

/// Returns the default profile for a container with these capabilities.
///
/// What is not listed answers EPERM; what is newer than the list, ENOSYS.
#[must_use]
pub fn seccomp(capabilities: &HashSet<Capability>) -> LinuxSeccomp {
    let has = |capability| capabilities.contains(&capability);
    let mut syscalls = vec![allow(ALWAYS), allow(machine_specific())];
    syscalls.push(allow_when("socket", LinuxSeccompOperator::ScmpCmpLt, 12, None));
    syscalls.extend(SOCKET_FAMILIES.map(|family| allow_value("socket", family)));
    syscalls.extend(PERSONALITIES.map(|value| allow_value("personality", value)));
    syscalls.extend(BY_CAPABILITY.iter().filter(|(capability, _)| has(*capability)).map(|(_, names)| allow(names)));
    if has(Capability::Perfmon) {
        syscalls.push(allow("perf_event_open"));
    }
    if !has(Capability::SysAdmin) {
        syscalls.push(allow_when("clone", LinuxSeccompOperator::ScmpCmpMaskedEq, CLONE_NAMESPACES, Some(0)));
        syscalls.push(clone3_is_unknown());
    }
    let mut profile = LinuxSeccomp::default();
    profile
        .set_default_action(LinuxSeccompAction::ScmpActErrno)
        .set_default_errno_ret(Some(libc::EPERM as u32))
        .set_architectures(Some(architectures()))
        .set_syscalls(Some(syscalls));
    profile
}

/// The flags of clone3 are in memory, where a filter cannot look: C libraries then use clone.
fn clone3_is_unknown() -> LinuxSyscall {
    let mut rule = entry("clone3", LinuxSeccompAction::ScmpActErrno);
    rule.set_errno_ret(Some(libc::ENOSYS as u32));
    rule
}

fn machine_specific() -> &'static str {
    if cfg!(target_arch = "x86_64") { ON_X86 } else { ON_ARM }
}

fn architectures() -> Vec<Arch> {
    if cfg!(target_arch = "x86_64") {
        vec![Arch::ScmpArchX86_64, Arch::ScmpArchX86, Arch::ScmpArchX32]
    } else {
        vec![Arch::ScmpArchAarch64, Arch::ScmpArchArm]
    }
}

fn entry(names: &str, action: LinuxSeccompAction) -> LinuxSyscall {
    let mut entry = LinuxSyscall::default();
    entry.set_names(names.split_ascii_whitespace().map(str::to_owned).collect()).set_action(action);
    entry
}

fn allow(names: &str) -> LinuxSyscall {
    entry(names, LinuxSeccompAction::ScmpActAllow)
}

fn allow_value(name: &str, value: u64) -> LinuxSyscall {
    allow_when(name, LinuxSeccompOperator::ScmpCmpEq, value, None)
}

/// Allows `name` when its first argument passes the test.
fn allow_when(name: &str, op: LinuxSeccompOperator, value: u64, value_two: Option<u64>) -> LinuxSyscall {
    let condition = LinuxSeccompArgBuilder::default().index(0usize).op(op).value(value);
    let condition = match value_two {
        Some(value_two) => condition.value_two(value_two),
        None => condition,
    };
    let mut rule = allow(name);
    rule.set_args(Some(vec![condition.build().expect("every field of a condition has a default")]));
    rule
}
