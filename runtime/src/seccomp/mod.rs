//! OCI seccomp profile → a classic BPF program for seccomp(2).
//!
//! *Pure*; runs in the monitor (or the command that execs), before the clone. The program:
//!
//! ```text
//! load architecture ─┬─ this one:      load number → binary search tree → verdict
//!                    ├─ its 32-bit one: load number → binary search tree → verdict
//!                    └─ any other:      kill
//! ```

mod abi;
mod bpf;
pub(crate) mod listener;
mod policy;
mod table;
mod tree;
mod verdict;

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction, LinuxSeccompFilterFlag};

use abi::Abi;
pub(crate) use bpf::Instruction;
use bpf::{Compare, MAX_INSTRUCTIONS};

/// `SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV` (`linux/seccomp.h`, Linux 5.19).
const WAIT_KILLABLE_RECV: libc::c_ulong = 1 << 5;

/// Why a profile cannot become a filter.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeccompError {
    /// The profile hands system calls to an agent, and names none.
    #[error("`SCMP_ACT_NOTIFY` in `linux.seccomp` needs a `listenerPath`")]
    NoAgent,
    /// The profile has something to say to an agent, and names none.
    #[error("`linux.seccomp.listenerMetadata` needs a `listenerPath`")]
    Metadata,
    /// The path of the agent's socket leads nowhere for certain.
    #[error("`{0}` as `linux.seccomp.listenerPath`: it is not absolute")]
    ListenerPath(String),
    /// The agent could not be told without this call.
    #[error("`SCMP_ACT_NOTIFY` in `linux.seccomp` for `{0}`: the agent could not be reached without it")]
    Notify(String),
    /// An error number for an action that returns none.
    #[error("`errnoRet` in `linux.seccomp` for `{0}`, which returns no error number")]
    ErrnoAction(String),
    /// An error number no system call can return.
    #[error("`{0}` as `errnoRet` in `linux.seccomp`: the highest error number is 4095")]
    Errno(u32),
    /// A condition names an argument that no system call has.
    #[error("seccomp condition on an argument above 5 for `{0}`")]
    Argument(String),
    /// The kernel takes no program of this length.
    #[error("seccomp profile needs {0} instructions, the kernel takes 4096")]
    TooLong(usize),
}

/// A filter ready to be loaded.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    /// The program.
    pub(crate) program: Vec<Instruction>,
    /// `SECCOMP_FILTER_FLAG_*` (seccomp(2)).
    pub(crate) flags: u32,
    /// Some calls wait for an agent's answer: loading returns the descriptor for it.
    pub(crate) listener: bool,
}

/// Compiles a profile for this machine and the 32-bit interfaces the profile names.
pub(crate) fn compile(profile: &LinuxSeccomp) -> Result<Filter, SeccompError> {
    let listener = check_listener(profile)?;
    let mut program = vec![bpf::load(bpf::OFFSET_ARCH)];
    for group in interfaces(profile) {
        let mut body = vec![bpf::load(bpf::OFFSET_NUMBER)];
        tree::emit(&policy::ranges(profile, &group)?, &mut body);
        program.push(bpf::branch(Compare::Equal, group[0].audit_arch(), 1, 0));
        program.push(bpf::jump(body.len() as u32));
        program.append(&mut body);
    }
    program.push(bpf::ret(libc::SECCOMP_RET_KILL_PROCESS));
    if program.len() > MAX_INSTRUCTIONS {
        return Err(SeccompError::TooLong(program.len()));
    }
    Ok(Filter { program, flags: flags(profile, listener), listener })
}

/// Groups the interfaces of a profile by architecture, the machine's own first and always there.
fn interfaces(profile: &LinuxSeccomp) -> Vec<Vec<Abi>> {
    let named = profile.architectures().iter().flatten().filter_map(|arch| Abi::from_oci(*arch));
    let mut groups = vec![vec![Abi::NATIVE]];
    for abi in named {
        match groups.iter_mut().find(|group| group[0].audit_arch() == abi.audit_arch()) {
            Some(group) if group.contains(&abi) => {}
            Some(group) => group.push(abi),
            None => groups.push(vec![abi]),
        }
    }
    groups
}

/// Calls between the loading of the filter and the agent's having its listener: nobody would answer.
const BEFORE_THE_AGENT: [&str; 2] = ["write", "sendmsg"];

/// Tells whether some call waits for an agent's answer.
fn check_listener(profile: &LinuxSeccomp) -> Result<bool, SeccompError> {
    let notify = |action| action == LinuxSeccompAction::ScmpActNotify;
    if notify(profile.default_action()) {
        return Err(SeccompError::Notify("defaultAction".to_owned()));
    }
    let handed = profile.syscalls().iter().flatten().filter(|syscall| notify(syscall.action()));
    let mut names = handed.flat_map(|syscall| syscall.names());
    if let Some(name) = names.clone().find(|name| BEFORE_THE_AGENT.contains(&name.as_str())) {
        return Err(SeccompError::Notify(name.clone()));
    }
    let listener = names.next().is_some();
    match profile.listener_path() {
        None if listener => Err(SeccompError::NoAgent),
        None if profile.listener_metadata().is_some() => Err(SeccompError::Metadata),
        Some(path) if !path.is_absolute() => Err(SeccompError::ListenerPath(path.display().to_string())),
        _ => Ok(listener),
    }
}

fn flags(profile: &LinuxSeccomp, listener: bool) -> u32 {
    let bit = |flag: &LinuxSeccompFilterFlag| match flag {
        // The process has one thread; the kernel has two meanings for its answer when both flags are set.
        LinuxSeccompFilterFlag::SeccompFilterFlagTsync if listener => 0,
        LinuxSeccompFilterFlag::SeccompFilterFlagTsync => libc::SECCOMP_FILTER_FLAG_TSYNC,
        LinuxSeccompFilterFlag::SeccompFilterFlagLog => libc::SECCOMP_FILTER_FLAG_LOG,
        LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
        LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv if listener => WAIT_KILLABLE_RECV,
        // Means something with a listener only.
        LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => 0,
    };
    let new_listener = if listener { libc::SECCOMP_FILTER_FLAG_NEW_LISTENER } else { 0 };
    profile.flags().iter().flatten().map(bit).fold(new_listener, |all, bit| all | bit) as u32
}

#[cfg(test)]
mod tests;
