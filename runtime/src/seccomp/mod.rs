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
mod policy;
mod table;
mod tree;
mod verdict;

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompFilterFlag};

use abi::Abi;
pub(crate) use bpf::Instruction;
use bpf::{Compare, MAX_INSTRUCTIONS};

/// Why a profile cannot become a filter.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SeccompError {
    /// The profile hands system calls to an agent.
    #[error("`SCMP_ACT_NOTIFY` in the seccomp profile is not supported")]
    Notify,
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
}

/// Compiles a profile for this machine and the 32-bit interfaces the profile names.
pub(crate) fn compile(profile: &LinuxSeccomp) -> Result<Filter, SeccompError> {
    if profile.listener_path().is_some() {
        return Err(SeccompError::Notify);
    }
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
    Ok(Filter { program, flags: flags(profile) })
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

fn flags(profile: &LinuxSeccomp) -> u32 {
    let bit = |flag: &LinuxSeccompFilterFlag| match flag {
        LinuxSeccompFilterFlag::SeccompFilterFlagTsync => libc::SECCOMP_FILTER_FLAG_TSYNC,
        LinuxSeccompFilterFlag::SeccompFilterFlagLog => libc::SECCOMP_FILTER_FLAG_LOG,
        LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
        // Means something with a listener only, which is refused above.
        LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => 0,
    };
    profile.flags().iter().flatten().map(bit).fold(0, |all, bit| all | bit) as u32
}

#[cfg(test)]
mod tests;
