//! A container's cgroup as a unit of systemd.
//!
//! Used only when the caller asks for it: systemd is then the one that makes and removes the cgroup, and other
//! tools see the container as a unit. The limits are told to systemd as far as it knows them, and written to
//! the files as they are, as without it.
//!
//! ```text
//! Unit::plan ─▶ describe ─(clone; the child waits)─▶ start ─(the child goes on)─▶ update … ─▶ stop
//! ```

mod annotation;
mod bus;
mod properties;
mod unit;

use std::collections::HashMap;

use oci_spec::runtime::LinuxResources;
use serde::{Deserialize, Serialize};

pub use bus::BusError;
use bus::{Connection, Value};
use properties::Properties;
use unit::UnitName;

use super::{Cgroup, CgroupError, limits};

/// Who makes a container's cgroup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Driver {
    /// We, by mkdir(2).
    #[default]
    Cgroupfs,
    /// systemd, as a unit.
    Systemd,
}

/// The unit of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    name: UnitName,
    cgroup: Cgroup,
}

/// What a unit shall be, checked.
#[derive(Clone, Debug)]
pub struct Description {
    properties: Properties,
    resources: LinuxResources,
}

impl Unit {
    /// Plans the unit that `linux.cgroupsPath` names as `slice:prefix:name`; without it,
    /// `lighter-ID.scope` in `system.slice`.
    ///
    /// # Errors
    /// [`CgroupError::Refused`] for a path of another form, and where systemd is not pid 1.
    pub fn plan(cgroups_path: Option<&str>, id: &str) -> Result<Self, CgroupError> {
        let name = UnitName::read(cgroups_path, id)?;
        let absent = || CgroupError::Refused {
            key: "linux.cgroupsPath".to_owned(),
            why: "the systemd cgroup driver was asked for, and systemd is not pid 1 here".to_owned(),
        };
        // sd_booted(3)
        let is_booted = std::path::Path::new("/run/systemd/system").is_dir();
        let root = std::fs::read_to_string("/proc/1/cgroup").ok().and_then(|cgroup| unit::root(&cgroup));
        let root = root.filter(|_| is_booted).ok_or_else(absent)?;
        let cgroup = Cgroup::open(&format!("{root}/{}", name.path()))?;
        Ok(Self { name, cgroup })
    }

    /// Names the unit whose cgroup is `cgroup`, which [`plan`](Self::plan) once gave.
    #[must_use]
    pub fn of(cgroup: &Cgroup) -> Self {
        let mut levels = cgroup.path().rsplit('/');
        let name = levels.next().unwrap_or_default().to_owned();
        let slice = levels.next().filter(|level| level.ends_with(".slice")).unwrap_or("-.slice").to_owned();
        Self { name: UnitName { name, slice }, cgroup: cgroup.clone() }
    }

    /// Returns the unit's name: `lighter-web.scope`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name.name
    }

    /// Returns the unit's cgroup.
    #[must_use]
    pub fn cgroup(&self) -> &Cgroup {
        &self.cgroup
    }

    /// Describes the unit to systemd: its place, its limits, and what annotations
    /// `org.systemd.property.NAME` add to that, or replace.
    ///
    /// # Errors
    /// [`CgroupError::Refused`] for a limit or an annotation that is none; nothing has been asked of systemd then.
    pub fn describe(
        &self,
        resources: Option<&LinuxResources>,
        annotations: &HashMap<String, String>,
    ) -> Result<Description, CgroupError> {
        let mut properties = Properties::default();
        properties.set("Description", Value::Str(format!("lighter container {}", self.name())));
        if self.name.is_slice() {
            properties.set("Wants", Value::Array("s", vec![Value::str(&*self.name.slice)]));
        } else {
            properties.set("Slice", Value::str(&*self.name.slice));
            // What is below is ours to change, and no process of a container is systemd's to move.
            properties.set("Delegate", Value::Bool(true));
        }
        let io = if limits::is_unified() { "IOAccounting" } else { "BlockIOAccounting" };
        for accounting in ["CPUAccounting", "MemoryAccounting", io, "TasksAccounting"] {
            properties.set(accounting, Value::Bool(true));
        }
        // Else the unit would be stopped before what it needs at shutdown.
        properties.set("DefaultDependencies", Value::Bool(false));
        if let Some(resources) = resources {
            properties.0.extend(properties::of_limits(&limits::steps(&self.cgroup, resources)?).0);
        }
        let mut annotations: Vec<_> = annotations.iter().collect();
        annotations.sort_unstable();
        for (key, text) in annotations {
            if let Some((name, value)) = annotation::read(key, text)? {
                properties.set(&name, value);
            }
        }
        Ok(Description { properties, resources: resources.cloned().unwrap_or_default() })
    }

    /// Lets systemd make the unit around process `pid`, makes what systemd does not (the cgroups of version 1
    /// controllers it does not use), and writes the limits.
    ///
    /// The process must wait meanwhile: before, it is in the caller's cgroup; after, in the unit's, everywhere.
    /// Returns what the user should know, as [`Cgroup::update`] does.
    ///
    /// # Errors
    /// [`CgroupError::Systemd`] for what systemd refuses, else as [`Cgroup::update`]. No unit is left then; the
    /// process is killed with it.
    pub fn start(&self, pid: i32, description: &Description) -> Result<Vec<String>, CgroupError> {
        let Description { properties, resources } = description;
        let started = Connection::open().and_then(|mut systemd| self.ask_to_start(&mut systemd, pid, properties));
        started.map_err(|source| self.failed("start", source))?;
        self.cgroup.complete(pid).and_then(|made| self.cgroup.limit(resources, &made)).inspect_err(|_| {
            // The failure that led here is the one to report.
            let _left = self.stop();
        })
    }

    fn ask_to_start(&self, systemd: &mut Connection, pid: i32, properties: &Properties) -> Result<(), BusError> {
        let version = if properties.depend_on_version() { systemd.version()? } else { 0 };
        let mut properties = properties.clone();
        if !self.name.is_slice() {
            properties.set("PIDs", Value::Array("u", vec![Value::U32(pid.cast_unsigned())]));
        }
        let properties = properties.for_version(version);
        let arguments = [Value::str(self.name()), Value::str("replace"), properties, Value::Array("(sa(sv))", vec![])];
        let mut result = systemd.job("StartTransientUnit", &arguments);
        if result.as_ref().is_err_and(|error| error.is(".UnitExists")) {
            if self.name.is_slice() {
                return Ok(());
            }
            // One that failed stays until somebody has seen it.
            self.forget(systemd);
            result = systemd.job("StartTransientUnit", &arguments);
        }
        if let Err(BusError::Job(_)) = &result {
            self.forget(systemd);
        }
        result
    }

    /// Changes the limits: what systemd knows of them, then the files.
    ///
    /// Returns what the user should know, as [`Cgroup::update`] does.
    ///
    /// # Errors
    /// As [`Cgroup::update`], and [`CgroupError::Systemd`].
    pub fn update(&self, resources: &LinuxResources) -> Result<Vec<String>, CgroupError> {
        let properties = properties::of_limits(&limits::steps(&self.cgroup, resources)?);
        if !properties.0.is_empty() {
            let told = Connection::open().and_then(|mut systemd| {
                let version = if properties.depend_on_version() { systemd.version()? } else { 0 };
                // Until the next boot, as everything of a transient unit.
                let arguments = [Value::str(self.name()), Value::Bool(true), properties.for_version(version)];
                systemd.manager("SetUnitProperties", &arguments)
            });
            told.map_err(|source| self.failed("change", source))?;
        }
        self.cgroup.update(resources)
    }

    /// Stops the unit, with every process in it, and removes its cgroups; returns when they are gone.
    ///
    /// A unit that is gone counts as stopped.
    ///
    /// # Errors
    /// [`CgroupError::Systemd`] and [`CgroupError::Delete`].
    pub fn stop(&self) -> Result<(), CgroupError> {
        // systemd would ask first, by SIGTERM, which pid 1 of a container does not hear, and wait 90 s.
        let _stopped_anyway = self.cgroup.kill_all();
        let stopped = Connection::open().and_then(|mut systemd| {
            let result = systemd.job("StopUnit", &[Value::str(self.name()), Value::str("replace")]);
            self.forget(&mut systemd);
            match result {
                Err(error) if error.is(".NoSuchUnit") => Ok(()),
                result => result,
            }
        });
        // What systemd did not make it does not remove.
        let deleted = self.cgroup.delete();
        stopped.map_err(|source| self.failed("stop", source)).and(deleted)
    }

    /// Lets systemd forget that the unit failed, if it did.
    fn forget(&self, systemd: &mut Connection) {
        let _not_failed = systemd.manager("ResetFailedUnit", &[Value::str(self.name())]);
    }

    fn failed(&self, act: &'static str, source: BusError) -> CgroupError {
        CgroupError::Systemd { act, unit: self.name().to_owned(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(path: &str) -> Unit {
        let name = UnitName::read(Some(path), "id").unwrap();
        let cgroup = Cgroup::open(&format!("/{}", name.path())).unwrap();
        Unit { name, cgroup }
    }

    fn described(unit: &Unit, annotations: &[(&str, &str)]) -> Vec<(String, Value)> {
        let annotations = annotations.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        let description = unit.describe(None, &annotations).unwrap();
        description.properties.0.into_iter().map(|property| (property.name, property.value)).collect()
    }

    #[test]
    fn a_scope_is_in_its_slice_and_delegated() {
        let properties =
            described(&unit("a-b.slice:p:n"), &[("org.systemd.property.CollectMode", "'inactive-or-failed'")]);
        let has = |name: &str, value: Value| properties.contains(&(name.to_owned(), value));
        assert!(has("Slice", Value::str("a-b.slice")), "{properties:?}");
        assert!(has("Delegate", Value::Bool(true)), "{properties:?}");
        assert!(has("MemoryAccounting", Value::Bool(true)), "{properties:?}");
        let last = ("CollectMode".to_owned(), Value::str("inactive-or-failed"));
        assert_eq!(properties.last(), Some(&last), "an annotation has the last word");
    }

    #[test]
    fn a_slice_wants_the_one_above() {
        let properties = described(&unit("a.slice:p:a-b.slice"), &[]);
        let wants = ("Wants".to_owned(), Value::Array("s", vec![Value::str("a.slice")]));
        assert!(
            properties.contains(&wants) && properties.iter().all(|(name, _)| name != "Slice" && name != "Delegate")
        );
    }

    #[test]
    fn a_unit_is_found_by_its_cgroup() {
        for path in ["a-b.slice:p:n", "-:p:n", ":p:n"] {
            let unit = unit(path);
            assert_eq!(Unit::of(unit.cgroup()), unit);
        }
    }

    #[test]
    fn where_systemd_is_not_pid_1_it_is_refused_by_name() {
        if std::path::Path::new("/run/systemd/system").is_dir() {
            return;
        }
        let error = Unit::plan(Some("system.slice:p:n"), "id").unwrap_err().to_string();
        assert!(error.contains("systemd is not pid 1"), "{error}");
    }
}
