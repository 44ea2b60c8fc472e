//! `lighter compose create`

use std::process::ExitCode;

use lighter_engine::images::pull::PullPolicy;

use super::up::{self, UpArgs};
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;

/// Make the project's containers without starting them
#[derive(clap::Args)]
pub(crate) struct CreateArgs {
    /// Services (default: all)
    services: Vec<String>,
    /// Make containers anew even if nothing changed
    #[arg(long, conflicts_with = "no_recreate")]
    force_recreate: bool,
    /// Keep containers even if something changed
    #[arg(long)]
    no_recreate: bool,
    /// Remove containers whose services are not in the file any more
    #[arg(long)]
    remove_orphans: bool,
    /// Number of replicas: SERVICE=N
    #[arg(long, value_name = "SERVICE=N")]
    scale: Vec<String>,
    /// When to pull images, instead of what the file says
    #[arg(long, value_name = "POLICY")]
    pull: Option<PullPolicy>,
    /// No progress of pulls
    #[arg(long)]
    quiet_pull: bool,
    /// Build the images of services that have a `build`, even if they are here
    #[arg(long, conflicts_with = "no_build")]
    build: bool,
    /// Build nothing, even if an image is missing
    #[arg(long)]
    no_build: bool,
    /// Show what would be done, and why, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Ask nothing (lighter never does)
    #[arg(short, long)]
    yes: bool,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: CreateArgs) -> Result<ExitCode, Failure> {
    let up = UpArgs {
        services: args.services,
        no_start: true,
        force_recreate: args.force_recreate,
        no_recreate: args.no_recreate,
        remove_orphans: args.remove_orphans,
        scale: args.scale,
        pull: args.pull,
        quiet_pull: args.quiet_pull,
        build: args.build,
        no_build: args.no_build,
        dry_run: args.dry_run,
        ..UpArgs::default()
    };
    up::up(ctx, project, &up)
}
