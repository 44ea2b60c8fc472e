//! `lighter plan`

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use lighter_compose::observe;
use lighter_compose::plan::PlanRecord;

use super::config::load_services;
use super::outcome;
use super::up::{self, UpArgs};
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::verbs::output;

/// Show what `up` would do, and why; or write it down for `apply`
#[derive(clap::Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    up: UpArgs,
    /// Write the plan to this file, as JSON; it may hold secrets, so only root can read it
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &PlanArgs) -> Result<(), Failure> {
    let options = up::options(&args.up)?;
    let project = load_services(ctx, project, &args.up.services)?.project;
    let engine = ctx.recovered_engine()?;
    // what is written down names images by their ids; what is only shown need not have them
    let is_dry = args.output.is_none() || args.up.dry_run || ctx.manner.dry_run;
    let fetch = up::Fetch { options: &options, cancelled: &AtomicBool::new(false), is_dry };
    let services = up::fetch(ctx, &engine, &project, &args.up, fetch)?;
    let _turn = outcome::turn(ctx, &engine, &project.name)?;
    let plan = up::plan(ctx, &engine, &project, &up::Goal { services: &services, options: &options, is_dry })?;
    let Some(output) = args.output.as_ref().filter(|_| !is_dry) else { return outcome::show_plan(ctx, &plan) };
    let record = PlanRecord::new(plan, &observe(&project.name, &engine)?);
    let path = ctx.invocation.working_directory.join(output);
    output::write(Some(&path), |mut out| {
        let written = out.write_all(record.to_json().as_bytes()).and_then(|()| out.flush());
        written.map_err(|error| Failure::text(format!("write the plan to `{}`: {error}", path.display())))
    })?;
    outcome::show_plan(ctx, &record.plan)
}
