//! `lighter config`

use std::io::Read;

use lighter_compose::{Loaded, load, render};

use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;

/// Check and show the project as lighter understands it
#[derive(clap::Args, Default)]
pub(crate) struct ConfigArgs {
    /// Output format
    #[arg(long, value_parser = ["yaml", "json"], default_value = "yaml")]
    format: String,
    /// Only check
    #[arg(short, long)]
    quiet: bool,
    /// Only the names of the services
    #[arg(long)]
    services: bool,
    /// Only the names of the volumes
    #[arg(long)]
    volumes: bool,
    /// Only the images
    #[arg(long)]
    images: bool,
    /// Leave `$` as it is written
    #[arg(long)]
    no_interpolate: bool,
}

pub(crate) fn run(ctx: &Context, args: &ConfigArgs) -> Result<(), Failure> {
    show(ctx, &ctx.project, args)
}

pub(super) fn show(ctx: &Context, project: &ProjectArgs, args: &ConfigArgs) -> Result<(), Failure> {
    let mut source = super::source(ctx, project);
    source.no_interpolate = args.no_interpolate;
    let project = load_source(ctx, source)?.project;
    if args.quiet {
        return Ok(());
    }
    if args.services {
        return project.services.keys().try_for_each(|name| ctx.ui.line(name));
    }
    if args.volumes {
        return project.volumes.keys().try_for_each(|name| ctx.ui.line(name));
    }
    if args.images {
        return project
            .services
            .values()
            .filter_map(|service| service.image.as_ref())
            .try_for_each(|image| ctx.ui.line(image));
    }
    let text = if args.format == "json" { render::json(&project) } else { render::yaml(&project) };
    ctx.ui.line(text.trim_end())
}

/// Loads the project that the command line means; warnings go to stderr.
pub(super) fn load_project(ctx: &Context, project: &ProjectArgs) -> Result<Loaded, Failure> {
    load_source(ctx, super::source(ctx, project))
}

/// As [`load_project`]; services named on the command line are active without their profiles.
pub(super) fn load_services(ctx: &Context, project: &ProjectArgs, services: &[String]) -> Result<Loaded, Failure> {
    load_source(ctx, lighter_compose::Source { services: services.to_vec(), ..super::source(ctx, project) })
}

fn load_source(ctx: &Context, mut source: lighter_compose::Source) -> Result<Loaded, Failure> {
    if source.files.iter().any(|file| file.as_os_str() == "-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        source.stdin = Some(text);
    }
    let loaded = load(&source, &ctx.invocation.environment).map_err(|error| match error.diagnostics() {
        [] => Failure::from(error),
        diagnostics => Failure::diagnostics(diagnostics.to_vec()),
    })?;
    for warning in &loaded.warnings {
        ctx.ui.note(crate::ui::diagnostics::render(warning, ctx.ui.color));
    }
    Ok(loaded)
}
