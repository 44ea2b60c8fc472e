//! Which containers a name means: a container, or else a service of the project in the current folder.

use lighter_engine::{Container, Engine, FindError};

use crate::context::Context;
use crate::error::Failure;
use crate::ui::Ui;

/// Label of the project a container belongs to.
pub(crate) const PROJECT: &str = "com.docker.compose.project";
/// Label of the service a container belongs to.
pub(crate) const SERVICE: &str = "com.docker.compose.service";
/// Label of the number a replica has.
pub(crate) const NUMBER: &str = "com.docker.compose.container-number";

/// Returns the containers that `name` means; several if it is a service with replicas.
///
/// A service comes before the beginning of an id: `db`, `cache` or `feed` are words that ids can begin with.
pub(crate) fn find(ctx: &Context, engine: &Engine, name: &str) -> Result<Vec<Container>, Failure> {
    match engine.find_whole(name) {
        Err(FindError::NotFound(_)) => {}
        whole => return Ok(vec![whole?]),
    }
    let replicas = replicas(ctx, engine, name)?;
    if !replicas.is_empty() {
        return Ok(replicas);
    }
    match engine.find_abbreviated(name) {
        Err(FindError::NotFound(_)) => Err(no_such(ctx, name)),
        abbreviated => Ok(vec![abbreviated?]),
    }
}

/// Returns the one container that `name` means: of a service, the first replica.
pub(crate) fn find_one(ctx: &Context, engine: &Engine, name: &str) -> Result<Container, Failure> {
    let mut found = find(ctx, engine, name)?;
    Ok(found.remove(0))
}

/// Does something to all of the named containers, and goes on when one fails; a line on stdout for each success.
pub(crate) fn each(
    ctx: &Context,
    engine: &Engine,
    names: &[String],
    act: impl FnMut(&Engine, &Container) -> Result<(), Failure>,
) -> Result<(), Failure> {
    each_found(ctx, engine, names, find, act)
}

/// The same, of what `find` takes a name to mean.
pub(crate) fn each_found(
    ctx: &Context,
    engine: &Engine,
    names: &[String],
    find: impl Fn(&Context, &Engine, &str) -> Result<Vec<Container>, Failure>,
    mut act: impl FnMut(&Engine, &Container) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut failures = Vec::new();
    for name in names {
        let result = find(ctx, engine, name).and_then(|found| found.iter().try_for_each(|one| act(engine, one)));
        match result {
            Ok(()) => ctx.ui.line(name)?,
            Err(failure) => failures.push(failure),
        }
    }
    last_of(failures, &ctx.ui)
}

/// Prints all failures but the last, which is returned.
pub(crate) fn last_of(mut failures: Vec<Failure>, ui: &Ui) -> Result<(), Failure> {
    let Some(last) = failures.pop() else { return Ok(()) };
    failures.iter().for_each(|failure| failure.print(ui.color));
    Err(last)
}

fn replicas(ctx: &Context, engine: &Engine, service: &str) -> Result<Vec<Container>, Failure> {
    let Some(project) = project_here(ctx) else { return Ok(Vec::new()) };
    let mut containers = engine.containers()?;
    containers.retain(|c| c.label(PROJECT) == Some(&project) && c.label(SERVICE) == Some(service));
    containers.sort_by_key(|container| container.label(NUMBER).and_then(|number| number.parse::<u32>().ok()));
    Ok(containers)
}

/// Returns the name of the project in the current folder, if it can be told.
pub(crate) fn project_here(ctx: &Context) -> Option<String> {
    super::compose::project_name(ctx, &ctx.project).ok()
}

fn no_such(ctx: &Context, name: &str) -> Failure {
    let failure = Failure::text(format!("no such container: {name}"));
    match project_here(ctx) {
        Some(project) => failure.hint(format!("nor is it a service of project {project} that has containers")),
        None => failure,
    }
}
