//! The cgroup of a container that is being made, and taking it back when the container does not come to be.

use std::collections::HashMap;

use super::LaunchError;
use crate::cgroup::{Cgroup, Description, Made, Unit};
use crate::plan::ContainerPlan;
use crate::trace::{self, Effect};

/// A cgroup that is emptied and removed when this is dropped, unless it was kept.
#[derive(Debug)]
pub(crate) struct Placement {
    cgroup: Option<Cgroup>,
    made: Made,
    unit: Option<(Unit, Description)>,
}

impl Placement {
    /// Makes the cgroup; one that systemd is to make is only described.
    ///
    /// Returns what the user should know as well.
    pub(crate) fn prepare(
        plan: &ContainerPlan,
        annotations: Option<&HashMap<String, String>>,
    ) -> Result<(Self, Vec<String>), LaunchError> {
        let none = HashMap::new();
        if let Some(unit) = &plan.unit {
            let description = unit.describe(Some(&plan.resources), annotations.unwrap_or(&none))?;
            // Nothing is to be taken back until there is a process to make a unit around.
            let placement = Self { cgroup: None, made: Made::default(), unit: Some((unit.clone(), description)) };
            return Ok((placement, Vec::new()));
        }
        let made = plan.cgroup.create()?;
        let warnings = made.warning().into_iter().collect();
        Ok((Self { cgroup: Some(plan.cgroup.clone()), made, unit: None }, warnings))
    }

    /// Limits the cgroup that [`prepare`](Self::prepare) made, while init sets itself up in there: nothing of the
    /// container runs yet, and the check of a device filter alone takes the kernel as long as half of the mounts.
    pub(crate) fn limit(&self, plan: &ContainerPlan) -> Result<Vec<String>, LaunchError> {
        if self.unit.is_some() {
            return Ok(Vec::new());
        }
        let mut resources = plan.resources.clone();
        if plan.devices_implied && !plan.cgroup.can_restrict_devices(&self.made) {
            // Nobody asked for rules: what everybody may do without cgroups is what this container may.
            resources.set_devices(None);
        }
        Ok(plan.cgroup.limit(&resources, &self.made)?)
    }

    /// Lets systemd make the cgroup around `pid`, which waits; does nothing where there is one already.
    pub(crate) fn settle(&mut self, pid: i32) -> Result<Vec<String>, LaunchError> {
        let Some((unit, description)) = &self.unit else { return Ok(Vec::new()) };
        self.cgroup = Some(unit.cgroup().clone());
        let effect = || Effect::StartUnit { unit: unit.name().to_owned(), pid };
        Ok(trace::step(effect, || unit.start(pid, description))?)
    }

    /// Lets the cgroup live on.
    pub(crate) fn keep(mut self) {
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
