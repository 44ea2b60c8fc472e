//! `lighter compose top`

use super::select;
use crate::args::ProjectArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::verbs::top;

/// Show the processes of the project's containers
#[derive(clap::Args)]
pub(crate) struct TopArgs {
    /// Services (default: all)
    services: Vec<String>,
}

pub(crate) fn run(ctx: &Context, project: &ProjectArgs, args: &TopArgs) -> Result<(), Failure> {
    let engine = ctx.recovered_engine()?;
    let name = super::project_name(ctx, project)?;
    let containers = select::containers(&engine, &name, &args.services)?;
    for container in containers.iter().filter(|container| container.state.status.is_active()) {
        ctx.ui.line(&container.spec.name)?;
        ctx.ui.line(top::table(&engine, container)?)?;
        ctx.ui.line("")?;
    }
    Ok(())
}
