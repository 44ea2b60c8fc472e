//! `lighter rm`

use lighter_engine::{Engine, FindError, RemoveOptions};

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
    /// Remove the further name that a container has for another, and no container: `CONTAINER/NAME`
    #[arg(short, long)]
    link: bool,
}

pub(crate) fn run(ctx: &Context, args: &RmArgs) -> Result<(), Failure> {
    let options = RemoveOptions { force: args.force, volumes: args.volumes };
    let engine = ctx.recovered_engine()?;
    if args.link {
        return args.containers.iter().try_for_each(|name| unlink(ctx, &engine, name));
    }
    let mut names = args.containers.clone();
    if args.force {
        // as docker: what is not there need not be removed, but that is worth a word
        names.retain(|name| match target::find(ctx, &engine, name) {
            Err(failure) if matches!(engine.find_even_damaged(name), Err(FindError::NotFound(_))) => {
                failure.print(ctx.ui.color);
                false
            }
            _ => true,
        });
    }
    let (damaged, names): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|name| engine.find_even_damaged(name).is_ok_and(|container| container.is_damaged));
    for name in damaged {
        engine.remove(&engine.find_even_damaged(&name)?, options)?;
        ctx.ui.line(name)?;
    }
    target::each(ctx, &engine, &names, |engine, one| Ok(engine.remove(one, options)?))
}

/// Takes a link away, named as docker does: `/web/db` or `web/db`.
fn unlink(ctx: &Context, engine: &Engine, name: &str) -> Result<(), Failure> {
    let malformed = || Failure::text(format!("--link `{name}`: use CONTAINER/NAME"));
    let (container, alias) = name.trim_start_matches('/').split_once('/').ok_or_else(malformed)?;
    match engine.unlink(&target::find_one(ctx, engine, container)?, alias)? {
        true => ctx.ui.line(name),
        false => Err(Failure::text(format!("container `{container}` has no link `{alias}`"))),
    }
}
