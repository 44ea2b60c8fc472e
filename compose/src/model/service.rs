//! A service: what its containers have in common.

use std::collections::BTreeMap;

use super::{
    Build, Condition, Dependency, FileGrant, Healthcheck, Hooks, Isolation, Logging, Mount, Networking, Port, Process,
    Resources, RestartPolicy, VolumesFrom, WatchRule,
};
use crate::yaml::Node;

pub use lighter_engine::images::pull::PullPolicy;

/// One entry of `services`.
#[derive(Debug, Clone)]
pub struct Service {
    /// The key in the file.
    pub name: String,
    /// A fixed name for its only container.
    pub container_name: Option<String>,
    /// How many containers: `scale`, `deploy.replicas`, else 1.
    pub replicas: u32,
    /// The profiles it belongs to; empty is always.
    pub profiles: Vec<String>,
    /// The image; [`None`] only with `build`, and then [`crate::names::built_image`] is its name.
    pub image: Option<String>,
    /// How to make the image.
    pub build: Option<Build>,
    /// When to pull it.
    pub pull_policy: PullPolicy,
    /// `os[/arch[/variant]]`.
    pub platform: Option<String>,
    /// What it runs.
    pub process: Process,
    /// What it may do.
    pub isolation: Isolation,
    /// What it may use.
    pub resources: Resources,
    /// How it is connected.
    pub networking: Networking,
    /// Published ports.
    pub ports: Vec<Port>,
    /// Ports that are only announced, `80`, `82-84`, `85/udp`.
    pub expose: Vec<String>,
    /// `volumes` and `tmpfs`, each target once.
    pub mounts: Vec<Mount>,
    /// Whose mounts it gets too, in the order of the file.
    pub volumes_from: Vec<VolumesFrom>,
    /// Config files.
    pub configs: Vec<FileGrant>,
    /// Secret files.
    pub secrets: Vec<FileGrant>,
    /// What it waits for, given and implied, by service.
    pub depends_on: BTreeMap<String, Dependency>,
    /// How its health is found out; [`None`] is the image's check.
    pub healthcheck: Option<Healthcheck>,
    /// Commands at the turns of a container's life.
    pub hooks: Hooks,
    /// What happens when a container ends.
    pub restart: RestartPolicy,
    /// Where its output goes.
    pub logging: Logging,
    /// Labels of the user.
    pub labels: BTreeMap<String, String>,
    /// OCI annotations.
    pub annotations: BTreeMap<String, String>,
    /// Whether `up` in the foreground shows its output.
    pub attach: bool,
    /// What happens when files of a developer change.
    pub watch: Vec<WatchRule>,
    /// The canonical mapping this was read from: what is hashed.
    pub(crate) document: Node,
}

impl Service {
    /// Returns whether it waits until the service `name` has ended well.
    pub fn awaits_end_of(&self, name: &str) -> bool {
        self.depends_on.get(name).is_some_and(|dependency| dependency.condition == Condition::CompletedSuccessfully)
    }
}
