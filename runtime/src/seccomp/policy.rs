//! An OCI seccomp profile, resolved to one verdict for every number of one interface.
//!
//! *Pure.* Numbers the profile cannot know, because their system calls are newer than it, answer
//! ENOSYS: a C library then falls back to an older call, where EPERM would be taken as a refusal.

use std::collections::BTreeMap;

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction, LinuxSyscall};

use super::SeccompError;
use super::abi::Abi;
use super::verdict::{Condition, Rule, Verdict};

/// A run of system call numbers with one verdict: from `start` to the next run's start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: u32,
    pub(super) verdict: Verdict,
}

/// `MAX_ERRNO`, `linux/err.h`.
const MOST_ERRNO: u32 = 4095;

/// Returns the `SECCOMP_RET_*` value of an action.
pub(super) fn return_value(action: LinuxSeccompAction, errno: Option<u32>) -> Result<u32, SeccompError> {
    let has_number = matches!(action, LinuxSeccompAction::ScmpActErrno | LinuxSeccompAction::ScmpActTrace);
    match errno {
        // config-linux.md, "seccomp": when the action has none, the runtime must fail.
        Some(_) if !has_number => Err(SeccompError::ErrnoAction(action.to_string())),
        // Only the low 16 bits are data (SECCOMP_RET_DATA), and the kernel cuts error numbers to its highest.
        Some(errno) if errno > MOST_ERRNO => Err(SeccompError::Errno(errno)),
        errno => Ok(action.as_u32(errno)),
    }
}

/// Resolves a profile for interfaces that share one architecture, in ascending order of numbers.
///
/// The result covers all numbers from 0 to `u32::MAX`; neighbours differ.
pub(super) fn ranges(profile: &LinuxSeccomp, abis: &[Abi]) -> Result<Vec<Range>, SeccompError> {
    let default = Verdict::always(return_value(profile.default_action(), profile.default_errno_ret())?);
    let unknown = if answers_unknown(profile.default_action()) { default.clone() } else { no_such_call() };
    let mut verdicts = Vec::new();
    for abi in abis {
        let listed = listed(profile, *abi)?;
        let newest = listed.keys().next_back().copied().unwrap_or(0);
        verdicts.extend(abi.numbers().map(|number| {
            let known = if number <= newest { &default } else { &unknown };
            (number, listed.get(&number).map_or_else(|| known.clone(), |said| said.verdict(&default)))
        }));
    }
    verdicts.sort_unstable_by_key(|(number, _)| *number);
    Ok(runs(verdicts, unknown))
}

/// Tells whether the default action itself is the right answer to a call nobody knows.
fn answers_unknown(default: LinuxSeccompAction) -> bool {
    use LinuxSeccompAction::{ScmpActAllow, ScmpActLog, ScmpActTrace};
    matches!(default, ScmpActAllow | ScmpActLog | ScmpActTrace)
}

fn no_such_call() -> Verdict {
    Verdict::always(libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32)
}

/// What the entries of a profile say about one number.
#[derive(Default)]
struct Said {
    rules: Vec<Rule>,
    unconditional: Option<u32>,
}

impl Said {
    fn verdict(&self, default: &Verdict) -> Verdict {
        Verdict { rules: self.rules.clone(), otherwise: self.unconditional.unwrap_or(default.otherwise) }
    }
}

/// Gathers what the profile says, by number. Names this interface lacks are passed over.
fn listed(profile: &LinuxSeccomp, abi: Abi) -> Result<BTreeMap<u32, Said>, SeccompError> {
    let mut listed: BTreeMap<u32, Said> = BTreeMap::new();
    for syscall in profile.syscalls().iter().flatten() {
        let action = return_value(syscall.action(), syscall.errno_ret())?;
        let rules = rules(syscall, action)?;
        for number in syscall.names().iter().filter_map(|name| abi.number(name)) {
            let said = listed.entry(number).or_default();
            if rules.is_empty() {
                said.unconditional.get_or_insert(action);
            } else {
                said.rules.extend(rules.iter().cloned());
            }
        }
    }
    Ok(listed)
}

/// Reads the conditions of one entry: together they make one rule.
///
/// Except when two look at the same argument: then each is a rule of its own, any of which answers.
/// Old profiles list the permitted values of personality(2) that way, and runc reads them so.
fn rules(syscall: &LinuxSyscall, action: u32) -> Result<Vec<Rule>, SeccompError> {
    let read = |arg| {
        Condition::from_oci(arg)
            .ok_or_else(|| SeccompError::Argument(syscall.names().join(" ").escape_default().to_string()))
    };
    let conditions: Vec<Condition> = syscall.args().iter().flatten().map(read).collect::<Result<_, _>>()?;
    let repeats = |at: usize| conditions[..at].iter().any(|before| before.index == conditions[at].index);
    if (0..conditions.len()).any(repeats) {
        Ok(conditions.into_iter().map(|condition| Rule { conditions: vec![condition], action }).collect())
    } else if conditions.is_empty() {
        Ok(Vec::new())
    } else {
        Ok(vec![Rule { conditions, action }])
    }
}

/// Joins neighbours with the same verdict and fills the gaps between known numbers, which come in ascending order.
fn runs(verdicts: Vec<(u32, Verdict)>, unknown: Verdict) -> Vec<Range> {
    let mut ranges: Vec<Range> = Vec::new();
    let mut push = |start: u32, verdict: Verdict| {
        if ranges.last().is_none_or(|last| last.verdict != verdict) {
            ranges.push(Range { start, verdict });
        }
    };
    let mut next = 0;
    for (number, verdict) in verdicts {
        if number > next {
            push(next, unknown.clone());
        }
        push(number, verdict);
        next = number + 1;
    }
    push(next, unknown);
    ranges
}
