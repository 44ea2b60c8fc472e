//! `lighter image`: the verbs of images, which also stand alone where docker has them so.

mod cp;
pub(crate) mod filter;
pub(crate) mod glob;
pub(crate) mod inspect;
mod mount;
pub(crate) mod prune;
pub(super) mod tree;

use std::process::ExitCode;

use lighter_engine::images::platform::Platform;
use lighter_engine::images::store::Image;
use lighter_engine::{Engine, Event, EventKind};

use super::{build, history, images, import, load, pull, push, rmi, save, tag};
use crate::context::Context;
use crate::error::Failure;

/// Manage images
#[derive(clap::Subcommand)]
pub(crate) enum ImageVerb {
    Build(Box<build::BuildArgs>),
    #[command(visible_alias = "list")]
    Ls(images::ImagesArgs),
    #[command(visible_alias = "remove")]
    Rm(rmi::RmiArgs),
    Pull(pull::PullArgs),
    Push(push::PushArgs),
    Tag(tag::TagArgs),
    History(history::HistoryArgs),
    Inspect(inspect::ImageInspectArgs),
    Prune(prune::ImagePruneArgs),
    Save(save::SaveArgs),
    Load(load::LoadArgs),
    Import(import::ImportArgs),
    Mount(mount::MountArgs),
    #[command(visible_alias = "umount")]
    Unmount(mount::UnmountArgs),
    Cp(cp::CpArgs),
}

pub(crate) fn run(ctx: &Context, verb: &ImageVerb) -> Result<ExitCode, Failure> {
    match verb {
        ImageVerb::Build(args) => return build::run(ctx, args),
        ImageVerb::Ls(args) => images::run(ctx, args),
        ImageVerb::Rm(args) => rmi::run(ctx, args),
        ImageVerb::Pull(args) => pull::run(ctx, args),
        ImageVerb::Push(args) => push::run(ctx, args),
        ImageVerb::Tag(args) => tag::run(ctx, args),
        ImageVerb::History(args) => history::run(ctx, args),
        ImageVerb::Inspect(args) => inspect::run(ctx, args),
        ImageVerb::Prune(args) => prune::run(ctx, args),
        ImageVerb::Save(args) => save::run(ctx, args),
        ImageVerb::Load(args) => load::run(ctx, args),
        ImageVerb::Import(args) => import::run(ctx, args),
        ImageVerb::Mount(args) => mount::run(ctx, args),
        ImageVerb::Unmount(args) => mount::unmount(ctx, args),
        ImageVerb::Cp(args) => cp::run(ctx, args),
    }
    .map(|()| ExitCode::SUCCESS)
}

/// Notes what has happened to an image: `id` is its id, or where it is not known the name.
pub(crate) fn tell(engine: &Engine, action: &str, (id, name): (&str, &str)) {
    engine.tell(Event::now(EventKind::Image, action, id).with("name", name));
}

/// Finds an image by name, of those that the name stands for the one for a platform.
pub(crate) fn find(engine: &Engine, name: &str, platform: Option<&Platform>) -> Result<Image, Failure> {
    let image = engine.images().find(name)?.ok_or_else(|| no_such(name))?;
    let Some(wanted) = platform else { return Ok(image) };
    engine
        .images()
        .for_platform(&image, wanted)?
        .ok_or_else(|| Failure::text(format!("image `{name}` is of platform {}, not {wanted}", image.platform())))
}

/// There is no image of that name.
pub(crate) fn no_such(name: &str) -> Failure {
    Failure::text(format!("no such image: `{name}`"))
}
