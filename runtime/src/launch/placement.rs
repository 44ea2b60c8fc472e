//! The cgroup of a container that is being made, and taking it back when the container does not come to be.

use std::collections::HashMap;

use super::LaunchError;
use crate::cgroup::{Cgroup, Description, Unit};
use crate::plan::ContainerPlan;

/// A cgroup that is emptied and removed when this is dropped, unless it was kept.
#[derive(Debug)]
pub(super) struct Placement {
    cgroup: Option<Cgroup>,
    unit: Option<(Unit, Description)>,
}

impl Placement {
    /// Makes and limits the cgroup; one that systemd is to make is only described.
    ///
    /// Returns what the user should know as well.
    pub(super) fn prepare(
        plan: &ContainerPlan,
        annotations: Option<&HashMap<String, String>>,
    ) -> Result<(Self, Vec<String>), LaunchError> {
        let none = HashMap::new();
        if let Some(unit) = &plan.unit {
            let description = unit.describe(Some(&plan.resources), annotations.unwrap_or(&none))?;
            // Nothing is to be taken back until there is a process to make a unit around.
            return Ok((Self { cgroup: None, unit: Some((unit.clone(), description)) }, Vec::new()));
        }
        let made = plan.cgroup.create()?;
        let placement = Self { cgroup: Some(plan.cgroup.clone()), unit: None };
        let mut warnings: Vec<String> = made.warning().into_iter().collect();
        let mut resources = plan.resources.clone();
        if plan.devices_implied && !plan.cgroup.can_restrict_devices(&made) {
            // Nobody asked for rules: what everybody may do without cgroups is what this container may.
            resources.set_devices(None);
        }
        warnings.extend(plan.cgroup.limit(&resources, &made)?);
        Ok((placement, warnings))
    }

    /// Lets systemd make the cgroup around `pid`, which waits; does nothing where there is one already.
    pub(super) fn settle(&mut self, pid: i32) -> Result<Vec<String>, LaunchError> {
        let Some((unit, description)) = &self.unit else { return Ok(Vec::new()) };
        self.cgroup = Some(unit.cgroup().clone());
        Ok(unit.start(pid, description)?)
    }

    /// Lets the cgroup live on.
    pub(super) fn keep(mut self) {
        self.cgroup = None;
    }
}

impl Drop for Placement {
    fn drop(&mut self) {
        let Some(cgroup) = &self.cgroup else { return };
        // The failure that led here is the one to report.
        let _killed = cgroup.kill_all();
        let _deleted = match &self.unit {
            Some((unit, _)) => unit.stop(),
            None => cgroup.delete(),
        };
    }
}
