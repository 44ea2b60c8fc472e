//! `lighter rmi`

use std::cell::OnceCell;

use lighter_engine::Engine;
use lighter_engine::images::digest::Digest;
use lighter_engine::images::platform::Platform;
use lighter_engine::images::store::{Removed, StoreError};

use super::target::last_of;
use crate::context::Context;
use crate::error::Failure;

/// Remove images
#[derive(clap::Args)]
pub(crate) struct RmiArgs {
    /// Images, by name or id
    #[arg(required = true)]
    images: Vec<String>,
    /// Take the names of an image away even if it has several or is in use; one that is absent is no failure
    #[arg(short, long)]
    force: bool,
    /// Do not remove parents without a name; there are none, an image is whole by itself
    #[arg(long)]
    no_prune: bool,
    /// Only the image for this platform, where the name stands for several: `linux/arm64`; repeat for more
    #[arg(long, value_delimiter = ',')]
    platform: Vec<Platform>,
}

pub(crate) fn run(ctx: &Context, args: &RmiArgs) -> Result<(), Failure> {
    let engine = ctx.engine()?;
    let mut failures = Vec::new();
    for name in &args.images {
        // Looked at once the store's lock is held. What cannot be read might use any image.
        let users = OnceCell::new();
        let in_use = |id: &Digest| match users.get_or_init(|| engine.image_users()) {
            Ok(users) => users.of(id),
            Err(error) => Some(format!("what cannot be read ({})", crate::error::chain(error))),
        };
        match remove(&engine, name, args, &in_use) {
            Ok(removed) => {
                removed.iter().for_each(|one| tell(&engine, one));
                removed.iter().try_for_each(|one| ctx.ui.line(describe(one)))?;
            }
            Err(error @ StoreError::NoSuchImage(_)) if args.force => Failure::from(error).print(ctx.ui.color),
            Err(error) => failures.push(error.into()),
        }
    }
    last_of(failures, &ctx.ui)
}

fn remove(
    engine: &Engine,
    name: &str,
    args: &RmiArgs,
    in_use: &dyn Fn(&Digest) -> Option<String>,
) -> Result<Vec<Removed>, StoreError> {
    if args.platform.is_empty() {
        return engine.images().remove(name, args.force, in_use);
    }
    let one = |platform| engine.images().remove_for((name, platform), args.force, in_use);
    Ok(args.platform.iter().map(one).collect::<Result<Vec<_>, _>>()?.concat())
}

/// Notes what was done.
pub(super) fn tell(engine: &Engine, removed: &Removed) {
    match removed {
        Removed::Untagged(name) => super::image::tell(engine, "untag", (name, name)),
        Removed::Deleted(id) => super::image::tell(engine, "delete", (id.as_str(), id.as_str())),
    }
}

/// Says what was done in docker's words.
pub(super) fn describe(removed: &Removed) -> String {
    match removed {
        Removed::Untagged(name) => format!("Untagged: {name}"),
        Removed::Deleted(id) => format!("Deleted: {id}"),
    }
}
