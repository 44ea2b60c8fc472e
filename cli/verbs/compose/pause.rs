//! `lighter compose pause`

use lighter_engine::Status;

use super::select;
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::verbs::target::last_of;

/// Freeze the project's containers where they are
#[derive(clap::Args)]
pub(crate) struct PauseArgs {
    /// Services (default: all)
    services: Vec<String>,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &PauseArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let name = super::project_name(ctx, project)?;
    let mut containers = select::containers(&engine, &name, &args.services)?;
    containers.retain(|container| container.state.status == Status::Running);
    let mut failures = Vec::new();
    for container in &containers {
        match engine.pause(container) {
            Ok(()) => ctx.ui.note(format!(" ✔  pause {}", container.spec.name)),
            Err(error) => failures.push(error.into()),
        }
    }
    last_of(failures, &ctx.ui)
}
