//! What of a project is on the host: plain values for the plan.
//!
//! Runs in the command; reads the engine's records, changes nothing and takes no lock. Everything is found by labels, so a
//! project can be observed without its file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lighter_engine::netns::NetworkError;
use lighter_engine::{Container, ContainerSpec, Engine, FileError, HealthStatus, Status};

use crate::model::{Condition, Dependency};
use crate::names;

/// A container of the project.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedContainer {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its service.
    pub service: String,
    /// Its number among the replicas; 0 for a one-off.
    pub number: u32,
    /// Whether it was made by `run`, outside of the replicas.
    pub oneoff: bool,
    /// Hash of the configuration it was made from.
    pub config_hash: String,
    /// What it is doing.
    pub status: Status,
    /// How well it is; [`None`] without a health check or when it does not run.
    pub health: Option<HealthStatus>,
    /// How it last ended.
    pub exit_code: Option<i32>,
    /// What its service waited for.
    pub depends_on: BTreeMap<String, Dependency>,
    /// What it was made from.
    pub spec: ContainerSpec,
}

/// A network of the project, or of the name of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedNetwork {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The project it belongs to, if to any.
    pub project: Option<String>,
    /// Hash of the configuration it was made from.
    pub config_hash: Option<String>,
}

/// A volume of the project, or of the name of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedVolume {
    /// Its name.
    pub name: String,
    /// The project it belongs to, if to any.
    pub project: Option<String>,
    /// Hash of the configuration it was made from.
    pub config_hash: Option<String>,
}

/// What there is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// The name of the project.
    pub project: String,
    /// Its containers, by service and number.
    pub containers: Vec<ObservedContainer>,
    /// All networks of the host, by name.
    pub networks: BTreeMap<String, ObservedNetwork>,
    /// All volumes of the host, by name.
    pub volumes: BTreeMap<String, ObservedVolume>,
    /// The folder with the content of its configs and secrets, if there is one.
    pub content: Option<PathBuf>,
}

/// Why the host could not be observed.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// Containers or volumes could not be read.
    #[error(transparent)]
    Records(#[from] FileError),
    /// Networks could not be read.
    #[error(transparent)]
    Networks(#[from] NetworkError),
}

impl Observed {
    /// Returns the replicas of a service, by number.
    pub fn replicas<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a ObservedContainer> {
        self.containers.iter().filter(move |container| container.service == service && !container.oneoff)
    }
}

/// Looks at the containers of `project` and at all networks and volumes.
///
/// # Errors
/// A record that cannot be read.
pub fn observe(project: &str, engine: &Engine) -> Result<Observed, ObserveError> {
    let containers =
        engine.containers()?.into_iter().filter(|container| container.label(names::PROJECT) == Some(project));
    let mut containers: Vec<_> = containers.map(observed).collect();
    containers
        .sort_by(|a, b| (&a.service, a.oneoff, a.number, &a.name).cmp(&(&b.service, b.oneoff, b.number, &b.name)));
    let label = |labels: &BTreeMap<String, String>, name: &str| labels.get(name).cloned();
    let networks = engine.net().networks()?.into_iter().map(|network| {
        let observed = ObservedNetwork {
            project: label(&network.labels, names::PROJECT),
            config_hash: label(&network.labels, names::CONFIG_HASH),
            id: network.id,
            name: network.name.clone(),
        };
        (network.name, observed)
    });
    let volumes = engine.volumes()?.into_iter().map(|volume| {
        let observed = ObservedVolume {
            project: label(&volume.labels, names::PROJECT),
            config_hash: label(&volume.labels, names::CONFIG_HASH),
            name: volume.name.clone(),
        };
        (volume.name, observed)
    });
    Ok(Observed {
        project: project.to_owned(),
        containers,
        networks: networks.collect(),
        volumes: volumes.collect(),
        content: Some(content_root(engine).join(project)).filter(|folder| folder.is_dir()),
    })
}

/// Returns the folder below which projects keep the content of their configs and secrets.
pub fn content_root(engine: &Engine) -> PathBuf {
    engine.layout().root().join("projects")
}

fn observed(container: Container) -> ObservedContainer {
    let label = |name: &str| container.label(name).unwrap_or_default().to_owned();
    ObservedContainer {
        name: container.spec.name.clone(),
        service: label(names::SERVICE),
        number: label(names::CONTAINER_NUMBER).parse().unwrap_or(0),
        oneoff: label(names::ONEOFF).eq_ignore_ascii_case("true"),
        config_hash: label(names::CONFIG_HASH),
        status: container.state.status,
        health: container.health.as_ref().map(|health| health.status),
        exit_code: container.state.exit_code,
        depends_on: read_depends_on(&label(names::DEPENDS_ON)),
        id: container.id,
        spec: container.spec,
    }
}

/// Writes dependencies into a label: `db:service_healthy:false,cache:service_started:true`, as Docker Compose does.
pub(crate) fn write_depends_on(dependencies: &BTreeMap<String, Dependency>) -> String {
    let one = |(name, dependency): (&String, &Dependency)| {
        format!("{name}:{}:{}", dependency.condition.word(), dependency.restart)
    };
    dependencies.iter().map(one).collect::<Vec<_>>().join(",")
}

/// Reads dependencies out of a label; what cannot be read is passed over, for it only gives an order.
fn read_depends_on(label: &str) -> BTreeMap<String, Dependency> {
    let one = |text: &str| {
        let mut parts = text.split(':');
        let name = parts.next().filter(|name| !name.is_empty())?.to_owned();
        let condition = parts.next().and_then(Condition::from_word).unwrap_or(Condition::Started);
        let restart = parts.next() == Some("true");
        Some((name, Dependency { condition, required: true, restart }))
    };
    label.split(',').filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_survive_their_label() {
        let label = "cache:service_started:true,db:service_healthy:false";
        assert_eq!(write_depends_on(&read_depends_on(label)), label);
        assert_eq!(read_depends_on(""), BTreeMap::new());
        assert_eq!(read_depends_on("db").len(), 1);
    }
}
