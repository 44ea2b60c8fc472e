//! Other limits and another restart policy for a container that is there. Runs in the command.
//!
//! What the kernel refuses is not recorded: its limits are changed first. Killed in between, the container has the new limits
//! until its next start. Its monitor reads the specification again when it has to decide about a restart.

use lighter_runtime::cgroup::CgroupError;

use crate::create::LEAST_MEMORY;
use crate::durable::{self, FileError};
use crate::events::Event;
use crate::oci::{self, ConfigError};
use crate::spec::{ContainerSpec, Resources, RestartPolicy};
use crate::{Container, Engine, ephemeral};

/// What is to be changed; the rest stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerUpdate {
    /// Limits.
    pub resources: Resources,
    /// Restart policy.
    pub restart: Option<RestartPolicy>,
}

/// Why a container was not changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// Memory and swap together are more than memory alone.
    #[error(
        "update container `{name}`: the limit of memory ({memory} bytes) is above that of memory and swap together ({swap}): change both"
    )]
    Swap {
        /// The container.
        name: String,
        /// Limit of memory in bytes.
        memory: u64,
        /// Limit of both in bytes.
        swap: i64,
    },
    /// So little memory that nothing can run in it.
    #[error("update container `{name}`: a memory limit of {memory} bytes: the least is 6 MiB ({LEAST_MEMORY})")]
    Memory {
        /// The container.
        name: String,
        /// Limit of memory in bytes.
        memory: u64,
    },
    /// It is removed when it ends.
    #[error("update container `{0}`: it is removed when it ends, so it cannot be restarted")]
    AutoRemove(String),
    /// It has been removed meanwhile.
    #[error("no such container `{0}`")]
    Gone(String),
    /// A limit cannot be written down.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The kernel refused.
    #[error("update container `{name}`")]
    Cgroup {
        /// The container.
        name: String,
        /// Why.
        #[source]
        source: Box<CgroupError>,
    },
    /// A record could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Engine {
    /// Changes a container, at once if it runs; returns what the user should know.
    ///
    /// # Errors
    /// [`UpdateError`]; then the record is as it was.
    pub fn update(&self, container: &Container, update: &ContainerUpdate) -> Result<Vec<String>, UpdateError> {
        let name = &container.spec.name;
        let _lock = self.lock_container(&container.id)?;
        let path = container.paths.spec();
        let old = durable::read_json::<ContainerSpec>(&path)?.ok_or_else(|| UpdateError::Gone(name.clone()))?;
        let spec = ContainerSpec {
            resources: merged(&old.resources, &update.resources),
            restart: update.restart.unwrap_or(old.restart),
            ..old.clone()
        };
        check(&spec)?;
        let mut warnings = Vec::new();
        if spec.resources != old.resources
            && self.load_state(&container.id)?.has_init()
            && let Some(cgroup) = self.cgroup_of(&container.id)
        {
            let failed = |source| UpdateError::Cgroup { name: name.clone(), source: Box::new(source) };
            warnings = cgroup.update(&oci::limits(&spec.resources)?).map_err(failed)?;
        }
        ephemeral::rewrite(&container.paths, &spec)?;
        self.tell(Event::of_container("update", &container.id, &spec));
        Ok(warnings)
    }

    /// Does `f`, meanwhile the container's end does not remove it, even if it is to be removed at its end.
    ///
    /// # Errors
    /// [`UpdateError::File`]. Killed in between, the container stays when it has ended.
    pub fn keeping<T>(&self, container: &Container, f: impl FnOnce() -> T) -> Result<T, UpdateError> {
        if !container.spec.auto_remove {
            return Ok(f());
        }
        self.set_auto_remove(container, false)?;
        let done = f();
        self.set_auto_remove(container, true)?;
        Ok(done)
    }

    fn set_auto_remove(&self, container: &Container, auto_remove: bool) -> Result<(), FileError> {
        let _lock = self.lock_container(&container.id)?;
        match durable::read_json::<ContainerSpec>(&container.paths.spec())? {
            Some(spec) => ephemeral::rewrite(&container.paths, &ContainerSpec { auto_remove, ..spec }),
            None => Ok(()), // it is gone
        }
    }
}

fn merged(old: &Resources, new: &Resources) -> Resources {
    // A number of CPUs and a quota say the same in two ways: the last word counts.
    let (by_number, by_quota) = (new.nano_cpus.is_some(), new.cpu_period.is_some() || new.cpu_quota.is_some());
    Resources {
        memory: new.memory.or(old.memory),
        memory_swap: new.memory_swap.or(old.memory_swap),
        memory_reservation: new.memory_reservation.or(old.memory_reservation),
        nano_cpus: new.nano_cpus.or(old.nano_cpus.filter(|_| !by_quota)),
        cpu_shares: new.cpu_shares.or(old.cpu_shares),
        cpu_period: new.cpu_period.or(old.cpu_period.filter(|_| !by_number)),
        cpu_quota: new.cpu_quota.or(old.cpu_quota.filter(|_| !by_number)),
        cpuset_cpus: new.cpuset_cpus.clone().or_else(|| old.cpuset_cpus.clone()),
        cpuset_mems: new.cpuset_mems.clone().or_else(|| old.cpuset_mems.clone()),
        pids: new.pids.or(old.pids),
        blkio_weight: new.blkio_weight.or(old.blkio_weight),
        ..old.clone()
    }
}

fn check(spec: &ContainerSpec) -> Result<(), UpdateError> {
    let (name, limits) = (spec.name.clone(), &spec.resources);
    if let (Some(memory), Some(swap @ 0..)) = (limits.memory, limits.memory_swap)
        && memory > swap.unsigned_abs()
    {
        return Err(UpdateError::Swap { name, memory, swap });
    }
    if let Some(memory) = limits.memory.filter(|memory| *memory < LEAST_MEMORY) {
        return Err(UpdateError::Memory { name, memory });
    }
    if spec.auto_remove && spec.restart != RestartPolicy::No {
        return Err(UpdateError::AutoRemove(name));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_stays_and_cpus_take_the_place_of_a_quota() {
        let old = Resources { memory: Some(1 << 20), cpu_quota: Some(5000), pids: Some(7), ..Resources::default() };
        let new = Resources { nano_cpus: Some(2), pids: Some(-1), ..Resources::default() };
        let expected = Resources { memory: Some(1 << 20), nano_cpus: Some(2), pids: Some(-1), ..Resources::default() };
        assert_eq!(merged(&old, &new), expected);
    }
}
