//! `lighter compose unpause`

use lighter_engine::Status;

use super::select;
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::verbs::target::last_of;

/// Let the project's frozen containers go on
#[derive(clap::Args)]
pub(crate) struct UnpauseArgs {
    /// Services (default: all)
    services: Vec<String>,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &UnpauseArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let name = super::project_name(ctx, project)?;
    let mut containers = select::containers(&engine, &name, &args.services)?;
    containers.retain(|container| container.state.status == Status::Paused);
    let mut failures = Vec::new();
    for container in &containers {
        match engine.unpause(container) {
            Ok(()) => ctx.ui.note(format!(" ✔  unpause {}", container.spec.name)),
            Err(error) => failures.push(error.into()),
        }
    }
    last_of(failures, &ctx.ui)
}
