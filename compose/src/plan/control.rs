//! `start`, `stop`, `restart`, `kill`, `rm`: the containers that are there, nothing else.
//!
//! Pure. The order comes from the labels of the containers, so these work without a file.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::down::stop_order;
use super::objects::reference;
use super::{Condition, Op, Plan, Step, StepId, Why};
use crate::model;
use crate::observe::{Observed, ObservedContainer};

/// Returns the replicas of the named services, or all of them.
fn meant<'a>(observed: &'a Observed, services: &[String]) -> Vec<&'a ObservedContainer> {
    let named = |container: &&ObservedContainer| services.is_empty() || services.contains(&container.service);
    observed.containers.iter().filter(|container| !container.oneoff).filter(named).collect()
}

/// Plans `stop`: dependents before what they depend on.
pub fn stop(observed: &Observed, services: &[String], timeout: Option<Duration>) -> Plan {
    let mut plan = Plan::default();
    stop_all(&meant(observed, services), timeout, &mut plan);
    plan
}

/// Adds the stops; returns them by service.
fn stop_all(
    containers: &[&ObservedContainer],
    timeout: Option<Duration>,
    plan: &mut Plan,
) -> BTreeMap<String, Vec<StepId>> {
    let mut stopped: BTreeMap<String, Vec<StepId>> = BTreeMap::new();
    for service in stop_order(containers) {
        let dependents = containers.iter().filter(|other| other.depends_on.contains_key(&service));
        let after: Vec<StepId> =
            dependents.filter_map(|other| stopped.get(&other.service)).flatten().copied().collect();
        let active = containers.iter().filter(|container| container.service == service && container.status.is_active());
        for container in active {
            let stop = Op::Stop { container: reference(container), grace: timeout };
            let step = plan.push(stop, Why::Asked, after.clone());
            stopped.entry(service.clone()).or_default().push(step);
        }
    }
    stopped
}

/// Plans `start`: each service after what it depends on, with its conditions.
pub fn start(observed: &Observed, services: &[String]) -> Plan {
    let mut plan = Plan::default();
    let containers = meant(observed, services);
    let idle = |container: &ObservedContainer| !container.status.is_active();
    start_all(&containers, idle, &BTreeMap::new(), &mut plan);
    plan
}

/// Adds that what is meant runs, or is healthy where it has a health check.
pub fn wait_for_started(observed: &Observed, services: &[String], plan: &mut Plan) {
    for container in meant(observed, services) {
        let is_start = |step: &Step| step.op == Op::Start(reference(container));
        let started = plan.steps.iter().position(is_start);
        let condition = if container.spec.health.is_some() { Condition::Healthy } else { Condition::Running };
        let wait = Op::Wait { container: reference(container), condition, required: true };
        plan.push(wait, Why::Asked, started.into_iter().collect());
    }
}

/// Plans the start of these containers after a reboot: each after what it depends on, as far as that runs or starts too.
pub fn boot(observed: &Observed, ids: &BTreeSet<String>) -> Plan {
    let mut plan = Plan::default();
    let mut containers = meant(observed, &[]);
    containers.retain(|container| container.status.is_active() || ids.contains(&container.id));
    start_all(&containers, |container| ids.contains(&container.id), &BTreeMap::new(), &mut plan);
    plan
}

/// Adds the starts of those containers that `chosen` takes, after the stops of their services.
fn start_all(
    containers: &[&ObservedContainer],
    chosen: impl Fn(&ObservedContainer) -> bool,
    stopped: &BTreeMap<String, Vec<StepId>>,
    plan: &mut Plan,
) {
    let mut order = stop_order(containers);
    order.reverse();
    let mut started: BTreeMap<String, StepId> = BTreeMap::new();
    for service in order {
        let replicas = containers.iter().filter(|container| container.service == service);
        for container in replicas.filter(|container| chosen(container)) {
            let mut after = stopped.get(&service).cloned().unwrap_or_default();
            for (name, dependency) in &container.depends_on {
                for other in containers.iter().filter(|other| other.service == *name) {
                    after.extend(wait(other, dependency.condition, &service, started.get(&other.id).copied(), plan));
                }
            }
            let step = plan.push(Op::Start(reference(container)), Why::Asked, after);
            started.insert(container.id.clone(), step);
        }
    }
}

/// Adds the wait for a dependency; one that has only to be started is waited for by its start.
fn wait(
    container: &ObservedContainer,
    condition: model::Condition,
    for_whom: &str,
    started: Option<StepId>,
    plan: &mut Plan,
) -> Option<StepId> {
    let condition = match condition {
        model::Condition::Started => return started,
        model::Condition::Healthy => Condition::Healthy,
        model::Condition::CompletedSuccessfully => Condition::Completed,
    };
    let op = Op::Wait { container: reference(container), condition, required: true };
    let there = plan.steps.iter().position(|step| step.op == op);
    there.or_else(|| Some(plan.push(op, Why::Needed(vec![for_whom.to_owned()]), started.into_iter().collect())))
}

/// Plans `restart`: everything meant is stopped, dependents first, and started again in order; with `dependents`, also
/// the services that want to be restarted with one of them, and so on.
pub fn restart(observed: &Observed, services: &[String], timeout: Option<Duration>, dependents: bool) -> Plan {
    let mut plan = Plan::default();
    let named = if dependents { with_dependents(observed, services) } else { services.to_vec() };
    let containers = meant(observed, &named);
    let stopped = stop_all(&containers, timeout, &mut plan);
    start_all(&containers, |_| true, &stopped, &mut plan);
    plan
}

/// Returns these services, and those that run and want to be restarted with one of them or with one of those.
fn with_dependents(observed: &Observed, services: &[String]) -> Vec<String> {
    let mut all = services.to_vec();
    let mut seen = 0;
    while let Some(name) = all.get(seen).cloned() {
        let follows = |container: &&ObservedContainer| {
            let restarts = container.depends_on.get(&name).is_some_and(|dependency| dependency.restart);
            restarts && container.status.is_active() && !all.contains(&container.service)
        };
        let following: BTreeSet<_> =
            observed.containers.iter().filter(follows).map(|container| container.service.clone()).collect();
        all.extend(following);
        seen += 1;
    }
    all
}

/// Plans `kill`.
pub fn kill(observed: &Observed, services: &[String], signal: i32) -> Plan {
    let mut plan = Plan::default();
    for container in meant(observed, services).into_iter().filter(|container| container.status.is_active()) {
        plan.push(Op::Kill { container: reference(container), signal }, Why::Asked, Vec::new());
    }
    plan
}

/// Plans `rm`: containers that have ended, or with `stop` all of them; one-offs too, as they are of the project.
pub fn rm(observed: &Observed, services: &[String], stop: bool, volumes: bool) -> Plan {
    let mut plan = Plan::default();
    let named = |container: &&ObservedContainer| services.is_empty() || services.contains(&container.service);
    let containers: Vec<_> = observed.containers.iter().filter(named).collect();
    let stopped = if stop { stop_all(&containers, None, &mut plan) } else { BTreeMap::new() };
    for container in containers.iter().filter(|container| stop || !container.status.is_active()) {
        let after = stopped.get(&container.service).cloned().unwrap_or_default();
        plan.push(Op::Delete { container: reference(container), volumes }, Why::Asked, after);
    }
    plan
}
