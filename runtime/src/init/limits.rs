//! Resource limits.

use nix::errno::Errno;
use nix::sys::resource::{getrlimit, setrlimit};

use super::error::{Act, InitError};
use crate::plan::Limit;
use crate::trace::{self, Effect};

/// Sets limits. A hard limit above ours, which takes CAP_SYS_RESOURCE to raise, is cut to ours, and
/// that is said: default limits written for other hosts must not keep a container from starting.
pub(super) fn set(limits: &[Limit], warnings: &mut Vec<String>) -> Result<(), InitError> {
    for limit in limits {
        let act =
            format!("set limit {} (`process.rlimits`) to {}:{}", limit.name, shown(limit.soft), shown(limit.hard));
        match trace::step(|| Effect::limit(limit), || setrlimit(limit.resource, limit.soft, limit.hard)) {
            Err(Errno::EPERM) => {
                let (_, most) = getrlimit(limit.resource).act(&act)?;
                let (soft, hard) = (limit.soft.min(most), limit.hard.min(most));
                let cut = || Effect::limit(&Limit { soft, hard, ..*limit });
                trace::step(cut, || setrlimit(limit.resource, soft, hard)).act(&act)?;
                let (name, asked) = (limit.name, shown(limit.hard));
                warnings.push(format!("{name} is {}: this host does not permit {asked}", shown(hard)));
            }
            result => result.act(&act)?,
        }
    }
    Ok(())
}

fn shown(value: u64) -> String {
    if value == libc::RLIM_INFINITY { "unlimited".to_owned() } else { value.to_string() }
}
