//! `lighter compose watch`

mod changes;
mod rule;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use lighter_compose::model::{WatchAction, WatchRule};
use lighter_compose::{Project, observe, plan};
use lighter_engine::runtime::sealed;
use lighter_engine::{Container, CopyOptions, Engine};

use super::config::load_services;
use super::up::{self, UpArgs};
use super::{outcome, select};
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::verbs::exec::{self, ExecOptions};
use changes::Changes;

/// Start the project, and copy, restart or execute as `develop.watch` says whenever files change
#[derive(clap::Args)]
pub(crate) struct WatchArgs {
    /// Services (default: all that have rules)
    services: Vec<String>,
    /// Do not start the project first
    #[arg(long)]
    no_up: bool,
    /// No progress of pulls
    #[arg(long)]
    quiet: bool,
    /// Remove images that have lost their names (there are none: nothing is built here)
    #[arg(long, hide = true)]
    prune: bool,
}

/// A rule and its service.
struct Watched<'a> {
    service: &'a str,
    rule: &'a WatchRule,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &WatchArgs) -> Result<ExitCode, Failure> {
    // before anything else: what enters a container runs from a sealed copy, and single-threaded
    sealed::ensure()?;
    let project = load_services(ctx, project, &args.services)?.project;
    let watched = watched(&project, &args.services)?;
    let engine = ctx.recovered_engine()?;
    // watched before anything is copied, so that no change falls between the two
    let mut changes = Changes::new(watched.iter().map(|watched| watched.rule.path.as_path()))?;
    if !args.no_up {
        start(ctx, &engine, &project, args)?;
    }
    for Watched { service, rule } in watched.iter().filter(|watched| watched.rule.initial_sync) {
        sync(&engine, &replicas(&engine, &project, service)?, rule, &rule.path)?;
    }
    ctx.ui.note("watching; Ctrl-C ends it");
    loop {
        let changed = changes.next()?;
        for service in watched.iter().map(|watched| watched.service).collect::<BTreeSet<_>>() {
            let rules = watched.iter().filter(|watched| watched.service == service).map(|watched| watched.rule);
            if let Err(failure) = follow(ctx, &engine, (&project, service), rules, &changed) {
                failure.print(ctx.ui.color); // the next change may be a better one
            }
        }
    }
}

fn watched<'a>(project: &'a Project, services: &[String]) -> Result<Vec<Watched<'a>>, Failure> {
    let chosen = project.services.values().filter(|service| services.is_empty() || services.contains(&service.name));
    let watched: Vec<_> =
        chosen.flat_map(|service| service.watch.iter().map(|rule| Watched { service: &service.name, rule })).collect();
    if watched.is_empty() {
        return Err(Failure::text("none of the services has a `develop.watch` section"));
    }
    Ok(watched)
}

fn start(ctx: &Context, engine: &Engine, project: &Project, args: &WatchArgs) -> Result<(), Failure> {
    let up = UpArgs { services: args.services.clone(), quiet_pull: args.quiet, ..UpArgs::default() };
    let options = up::options(&up)?;
    let services = up::fetch(ctx, engine, project, &up, (&options, &AtomicBool::new(false)))?;
    let turn = outcome::turn(ctx, engine, &project.name)?;
    let plan = up::plan(engine, project, &services, &options)?;
    outcome::apply_plan(ctx, engine, &turn, &plan)
}

/// Does for one service what its rules say about the changed paths: copies first, then restarts once or executes.
fn follow<'a>(
    ctx: &Context,
    engine: &Engine,
    (project, service): (&Project, &str),
    rules: impl Iterator<Item = &'a WatchRule>,
    changed: &BTreeSet<PathBuf>,
) -> Result<(), Failure> {
    let mut afterwards: Vec<&WatchRule> = Vec::new();
    for rule in rules {
        let mine: Vec<_> = changed.iter().filter(|path| rule::is_meant(rule, path)).collect();
        if mine.is_empty() {
            continue;
        }
        if rule.action == WatchAction::Rebuild {
            let text = format!("service `{service}`: files of its image have changed: build it and run `up` again");
            ctx.ui.warn(text);
            continue;
        }
        if rule.action.syncs() {
            let containers = replicas(engine, project, service)?;
            mine.iter().try_for_each(|path| sync(engine, &containers, rule, path))?;
            ctx.ui.note(format!(" ✔  copied {} to {service}", rule::listed(&mine)));
        }
        afterwards.push(rule);
    }
    let restarts = |rule: &&&WatchRule| matches!(rule.action, WatchAction::Restart | WatchAction::SyncRestart);
    if afterwards.iter().any(|rule| restarts(&rule)) {
        let turn = outcome::turn(ctx, engine, &project.name)?;
        let observed = observe(&project.name, engine)?;
        let plan = plan::control::restart(&observed, &[service.to_owned()], None, false);
        return outcome::apply_plan(ctx, engine, &turn, &plan);
    }
    for rule in afterwards.iter().filter(|rule| rule.action == WatchAction::SyncExec) {
        for container in replicas(engine, project, service)? {
            let code = exec::execute(ctx, engine, &container, rule.exec.clone(), &ExecOptions::default())?;
            if code != ExitCode::SUCCESS {
                ctx.ui.warn(format!("the command of `{service}` has failed"));
            }
        }
    }
    Ok(())
}

fn replicas(engine: &Engine, project: &Project, service: &str) -> Result<Vec<Container>, Failure> {
    let mut containers = select::containers(engine, &project.name, &[service.to_owned()])?;
    containers.retain(|container| container.state.status.is_active());
    Ok(containers)
}

/// Makes `path` in the containers what it is here: a copy, or nothing.
fn sync(engine: &Engine, containers: &[Container], rule: &WatchRule, path: &Path) -> Result<(), Failure> {
    let Some(target) = rule::target(rule, path) else { return Ok(()) };
    for container in containers {
        if path.is_dir() {
            engine.copy_in(container, &path.join("."), &target, CopyOptions::default())?;
        } else if path.exists() {
            let parent = target.parent().unwrap_or(Path::new("/"));
            engine.make_folder_in(container, parent)?;
            engine.copy_in(container, path, &target, CopyOptions::default())?;
        } else {
            engine.remove_in(container, &target)?;
        }
    }
    Ok(())
}
