//! The containers of a project, by their labels: no compose file is needed for what runs already.

use lighter_compose::observe::Observed;
use lighter_engine::{Container, Engine};

use super::config::load_services;
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::verbs::target::{NUMBER, PROJECT, SERVICE};

/// Label of a container made by `compose run`.
pub(super) const ONE_OFF: &str = "com.docker.compose.oneoff";

/// Returns the containers of these services (none = all), sorted by name; a service without any is an error.
pub(crate) fn containers(engine: &Engine, project: &str, services: &[String]) -> Result<Vec<Container>, Failure> {
    let mut containers = engine.containers()?;
    containers
        .retain(|container| container.label(PROJECT) == Some(project) && container.label(ONE_OFF) != Some("True"));
    for service in services {
        if !containers.iter().any(|container| container.label(SERVICE) == Some(service)) {
            return Err(Failure::text(format!("no containers of service `{service}` in project {project}")));
        }
    }
    if !services.is_empty() {
        containers.retain(|container| container.label(SERVICE).is_some_and(|own| services.iter().any(|s| s == own)));
    }
    containers.sort_by_key(|container| (service_of(container).to_owned(), number_of(container)));
    Ok(containers)
}

/// Returns the containers of a service, those made by `compose run` too; none is an error.
pub(crate) fn all_containers(engine: &Engine, project: &str, service: &str) -> Result<Vec<Container>, Failure> {
    let mut found = engine.containers()?;
    found.retain(|one| one.label(PROJECT) == Some(project) && one.label(SERVICE) == Some(service));
    match found.is_empty() {
        true => Err(Failure::text(format!("no containers of service `{service}` in project {project}"))),
        false => Ok(found),
    }
}

/// Checks that each service has containers or is in the project's files, which are read only if one has none.
pub(crate) fn check(
    ctx: &Context,
    project: &ProjectArgs,
    observed: &Observed,
    services: &[String],
) -> Result<(), Failure> {
    let has_none = |service: &&String| observed.containers.iter().all(|container| container.service != **service);
    let absent: Vec<_> = services.iter().filter(has_none).cloned().collect();
    if absent.is_empty() {
        return Ok(());
    }
    let loaded = load_services(ctx, project, &absent).ok();
    let is_known =
        |service: &&String| loaded.as_ref().is_some_and(|loaded| loaded.project.services.contains_key(*service));
    match absent.iter().find(|service| !is_known(service)) {
        Some(service) => Err(Failure::text(format!("no such service `{service}` in project `{}`", observed.project))),
        None => Ok(()),
    }
}

/// Returns the container of a service with this number (1 = the first).
pub(crate) fn replica(engine: &Engine, project: &str, service: &str, index: u32) -> Result<Container, Failure> {
    let found = containers(engine, project, &[service.to_owned()])?;
    let missing = || Failure::text(format!("service `{service}` of project {project} has no container number {index}"));
    if index == 0 {
        return found.into_iter().next().ok_or_else(missing);
    }
    found.into_iter().find(|container| number_of(container) == index).ok_or_else(missing)
}

/// Returns the services that the containers, sorted by them, are of.
pub(crate) fn services(containers: &[Container]) -> Vec<String> {
    let mut services: Vec<_> = containers.iter().map(|container| service_of(container).to_owned()).collect();
    services.dedup();
    services
}

pub(crate) fn service_of(container: &Container) -> &str {
    container.label(SERVICE).unwrap_or_default()
}

pub(crate) fn number_of(container: &Container) -> u32 {
    container.label(NUMBER).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Returns `web-1`: the name without the project.
pub(crate) fn display_name(container: &Container) -> &str {
    let project = container.label(PROJECT).unwrap_or_default();
    let name = container.spec.name.as_str();
    name.strip_prefix(project).and_then(|rest| rest.strip_prefix('-')).unwrap_or(name)
}
