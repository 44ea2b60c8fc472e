//! `lighter apply`

use std::path::PathBuf;
use std::process::ExitCode;

use lighter_compose::observe;
use lighter_compose::plan::PlanRecord;

use super::outcome::Until;
use super::{interrupt, outcome};
use crate::context::Context;
use crate::error::{Failure, chain};

/// Do what a plan of `lighter plan -o` says, if the project is still what it was
#[derive(clap::Args)]
pub(crate) struct ApplyArgs {
    /// File with the plan
    pub(crate) plan: PathBuf,
}

pub(crate) fn run(ctx: &Context, args: &ApplyArgs) -> Result<ExitCode, Failure> {
    let interrupt = interrupt::listen()?;
    let path = ctx.invocation.working_directory.join(&args.plan);
    let unusable = |error: &dyn std::error::Error| {
        Failure::text(format!("apply the plan in `{}`: {}", path.display(), chain(error)))
    };
    let text = std::fs::read(&path).map_err(|error| unusable(&error))?;
    let record = PlanRecord::parse(&text).map_err(|error| unusable(&error))?;
    let engine = ctx.recovered_engine()?;
    let turn = outcome::turn_until(ctx, &engine, &record.project, interrupt.flag())?;
    let observed = observe(&record.project, &engine)?;
    let plan = record.plan_for(&observed).map_err(|error| unusable(&error))?;
    let until = Until { turn: Some(&turn), interrupted: interrupt.flag(), deadline: None };
    outcome::apply_until(ctx, &engine, &plan, until).map(|()| ExitCode::SUCCESS)
}
