//! Making a container's first process: set up, waiting, then started.
//!
//! Runs in the container's monitor: one thread, from a sealed copy of the program, and from then on the
//! parent of the container's init.
//!
//! ```text
//! Launch ──create──▶ Created ──start──▶ Init
//!                       └─ dropped: init killed and reaped, cgroup removed
//! ```

mod clone;
mod created;
mod error;
mod joins;
mod net_devices;
mod passage;
mod rollback;
mod rtnetlink;
mod stdio;
mod users;

use std::path::Path;

use oci_spec::runtime::Spec;

use crate::init::{self, CgroupView, Channel, ContainerStart, Trees};
use crate::plan::{self, ContainerPlan};
use crate::sealed;
use crate::sys::namespace::CLONE_NEWTIME;
use crate::sys::process::Child;

pub use created::{Created, Init};
pub use error::LaunchError;
pub use stdio::Stdio;

pub use crate::plan::PlanError;
pub use crate::seccomp::SeccompError;

use clone::clone_through;
pub(crate) use clone::{Birth, clone, end, release, wait_until_ready};
pub(crate) use joins::PidNamespace;
pub(crate) use passage::Passage;
use rollback::CgroupRollback;
pub(crate) use users::hand_over;

/// A container to make.
#[derive(Debug)]
pub struct Launch<'a> {
    /// The container's id; names the cgroup when the spec does not.
    pub id: &'a str,
    /// What the container shall be (OCI runtime specification, config.md).
    pub spec: &'a Spec,
    /// Where relative paths of the spec start; absolute.
    pub bundle: &'a Path,
    /// Its standard streams.
    pub stdio: Stdio,
    /// Let lighter's own init be pid 1: it hands signals on and reaps (`docker run --init`).
    pub reaper: bool,
}

/// Makes a container up to the point where its program would be executed.
///
/// The caller must have one thread and run from a sealed copy ([`sealed::ensure`]); it becomes the parent
/// of the container's init, and non-dumpable: a child inherits its memory for a moment.
///
/// # Errors
/// [`LaunchError`] names the step, the object and the cause. Nothing is left behind then.
pub fn create(launch: Launch<'_>) -> Result<Created, LaunchError> {
    if !sealed::is_sealed() {
        return Err(LaunchError::NotSealed);
    }
    let plan = plan::container(launch.id, launch.spec, launch.bundle)?;
    let joins = joins::open(&plan)?;
    let made = plan.cgroup.create()?;
    let rollback = CgroupRollback::new(plan.cgroup.clone());
    let mut warnings: Vec<String> = made.warning().into_iter().collect();
    if let Some(resources) = &plan.resources {
        warnings.extend(plan.cgroup.limit(resources, &made)?);
    }
    let (child, channel) = clone_init(&plan, &joins, &launch.stdio, launch.reaper)?;
    // The child has its copies of the streams: whoever reads them must see when the last is closed.
    drop(launch.stdio);
    let (terminal, said) = wait_until_ready(&child, &channel)?;
    warnings.extend(said);
    net_devices::move_in(&plan.net_devices, child.pid).inspect_err(|_| {
        end(&child);
    })?;
    Created::new(child, channel, plan.cgroup, rollback, terminal, warnings)
}

/// Clones init, which sets itself up meanwhile.
fn clone_init(
    plan: &ContainerPlan,
    joins: &joins::Joins,
    stdio: &Stdio,
    reaper: bool,
) -> Result<(Child, Channel), LaunchError> {
    let attachment = plan.cgroup.attachment()?;
    let namespaced = plan.namespaces.is_new(libc::CLONE_NEWCGROUP);
    let cgroups = CgroupView::of(&plan.cgroup, namespaced);
    let (namespaces, pid_namespace) = (plan.namespaces.clone_flags(), joins.pid.as_ref());
    let (attachment, cgroups) = (&attachment, cgroups.as_slice());
    let start = |channel, joins, trees: &Trees| {
        init::run_container(&ContainerStart { plan, attachment, joins, cgroups, trees, stdio, channel, reaper })
    };
    let new_time = plan.namespaces.is_new(CLONE_NEWTIME);
    let maps = users::of_mounts(plan, joins.users.as_ref())?;
    if joins.users.is_none() && !new_time && maps.is_empty() {
        return clone(&Birth { namespaces, pid_namespace, attachment }, |channel| {
            start(channel, joins.others.as_slice(), &Trees::default())
        });
    }
    let (users, time) = (joins.users.as_ref(), new_time.then_some(plan.time_offsets.as_deref()));
    let passage = Passage { joins: &joins.others, pid_namespace, users, time, namespaces };
    let prepare = || init::prepare(plan, &maps);
    let (child, channel) = clone_through(&passage, attachment, prepare, |channel, trees| start(channel, &[], trees))?;
    if users.is_some() {
        hand_over(stdio, child.pid, plan.process.user.uid.as_raw()).inspect_err(|_| {
            end(&child);
        })?;
    }
    Ok((child, channel))
}
