//! `lighter rm`

use lighter_engine::{FindError, RemoveOptions};

use super::target;
use crate::context::Context;
use crate::error::Failure;

/// Remove containers
#[derive(clap::Args)]
pub(crate) struct RmArgs {
    /// Containers, or services of the project in this folder
    #[arg(required = true)]
    containers: Vec<String>,
    /// Kill a running container first; one that is not there is no failure
    #[arg(short, long)]
    force: bool,
    /// Remove its anonymous volumes too
    #[arg(short, long)]
    volumes: bool,
}

pub(crate) fn run(ctx: &Context, args: &RmArgs) -> Result<(), Failure> {
    let options = RemoveOptions { force: args.force, volumes: args.volumes };
    let engine = ctx.recovered_engine()?;
    let mut names = args.containers.clone();
    if args.force {
        // as docker: what is not there need not be removed, but that is worth a word
        names.retain(|name| match target::find(ctx, &engine, name) {
            Err(failure) if matches!(engine.find(name), Err(FindError::NotFound(_))) => {
                failure.print(ctx.ui.color);
                false
            }
            _ => true,
        });
    }
    target::each(ctx, &engine, &names, |engine, one| Ok(engine.remove(one, options)?))
}
