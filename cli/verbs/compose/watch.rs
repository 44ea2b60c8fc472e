//! `lighter compose watch`, and `up --watch`

mod changes;
mod rule;

use std::collections::BTreeSet;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use lighter_compose::model::{WatchAction, WatchRule};
use lighter_compose::plan::UpOptions;
use lighter_compose::{Project, images, observe, plan, specify};
use lighter_engine::images::store::Image;
use lighter_engine::{Container, CopyOptions, Engine};

use super::config::load_services;
use super::up::{self, Fetch, UpArgs};
use super::{build, outcome, select};
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use changes::Changes;
use rule::Ignored;

/// Start the project, and follow changes of files as `develop.watch` says
#[derive(clap::Args)]
pub(crate) struct WatchArgs {
    /// Services (default: all that have rules)
    services: Vec<String>,
    /// Do not start the project first
    #[arg(long)]
    no_up: bool,
    /// No progress of builds and pulls
    #[arg(long)]
    quiet: bool,
    /// Remove the image that a build takes the name of; `false` to keep it
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true", hide_default_value = true)]
    prune: Option<bool>,
}

/// A rule and its service.
struct Watched<'a> {
    service: &'a str,
    rule: &'a WatchRule,
    ignored: Ignored,
}

impl Watched<'_> {
    /// Returns those of the changed paths that the rule is about.
    fn meant<'p>(&self, changed: &'p BTreeSet<PathBuf>) -> Vec<&'p PathBuf> {
        changed.iter().filter(|path| rule::is_meant(self.rule, path) && !self.ignored.has(path)).collect()
    }
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &WatchArgs) -> Result<ExitCode, Failure> {
    let project = load_services(ctx, project, &args.services)?.project;
    let engine = ctx.recovered_engine()?;
    let cancelled = AtomicBool::new(false); // Ctrl-C ends us at once: what is half done is taken up by the next command
    let watcher = Watcher {
        ctx,
        engine: &engine,
        project: &project,
        quiet: args.quiet,
        prune: args.prune != Some(false),
        cancelled: &cancelled,
    };
    let watched = watched(&project, &args.services)?;
    // watched before anything is copied, so that no change falls between the two
    let changes = changes(&watched)?;
    if !args.no_up {
        start(&watcher, args)?;
    }
    watcher.watch(&watched, changes, None)?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the rules of these services, or of all.
fn watched<'a>(project: &'a Project, services: &[String]) -> Result<Vec<Watched<'a>>, Failure> {
    let chosen = project.services.values().filter(|service| services.is_empty() || services.contains(&service.name));
    let mut watched = Vec::new();
    for service in chosen {
        for rule in &service.watch {
            if rule.action == WatchAction::Rebuild && service.build.is_none() {
                let text =
                    format!("service `{}` has no `build`, which `develop.watch` with `rebuild` needs", service.name);
                return Err(Failure::text(text));
            }
            let ignored = Ignored::of(service.build.as_ref().map(|build| Path::new(&build.context)));
            watched.push(Watched { service: &service.name, rule, ignored });
        }
    }
    match watched.is_empty() {
        true => Err(Failure::text("none of the services has a `develop.watch` section")),
        false => Ok(watched),
    }
}

fn changes(watched: &[Watched<'_>]) -> Result<Changes, Failure> {
    Ok(Changes::new(watched.iter().map(|watched| watched.rule.path.as_path()))?)
}

fn start(watcher: &Watcher<'_>, args: &WatchArgs) -> Result<(), Failure> {
    let Watcher { ctx, engine, project, cancelled, .. } = watcher;
    let up = UpArgs {
        services: args.services.clone(),
        quiet_pull: args.quiet,
        quiet_build: args.quiet,
        ..UpArgs::default()
    };
    let options = up::options(&up)?;
    let services = up::fetch(ctx, engine, project, &up, Fetch { options: &options, cancelled, is_dry: false })?;
    let turn = outcome::turn(ctx, engine, &project.name)?;
    let plan = up::plan(ctx, engine, project, &up::Goal { services: &services, options: &options, is_dry: false })?;
    outcome::apply_plan(ctx, engine, &turn, &plan)
}

/// What follows the files of a project.
pub(super) struct Watcher<'a> {
    pub(super) ctx: &'a Context,
    pub(super) engine: &'a Engine,
    pub(super) project: &'a Project,
    /// No progress of builds.
    pub(super) quiet: bool,
    /// Whether images that lose their names go.
    pub(super) prune: bool,
    /// Set when builds are to be given up.
    pub(super) cancelled: &'a AtomicBool,
}

impl Watcher<'_> {
    /// Follows the files of these services, or of all, until the other end of `stop` is closed.
    pub(super) fn beside(&self, services: &[String], stop: OwnedFd) -> Result<(), Failure> {
        let watched = watched(self.project, services)?;
        self.watch(&watched, changes(&watched)?, Some(std::os::fd::AsFd::as_fd(&stop)))
    }

    fn watch(
        &self,
        watched: &[Watched<'_>],
        mut changes: Changes,
        stop: Option<BorrowedFd<'_>>,
    ) -> Result<(), Failure> {
        for watched in watched.iter().filter(|watched| watched.rule.initial_sync) {
            let paths = changes::files(&watched.rule.path);
            self.sync(watched.service, watched.rule, &watched.meant(&paths))?;
        }
        self.ctx.ui.note("watching; Ctrl-C ends it");
        while let Some(changed) = changes.next(stop)? {
            for service in watched.iter().map(|watched| watched.service).collect::<BTreeSet<_>>() {
                let rules = watched.iter().filter(|watched| watched.service == service);
                if let Err(failure) = self.follow(service, rules, &changed) {
                    failure.print(self.ctx.ui.color); // the next change may be a better one
                }
            }
        }
        Ok(())
    }

    /// Does for one service what its rules say about the changed paths: a build makes everything else needless; else copies
    /// come first, then one restart, or commands.
    fn follow<'w>(
        &self,
        service: &str,
        rules: impl Iterator<Item = &'w Watched<'w>>,
        changed: &BTreeSet<PathBuf>,
    ) -> Result<(), Failure> {
        let mine = |watched: &'w Watched<'w>| {
            let paths = watched.meant(changed);
            (!paths.is_empty()).then_some((watched.rule, paths))
        };
        let due: Vec<_> = rules.filter_map(mine).collect();
        if due.iter().any(|(rule, _)| rule.action == WatchAction::Rebuild) {
            return self.rebuild(service);
        }
        for (rule, paths) in due.iter().filter(|(rule, _)| rule.action.syncs()) {
            let Synced { copied, removed } = self.sync(service, rule, paths)?;
            if !copied.is_empty() {
                self.ctx.ui.note(format!(" ✔  copied {} to {service}", rule::listed(&copied)));
            }
            if !removed.is_empty() {
                self.ctx.ui.note(format!(" ✔  removed {} from {service}", rule::listed(&removed)));
            }
        }
        let restarts = |rule: &WatchRule| matches!(rule.action, WatchAction::Restart | WatchAction::SyncRestart);
        if due.iter().any(|(rule, _)| restarts(rule)) {
            return self.restart(service);
        }
        let commands = due.iter().filter(|(rule, _)| rule.action == WatchAction::SyncExec);
        for command in commands.filter_map(|(rule, _)| rule.exec.as_ref()) {
            for container in self.replicas(service)? {
                self.engine.execute(&container, &specify::hook(command))?;
            }
            self.ctx.ui.note(format!(" ✔  executed {} in {service}", command.command.join(" ")));
        }
        Ok(())
    }

    /// Builds the image of a service and makes its containers anew.
    fn rebuild(&self, service: &str) -> Result<(), Failure> {
        let Self { ctx, engine, project, .. } = self;
        let services = [service.to_owned()];
        let before = self.image_of(service)?;
        let how = build::Building { all: true, quiet: self.quiet, cancelled: self.cancelled };
        build::missing(ctx, engine, project, &services, &how)?;
        let options = UpOptions { services: services.to_vec(), no_deps: true, ..UpOptions::default() };
        let turn = outcome::turn(ctx, engine, &project.name)?;
        let plan = up::plan(ctx, engine, project, &up::Goal { services: &services, options: &options, is_dry: false })?;
        outcome::apply_plan(ctx, engine, &turn, &plan)?;
        before.filter(|_| self.prune).map_or(Ok(()), |old| self.forget(&old))
    }

    fn image_of(&self, service: &str) -> Result<Option<Image>, Failure> {
        Ok(self.engine.images().find(&images::name_of(self.project, &self.project.services[service]))?)
    }

    /// Removes an image that has lost its last name; one that is still used stays.
    fn forget(&self, image: &Image) -> Result<(), Failure> {
        let id = image.id.as_str();
        if self.engine.images().find(id)?.is_some_and(|image| image.references.is_empty()) {
            let users = self.engine.image_users()?;
            let _ = self.engine.images().remove(id, false, &|id| users.of(id));
        }
        Ok(())
    }

    fn restart(&self, service: &str) -> Result<(), Failure> {
        let turn = outcome::turn(self.ctx, self.engine, &self.project.name)?;
        let observed = observe(&self.project.name, self.engine)?;
        let plan = plan::control::restart(&observed, &[service.to_owned()], None, false);
        outcome::apply_plan(self.ctx, self.engine, &turn, &plan)
    }

    fn replicas(&self, service: &str) -> Result<Vec<Container>, Failure> {
        let mut containers = select::containers(self.engine, &self.project.name, &[service.to_owned()])?;
        containers.retain(|container| container.state.status.is_active());
        Ok(containers)
    }

    /// Makes the paths in the containers what they are here: copies, or nothing.
    fn sync<'p>(&self, service: &str, rule: &WatchRule, paths: &[&'p PathBuf]) -> Result<Synced<'p>, Failure> {
        let containers = self.replicas(service)?;
        let mut synced = Synced::default();
        for path in paths.iter().copied().filter(|_| !containers.is_empty()) {
            let Some(target) = rule::target(rule, path) else { continue };
            let is_there = path.exists();
            for container in &containers {
                match is_there {
                    true => self.copy(container, path, &target)?,
                    false => self.engine.remove_in(container, &target)?,
                }
            }
            if is_there { &mut synced.copied } else { &mut synced.removed }.push(path);
        }
        Ok(synced)
    }

    fn copy(&self, container: &Container, path: &Path, target: &Path) -> Result<(), Failure> {
        self.engine.make_folder_in(container, target.parent().unwrap_or(Path::new("/")))?;
        Ok(self.engine.copy_in(container, path, target, CopyOptions::default())?)
    }
}

/// What has become of paths in the containers of a service.
#[derive(Default)]
struct Synced<'p> {
    copied: Vec<&'p PathBuf>,
    removed: Vec<&'p PathBuf>,
}
