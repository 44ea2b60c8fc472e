//! What a plan of limits consists of: values for files, each with the configuration key that asks for it.
//!
//! *Pure.*

/// The two interfaces of a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cgroup) enum Version {
    /// A hierarchy of its own, or shared with a few (cgroup-v1).
    V1,
    /// The one hierarchy of all (cgroup-v2).
    V2,
}

/// One value for one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cgroup) struct Write {
    /// The key of the runtime configuration: `linux.resources.memory.limit`.
    pub(in crate::cgroup) key: String,
    /// The controller that has the file.
    pub(in crate::cgroup) controller: &'static str,
    /// Its interface.
    pub(in crate::cgroup) version: Version,
    /// The file in the directory of the cgroup.
    pub(in crate::cgroup) file: String,
    /// What to write, in one write(2).
    pub(in crate::cgroup) value: String,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cgroup) enum Step {
    /// A write.
    Write(Write),
    /// A write to a file that not every kernel has, beside one that all have.
    Optional(Write),
    /// Values that bound one another: which can go first depends on what stands there.
    InSomeOrder(Vec<Write>),
    /// The same limit in files of which a kernel has one: the first that is there is written.
    FirstOf(Vec<Write>),
    /// A write that is refused when the cgroup uses more already, as the file `usage` tells.
    NotBelow {
        /// The file that tells.
        usage: &'static str,
        /// The write.
        write: Write,
    },
}

impl Step {
    /// Returns all writes of this step.
    pub(in crate::cgroup) fn writes(&self) -> &[Write] {
        match self {
            Self::Write(write) | Self::Optional(write) | Self::NotBelow { write, .. } => std::slice::from_ref(write),
            Self::InSomeOrder(writes) | Self::FirstOf(writes) => writes,
        }
    }

    /// Returns a write of this step: all of a step belong to one key's controller.
    pub(in crate::cgroup) fn first(&self) -> &Write {
        &self.writes()[0]
    }
}

/// A controller of one version, to make writes for.
#[derive(Clone, Copy, Debug)]
pub(in crate::cgroup) struct Target {
    controller: &'static str,
    version: Version,
    /// The object of the configuration: `linux.resources.memory`.
    object: &'static str,
}

impl Target {
    pub(in crate::cgroup) fn v1(controller: &'static str, object: &'static str) -> Self {
        Self { controller, version: Version::V1, object }
    }

    pub(in crate::cgroup) fn v2(controller: &'static str, object: &'static str) -> Self {
        Self { controller, version: Version::V2, object }
    }

    pub(in crate::cgroup) fn key(self, field: &str) -> String {
        format!("{}{field}", self.object)
    }

    /// `field` is what comes after the object: `.limit`, `[0].rate`.
    pub(in crate::cgroup) fn write(self, field: &str, file: impl Into<String>, value: impl ToString) -> Write {
        let (controller, version) = (self.controller, self.version);
        Write { key: self.key(field), controller, version, file: file.into(), value: value.to_string() }
    }

    pub(in crate::cgroup) fn step(self, field: &str, file: impl Into<String>, value: impl ToString) -> Step {
        Step::Write(self.write(field, file, value))
    }
}
