//! `lighter config`

mod digests;
mod lists;
mod support;
mod variables;

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use lighter_compose::{Loaded, Project, Source, load, render};

use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use lists::ListArgs;

/// Check and show the project as lighter understands it
#[derive(clap::Args, Default)]
pub(crate) struct ConfigArgs {
    /// Output format
    #[arg(long, value_parser = ["yaml", "json"])]
    format: Option<String>,
    /// Only check
    #[arg(short, long)]
    quiet: bool,
    /// Write to this file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    lists: ListArgs,
    #[command(flatten)]
    stages: StageArgs,
    /// Replace the tags of images by the digests they have in their registries now
    #[arg(long)]
    resolve_image_digests: bool,
    /// Only a file that, laid over this project, holds its images at the digests they have now
    #[arg(long)]
    lock_image_digests: bool,
    /// Every attribute that the files use, and whether it is honoured, has no effect here or is refused
    #[arg(long)]
    support: bool,
    /// Only these services and what they depend on
    #[arg(id = "service", value_name = "SERVICE")]
    services: Vec<String>,
}

/// The stages of loading to leave out
#[derive(clap::Args, Default)]
struct StageArgs {
    /// Leave `$` as it is written
    #[arg(long)]
    no_interpolate: bool,
    /// Leave out what is implied
    #[arg(long)]
    no_normalize: bool,
    /// Leave relative paths as they are written
    #[arg(long)]
    no_path_resolution: bool,
    /// Do not check what belongs together
    #[arg(long)]
    no_consistency: bool,
    /// Leave environment files unread
    #[arg(long)]
    no_env_resolution: bool,
}

pub(crate) fn run(ctx: &Context, args: &ConfigArgs) -> Result<(), Failure> {
    show(ctx, &ctx.project, args)
}

pub(super) fn show(ctx: &Context, project: &ProjectArgs, args: &ConfigArgs) -> Result<(), Failure> {
    let mut source = staged(ctx, project, args);
    read_stdin(&mut source)?;
    if args.lists.variables {
        return variables::show(ctx, &source, args.format.as_deref());
    }
    let mut project = load_source(ctx, &source)?.project;
    project.restrict(&args.services).map_err(|fault| Failure::diagnostics(vec![*fault]))?;
    if args.resolve_image_digests || args.lock_image_digests {
        digests::resolve(ctx, &mut project)?;
    }
    if args.quiet {
        return Ok(());
    }
    if args.support {
        return support::show(ctx, &project);
    }
    if let Some(lines) = args.lists.lines(&project)? {
        return lines.iter().try_for_each(|line| ctx.ui.line(line));
    }
    if args.lock_image_digests {
        project.keep_images();
    }
    print(ctx, &project, args)
}

/// Returns where the project comes from and what of it is to be done.
fn staged(ctx: &Context, project: &ProjectArgs, args: &ConfigArgs) -> Source {
    let stages = &args.stages;
    Source {
        services: args.services.clone(),
        no_interpolate: stages.no_interpolate,
        no_normalize: stages.no_normalize,
        no_path_resolution: stages.no_path_resolution,
        no_consistency: stages.no_consistency,
        no_env_resolution: stages.no_env_resolution,
        ..super::source(ctx, project)
    }
}

fn print(ctx: &Context, project: &Project, args: &ConfigArgs) -> Result<(), Failure> {
    let is_json = args.format.as_deref() == Some("json");
    let text = if is_json { render::json(project) } else { render::yaml(project) };
    let text = text.trim_end();
    match &args.output {
        Some(path) => fs::write(ctx.invocation.working_directory.join(path), format!("{text}\n"))
            .map_err(|error| Failure::text(format!("write `{}`: {error}", path.display()))),
        None => ctx.ui.line(text),
    }
}

/// Loads the project that the command line means; warnings go to stderr.
pub(super) fn load_project(ctx: &Context, project: &ProjectArgs) -> Result<Loaded, Failure> {
    let mut source = super::source(ctx, project);
    read_stdin(&mut source)?;
    load_source(ctx, &source)
}

/// As [`load_project`]; services named on the command line are active without their profiles, and what has no effect here
/// is said.
pub(super) fn load_services(ctx: &Context, project: &ProjectArgs, services: &[String]) -> Result<Loaded, Failure> {
    let mut source = Source { services: services.to_vec(), ..super::source(ctx, project) };
    read_stdin(&mut source)?;
    let loaded = load_source(ctx, &source)?;
    for note in &loaded.project.ineffective {
        ctx.ui.note(crate::ui::diagnostics::line(note));
    }
    Ok(loaded)
}

fn read_stdin(source: &mut Source) -> Result<(), Failure> {
    if source.files.iter().any(|file| file.as_os_str() == "-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        source.stdin = Some(text);
    }
    Ok(())
}

fn load_source(ctx: &Context, source: &Source) -> Result<Loaded, Failure> {
    let loaded = load(source, &ctx.invocation.environment).map_err(failure)?;
    for warning in &loaded.warnings {
        ctx.ui.note(crate::ui::diagnostics::render(warning, ctx.ui.color));
    }
    Ok(loaded)
}

fn failure(error: lighter_compose::LoadError) -> Failure {
    match error.diagnostics() {
        [] => Failure::from(error),
        diagnostics => Failure::diagnostics(diagnostics.to_vec()),
    }
}
