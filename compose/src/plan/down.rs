//! `down`: back to nothing.
//!
//! Pure. Works from labels, so the file may be gone; with the file, containers of services that are not in it stay unless
//! asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lighter_engine::{Mount, MountKind};

use super::objects::reference;
use super::replicas::is_on;
use super::{Op, Plan, StepId, Why};
use crate::graph;
use crate::model::Project;
use crate::observe::{Observed, ObservedContainer};

/// How `down` differs from the usual.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DownOptions {
    /// The services meant, with what none of the others has; empty is the whole project.
    pub services: Vec<String>,
    /// `-v`: named and anonymous volumes too.
    pub volumes: bool,
    /// `--remove-orphans`: containers whose services are not in the file, too.
    pub remove_orphans: bool,
    /// `--timeout`: instead of each container's own.
    pub timeout: Option<Duration>,
}

/// Plans `down`. Without `project`, everything with the project's label is meant.
pub fn down(project: Option<&Project>, observed: &Observed, options: &DownOptions) -> Plan {
    let mut plan = Plan::default();
    let is_known = |name: &str| {
        project.is_none_or(|project| project.services.contains_key(name) || project.disabled.iter().any(|d| d == name))
    };
    let is_meant = |container: &&ObservedContainer| {
        let named = options.services.is_empty() || options.services.contains(&container.service);
        named && (options.remove_orphans || is_known(&container.service))
    };
    let meant: Vec<_> = observed.containers.iter().filter(is_meant).collect();
    let (stopped, deleted) = containers(&meant, options, &mut plan);
    // Of the services that were named goes what no other container has; of a project, all: what is in use stays by itself.
    let has_stayed = |container: &&ObservedContainer| !options.services.is_empty() && !is_meant(container);
    let staying: Vec<_> = observed.containers.iter().filter(has_stayed).collect();
    networks(observed, &staying, &stopped, &mut plan);
    let all_gone = meant.len() == observed.containers.len();
    if let Some(folder) = observed.content.clone().filter(|_| all_gone) {
        plan.push(Op::DeleteFiles(folder), Why::Asked, deleted.clone());
    }
    if options.volumes {
        volumes(project, observed, (&staying, &deleted), &mut plan);
    }
    plan
}

/// Adds stop and deletion of the containers, dependents first; returns the stops and the deletions.
fn containers(meant: &[&ObservedContainer], options: &DownOptions, plan: &mut Plan) -> (Vec<StepId>, Vec<StepId>) {
    let mut stopped: BTreeMap<&str, Vec<StepId>> = BTreeMap::new();
    let mut deleted = Vec::new();
    for service in stop_order(meant) {
        let dependents = meant.iter().filter(|other| other.depends_on.contains_key(&service));
        let after: Vec<StepId> =
            dependents.filter_map(|other| stopped.get(other.service.as_str())).flatten().copied().collect();
        for container in meant.iter().filter(|container| container.service == service) {
            let mut before = after.clone();
            if container.status.is_active() {
                let stop = Op::Stop { container: reference(container), grace: options.timeout };
                before = vec![plan.push(stop, Why::Asked, before)];
                stopped.entry(&container.service).or_default().extend(&before);
            }
            let delete = Op::Delete { container: reference(container), volumes: options.volumes };
            deleted.push(plan.push(delete, Why::Asked, before));
        }
    }
    let mut stopped: Vec<StepId> = stopped.into_values().flatten().collect();
    stopped.sort_unstable();
    (stopped, deleted)
}

/// Returns the services in the order in which they are stopped: each before what it depends on.
pub(super) fn stop_order(containers: &[&ObservedContainer]) -> Vec<String> {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for container in containers {
        edges.entry(container.service.clone()).or_default().extend(container.depends_on.keys().cloned());
    }
    let mut order = graph::order(&edges);
    order.reverse();
    order
}

/// Adds the deletion of the networks: nobody is on one once the containers have stopped, and the files of those go meanwhile.
fn networks(observed: &Observed, staying: &[&ObservedContainer], stopped: &[StepId], plan: &mut Plan) {
    let own = observed.networks.values().filter(|network| network.project.as_ref() == Some(&observed.project));
    for network in own.filter(|network| !staying.iter().any(|container| is_on(container, &network.name))) {
        let delete = Op::DeleteNetwork { name: network.name.clone(), id: network.id.clone() };
        plan.push(delete, Why::Asked, stopped.to_vec());
    }
}

fn volumes(
    project: Option<&Project>,
    observed: &Observed,
    (staying, deleted): (&[&ObservedContainer], &[StepId]),
    plan: &mut Plan,
) {
    let is_external = |name: &str| {
        project.is_some_and(|project| project.volumes.values().any(|volume| volume.external && volume.name == name))
    };
    let own = observed.volumes.values().filter(|volume| volume.project.as_ref() == Some(&observed.project));
    let is_free = |name: &str| !staying.iter().any(|container| mounts(container, name));
    for volume in own.filter(|volume| !is_external(&volume.name) && is_free(&volume.name)) {
        plan.push(Op::DeleteVolume { name: volume.name.clone() }, Why::Asked, deleted.to_vec());
    }
}

fn mounts(container: &ObservedContainer, volume: &str) -> bool {
    let is_it = |mount: &Mount| matches!(&mount.kind, MountKind::Volume { name, .. } if name == volume);
    container.spec.mounts.iter().any(is_it)
}
