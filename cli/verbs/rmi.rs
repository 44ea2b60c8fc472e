//! `lighter rmi`

use lighter_engine::images::store::Removed;

use super::target::last_of;
use crate::context::Context;
use crate::error::Failure;

/// Remove images
#[derive(clap::Args)]
pub(crate) struct RmiArgs {
    /// Images, by name or id
    #[arg(required = true)]
    images: Vec<String>,
    /// Remove an image even if it has several names
    #[arg(short, long)]
    force: bool,
}

pub(crate) fn run(ctx: &Context, args: &RmiArgs) -> Result<(), Failure> {
    let engine = ctx.engine()?;
    let containers = engine.containers()?;
    let in_use = |id: &lighter_engine::images::digest::Digest| {
        let user = containers.iter().find(|container| container.spec.image.id == id.to_string());
        user.map(|container| container.spec.name.clone())
    };
    let mut failures = Vec::new();
    for name in &args.images {
        match engine.images().remove(name, args.force, &in_use) {
            Ok(removed) => removed.iter().try_for_each(|one| ctx.ui.line(describe(one)))?,
            Err(error) => failures.push(error.into()),
        }
    }
    last_of(failures, &ctx.ui)
}

fn describe(removed: &Removed) -> String {
    match removed {
        Removed::Untagged(name) => format!("Untagged: {name}"),
        Removed::Deleted(id) => format!("Deleted: {id}"),
    }
}
