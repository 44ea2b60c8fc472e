//! From root with everything to the container's user with what it was given.

use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::prctl;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use super::error::{Act, InitError};
use crate::plan::{CapabilitySets, ProcessPlan, User};
use crate::trace::{self, Effect};

/// Removes from the sets what this process does not have itself, and says which.
pub(super) fn clamp(sets: &CapabilitySets, warnings: &mut Vec<String>) -> Result<CapabilitySets, InitError> {
    let own = caps::read(None, CapSet::Permitted).map_err(|error| refused("read capabilities", &error))?;
    let keep = |set: &CapsHashSet| set.intersection(&own).copied().collect::<CapsHashSet>();
    let mut missing: Vec<String> = sets.permitted.difference(&own).map(ToString::to_string).collect();
    if !missing.is_empty() {
        missing.sort_unstable();
        warnings.push(format!("not given, as this host's root lacks them: {}", missing.join(", ")));
    }
    Ok(CapabilitySets {
        bounding: keep(&sets.bounding),
        effective: keep(&sets.effective),
        inheritable: keep(&sets.inheritable),
        permitted: keep(&sets.permitted),
        ambient: keep(&sets.ambient),
    })
}

/// Becomes root of the user namespace this process is in: whom its maps know, not a stranger with capabilities.
pub(super) fn become_root() -> Result<(), InitError> {
    trace::step(|| Effect::SetUser { uid: 0, gid: 0, groups: Vec::new() }, set_root)
}

fn set_root() -> Result<(), InitError> {
    let (uid, gid) = (Uid::from_raw(0), Gid::from_raw(0));
    setgroups(&[]).act("drop the groups of the host")?;
    setresgid(gid, gid, gid).act("become group 0 of the user namespace, which must map it")?;
    setresuid(uid, uid, uid).act("become user 0 of the user namespace, which must map it")
}

/// Gives up what neither the program shall have nor [`assume`] and the steps beside it take.
///
/// For a process whose child is seen in a container before its last steps.
pub(super) fn shrink(sets: &CapabilitySets, plan: &ProcessPlan) -> Result<(), InitError> {
    drop_bounding(&sets.bounding)?;
    let own = caps::read(None, CapSet::Permitted).map_err(|error| refused("read capabilities", &error))?;
    let mut kept = CapsHashSet::from([Capability::CAP_SETPCAP, Capability::CAP_SETUID, Capability::CAP_SETGID]);
    // seccomp(2), sched_setscheduler(2), setrlimit(2)
    kept.extend((plan.filter.is_some() && !plan.no_new_privileges).then_some(Capability::CAP_SYS_ADMIN));
    let scheduled = plan.scheduling.scheduler.is_some() || plan.scheduling.io_priority.is_some();
    kept.extend(scheduled.then_some(Capability::CAP_SYS_NICE));
    kept.extend((!plan.rlimits.is_empty()).then_some(Capability::CAP_SYS_RESOURCE));
    let kept = kept.union(&sets.permitted).copied().collect::<CapsHashSet>().intersection(&own).copied().collect();
    set(CapSet::Effective, &kept)?;
    set(CapSet::Permitted, &kept)
}

/// Becomes the user, with these capabilities. The order is the kernel's:
pub(super) fn assume(user: &User, sets: &CapabilitySets) -> Result<(), InitError> {
    // 1 the bounding set: needs CAP_SETPCAP, which the user may not have
    drop_bounding(&sets.bounding)?;
    // 2 or leaving uid 0 would clear the permitted set (capabilities(7))
    prctl::set_keepcaps(true).act("keep capabilities across the change of user")?;
    // 3 groups first: once not root, they could not be changed
    let groups: &[Gid] = &user.additional;
    setgroups(groups).act("set supplementary groups (`process.user.additionalGids`)")?;
    setresgid(user.gid, user.gid, user.gid).act(&format!("become group {} (`process.user.gid`)", user.gid))?;
    setresuid(user.uid, user.uid, user.uid).act(&format!("become user {} (`process.user.uid`)", user.uid))?;
    // 4 inheritable while the permitted set still has all; effective before permitted shrinks below it
    set(CapSet::Inheritable, &sets.inheritable)?;
    set(CapSet::Effective, &sets.effective)?;
    set(CapSet::Permitted, &sets.permitted)?;
    // 5 ambient needs both permitted and inheritable; most of the time it is empty, which is one call instead of one for each
    if sets.ambient.is_empty() {
        return caps::clear(None, CapSet::Ambient).map_err(|error| refused("clear the ambient capabilities", &error));
    }
    set(CapSet::Ambient, &sets.ambient)
}

fn drop_bounding(keep: &CapsHashSet) -> Result<(), InitError> {
    for capability in caps::all().into_iter().filter(|capability| !keep.contains(capability)) {
        // One the kernel does not know is in no set.
        if caps::has_cap(None, CapSet::Bounding, capability).unwrap_or(false) {
            caps::drop(None, CapSet::Bounding, capability)
                .map_err(|error| refused(&format!("drop {capability} from the bounding set"), &error))?;
        }
    }
    Ok(())
}

fn set(which: CapSet, capabilities: &CapsHashSet) -> Result<(), InitError> {
    let names = |set: &CapsHashSet| set.iter().map(Capability::to_string).collect::<Vec<_>>().join(" ");
    caps::set(None, which, capabilities)
        .map_err(|error| refused(&format!("set {which:?} capabilities to `{}`", names(capabilities)), &error))
}

fn refused(act: &str, error: &caps::errors::CapsError) -> InitError {
    InitError::refused(format!("{act}: {error}"))
}
