//! The cgroup of a container that is being made, and taking it back when the container does not come to be.

use std::collections::HashMap;

use oci_spec::runtime::LinuxResources;

use super::LaunchError;
use crate::cgroup::{Cgroup, Description, Made, Unit};
use crate::plan::ContainerPlan;
use crate::trace::{self, Effect};

/// A cgroup that is emptied and removed when this is dropped, unless it was kept.
#[derive(Debug)]
pub(crate) struct Placement {
    cgroup: Option<Cgroup>,
    made: Made,
    /// What the cgroup is still to be limited to.
    resources: LinuxResources,
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
            let (made, resources) = (Made::default(), LinuxResources::default());
            let placement = Self { cgroup: None, made, resources, unit: Some((unit.clone(), description)) };
            return Ok((placement, Vec::new()));
        }
        let made = plan.cgroup.create()?;
        let warnings = made.warning().into_iter().collect();
        let mut placement =
            Self { cgroup: Some(plan.cgroup.clone()), made, resources: plan.resources.clone(), unit: None };
        if plan.devices_implied && !plan.cgroup.can_restrict_devices(&placement.made) {
            // Nobody asked for rules: what everybody may do without cgroups is what this container may.
            placement.resources.set_devices(None);
        }
        plan.cgroup.restrict_devices_early(&mut placement.resources, &placement.made)?;
        Ok((placement, warnings))
    }

    /// Limits the cgroup that [`prepare`](Self::prepare) made, while init sets itself up in there: nothing of the
    /// container runs yet, and the check of a device filter alone takes the kernel as long as half of the mounts.
    pub(crate) fn limit(&self) -> Result<Vec<String>, LaunchError> {
        match (&self.cgroup, &self.unit) {
            (Some(cgroup), None) => Ok(cgroup.limit(&self.resources, &self.made)?),
            _ => Ok(Vec::new()),
        }
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
