//! `lighter rm`

use lighter_engine::{Container, Engine, FindError, RemoveOptions};

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
        names.retain(|name| match found_even_damaged(ctx, &engine, name) {
            Err(failure) if matches!(engine.find_even_damaged(name), Err(FindError::NotFound(_))) => {
                failure.print(ctx.ui.color);
                false
            }
            _ => true,
        });
    }
    target::each_found(ctx, &engine, &names, found_even_damaged, |engine, one| Ok(engine.remove(one, options)?))
}

/// Returns the containers that `name` means, or the one that nothing is known of any more but its name.
fn found_even_damaged(ctx: &Context, engine: &Engine, name: &str) -> Result<Vec<Container>, Failure> {
    target::find(ctx, engine, name).or_else(|failure| match engine.find_even_damaged(name) {
        Ok(container) if container.is_damaged => Ok(vec![container]),
        _ => Err(failure),
    })
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
