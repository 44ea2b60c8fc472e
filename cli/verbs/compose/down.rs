//! `lighter down`

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::time::Duration;

use lighter_compose::observe::{Observed, ObservedContainer};
use lighter_compose::plan::DownOptions;
use lighter_compose::{LoadError, Project, names, observe, plan};
use lighter_engine::Engine;
use lighter_engine::images::digest::Digest;
use lighter_engine::images::store::StoreError;

use super::{outcome, select};
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;

/// Stop and remove the project's containers and networks
#[derive(clap::Args)]
pub(crate) struct DownArgs {
    /// Services, with the networks that no other has (default: all)
    services: Vec<String>,
    /// Remove its volumes too
    #[arg(short, long, alias = "volume")]
    volumes: bool,
    /// Remove images too: `all` that the services use, or `local`, those without a name of their own
    #[arg(long, value_name = "WHICH", value_parser = ["all", "local"])]
    rmi: Option<String>,
    /// Remove containers whose services are not in the file any more
    #[arg(long)]
    remove_orphans: bool,
    /// Seconds before SIGKILL (default: each container's own, or 10)
    #[arg(short, long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Show what would be done, and why, and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(ctx: &Context, args: &DownArgs) -> Result<(), Failure> {
    down(ctx, &ctx.project, args)
}

pub(super) fn down(ctx: &Context, files: &ProjectArgs, args: &DownArgs) -> Result<(), Failure> {
    let (name, project) = project_or_name(ctx, files)?;
    let engine = ctx.recovered_engine()?;
    let turn = outcome::turn(ctx, &engine, &name)?;
    let observed = observe(&name, &engine)?;
    select::check(ctx, files, &observed, &args.services)?;
    let options = DownOptions {
        services: args.services.clone(),
        volumes: args.volumes,
        remove_orphans: args.remove_orphans,
        timeout: args.timeout.map(Duration::from_secs),
    };
    let plan = plan::down::down(project.as_ref(), &observed, &options);
    if args.dry_run {
        return outcome::show_plan(ctx, &plan);
    }
    outcome::apply_plan(ctx, &engine, &turn, &plan)?;
    engine.net().teardown_if_unused()?;
    match &args.rmi {
        Some(which) if !ctx.manner.dry_run => remove_images(ctx, &engine, &observed, which),
        _ => Ok(()),
    }
}

/// Removes the images that the containers had, unless somebody else needs them.
fn remove_images(ctx: &Context, engine: &Engine, observed: &Observed, which: &str) -> Result<(), Failure> {
    let is_local = |container: &&ObservedContainer| {
        let own = names::built_image(&observed.project, &container.service);
        which == "all" || container.spec.image.reference == own
    };
    let containers = observed.containers.iter().filter(is_local);
    let references: BTreeSet<&str> = containers.map(|container| container.spec.image.reference.as_str()).collect();
    // Looked at once the store's lock is held. What cannot be read might use any image.
    let users = OnceCell::new();
    let in_use = |id: &Digest| match users.get_or_init(|| engine.image_users()) {
        Ok(users) => users.of(id),
        Err(error) => Some(format!("what cannot be read ({})", crate::error::chain(error))),
    };
    for reference in references {
        match engine.images().remove(reference, false, &in_use) {
            Ok(_) => ctx.ui.note(format!(" ✔  delete image {reference}")),
            Err(StoreError::NoSuchImage(_)) => {}
            Err(error) => ctx.ui.warn(format!("image `{reference}` stays: {}", crate::error::chain(&error))),
        }
    }
    Ok(())
}

/// With `-p` no file is needed: what is there is known by its labels.
fn project_or_name(ctx: &Context, args: &ProjectArgs) -> Result<(String, Option<Project>), Failure> {
    let environment = &ctx.invocation.environment;
    let source = super::source(ctx, args);
    match lighter_compose::load(&source, environment) {
        Ok(loaded) => Ok((loaded.project.name.clone(), Some(loaded.project))),
        Err(error) => match lighter_compose::resolve_name(&source, environment)? {
            Some(name) if args.file.is_empty() => Ok((name, None)),
            _ => Err(match error {
                LoadError::Invalid(faults) => Failure::diagnostics(faults.diagnostics().to_vec()),
                error => Failure::from(error).hint("name the project with -p NAME: then no file is needed"),
            }),
        },
    }
}
