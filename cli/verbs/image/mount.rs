//! `lighter image mount`, `lighter image unmount`

use lighter_engine::images::digest::Digest;
use lighter_engine::{Engine, ImageMount};
use serde_json::{Value, json};

use super::super::target::last_of;
use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::{self, Format};

/// Show the files of images in folders of this host, for reading; without images, list them
#[derive(clap::Args)]
pub(crate) struct MountArgs {
    /// Images, by name or id
    images: Vec<String>,
    /// `table`, `json`, or a template: '{{.ID}} {{.Path}}'
    #[arg(long, default_value = "table", hide_default_value = true)]
    format: Format,
}

/// Undo `image mount`
#[derive(clap::Args)]
pub(crate) struct UnmountArgs {
    /// Images, by name or id
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    images: Vec<String>,
    /// All that are mounted
    #[arg(short, long)]
    all: bool,
}

const COLUMNS: [(&str, &str); 3] = [("IMAGE ID", "ID"), ("IMAGE", "Image"), ("PATH", "Path")];

pub(crate) fn run(ctx: &Context, args: &MountArgs) -> Result<(), Failure> {
    let engine = ctx.engine()?;
    if args.images.is_empty() {
        let rows = engine.mounted_images()?.iter().map(|mount| row(&engine, mount)).collect::<Result<Vec<_>, _>>()?;
        let text = format::render(&args.format, &COLUMNS, &rows)?;
        return if text.is_empty() { Ok(()) } else { ctx.ui.line(text) };
    }
    let mut failures = Vec::new();
    for name in &args.images {
        match engine.mount_image(name) {
            Ok(mount) => ctx.ui.line(mount.path.display().to_string())?,
            Err(error) => failures.push(error.into()),
        }
    }
    last_of(failures, &ctx.ui)
}

pub(crate) fn unmount(ctx: &Context, args: &UnmountArgs) -> Result<(), Failure> {
    let engine = ctx.engine()?;
    let mounted = engine.mounted_images()?;
    let mut failures = Vec::new();
    let all =
        if args.all { mounted.iter().map(|mount| mount.image.to_string()).collect() } else { args.images.clone() };
    for name in &all {
        let done = find(&engine, &mounted, name).and_then(|id| {
            engine.unmount_image(&id)?;
            ctx.ui.line(id.as_str())
        });
        failures.extend(done.err());
    }
    last_of(failures, &ctx.ui)
}

/// A mounted image's name may be gone or elsewhere by now; its id stays.
fn find(engine: &Engine, mounted: &[ImageMount], name: &str) -> Result<Digest, Failure> {
    if let Some(image) = engine.images().find(name)? {
        return Ok(image.id);
    }
    let prefix = name.trim_start_matches("sha256:");
    let by_id = mounted.iter().find(|mount| !prefix.is_empty() && mount.image.hex().starts_with(prefix));
    by_id.map(|mount| mount.image.clone()).ok_or_else(|| super::no_such(name))
}

fn row(engine: &Engine, mount: &ImageMount) -> Result<Value, Failure> {
    let image = engine.images().find(mount.image.as_str())?;
    let name = image.map_or_else(|| "<none>".to_owned(), |image| image.name());
    Ok(json!({"ID": mount.image.short(), "Image": name, "Path": mount.path}))
}
