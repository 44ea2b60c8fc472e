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
mod rollback;
mod stdio;

use std::path::Path;

use oci_spec::runtime::Spec;

use crate::init::{self, CgroupView, Channel, ContainerStart};
use crate::plan::{self, ContainerPlan};
use crate::sealed;
use crate::sys::process::Child;

pub use created::{Created, Init};
pub use error::LaunchError;
pub use stdio::Stdio;

pub use crate::plan::PlanError;
pub use crate::seccomp::SeccompError;

pub(crate) use clone::{Birth, clone, end, release, wait_until_ready};
pub(crate) use joins::PidNamespace;
use rollback::CgroupRollback;

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
    let joins = joins::open(&plan.namespaces)?;
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
    clone(&Birth { namespaces, pid_namespace, attachment: &attachment }, |channel| {
        let (attachment, joins, cgroups) = (&attachment, joins.others.as_slice(), cgroups.as_slice());
        init::run_container(&ContainerStart { plan, attachment, joins, cgroups, stdio, channel, reaper })
    })
}
