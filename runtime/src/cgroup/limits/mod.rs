//! Limits: resources of the runtime configuration, planned as values for files, then written.
//!
//! ```text
//! resources ─ facts ─▶ plan (v1, v2, both) ─▶ apply ─▶ device rules
//! ```

mod apply;
mod both;
mod facts;
mod plan;
pub(super) mod step;
mod v1;
mod v2;
mod value;

use oci_spec::runtime::LinuxResources;

use super::create::Made;
use super::{Cgroup, CgroupError, devices};
use facts::Facts;
use step::{Step, Version};

/// Plans the limits of `cgroup` without setting them.
pub(super) fn steps(cgroup: &Cgroup, resources: &LinuxResources) -> Result<Vec<Step>, CgroupError> {
    Ok(plan::plan(resources, &Facts::observe(cgroup, resources))?.steps)
}

/// Tells whether version 2 keeps the limits of this host.
pub(super) fn is_unified() -> bool {
    Facts::of_host().version("memory") == Some(Version::V2)
}

/// Plans limits for a host with these version 1 controllers, and version 2.
#[cfg(test)]
pub(super) fn planned_for_tests(resources: &LinuxResources, v1: &[&str]) -> Vec<Step> {
    let v1 = v1.iter().map(|controller| (*controller).to_owned()).collect();
    let facts = Facts { v1, v2: true, counts_swap: true, quota: "max".to_owned() };
    plan::plan(resources, &facts).expect("valid limits").steps
}

impl Cgroup {
    /// Changes the limits of this cgroup; what `resources` leaves out stays as it is.
    ///
    /// Returns what the user should know: limits this kernel knows nothing of, and that are implied
    /// rather than asked for by most callers (swap).
    ///
    /// # Errors
    /// [`CgroupError::Refused`], before anything is written, for a value that is none or that this host has no
    /// controller for; [`CgroupError::Limit`] and [`CgroupError::Devices`] for what the kernel refuses.
    pub fn update(&self, resources: &LinuxResources) -> Result<Vec<String>, CgroupError> {
        self.limit(resources, &Made::default())
    }

    /// Limits a cgroup that was just made.
    ///
    /// # Errors
    /// Also [`CgroupError::Refused`] when a limit needs a hierarchy that could not be written.
    pub(crate) fn limit(&self, resources: &LinuxResources, made: &Made) -> Result<Vec<String>, CgroupError> {
        let plan = plan::plan(resources, &Facts::observe(self, resources))?;
        apply::withheld(&plan.steps, made)?;
        let rules = resources.devices().as_deref().unwrap_or_default();
        devices::check(rules, made)?;
        apply::apply(self, &plan.steps)?;
        devices::restrict(self, rules)?;
        Ok(plan.warnings)
    }
}
