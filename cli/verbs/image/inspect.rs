//! `lighter image inspect`, and the object that docker shows for an image.

use lighter_engine::Engine;
use lighter_engine::images::platform::Platform;
use lighter_engine::images::store::Image;
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::Failure;
use crate::ui::format::Inspection;

/// Show everything about images
#[derive(clap::Args)]
pub(crate) struct ImageInspectArgs {
    /// Images, by name or id
    #[arg(required = true)]
    images: Vec<String>,
    /// A template instead of JSON: '{{.Config.Cmd}}'
    #[arg(short, long)]
    format: Option<Inspection>,
    /// The image for this platform, where the name stands for several: `linux/amd64`
    #[arg(long)]
    platform: Option<Platform>,
}

pub(crate) fn run(ctx: &Context, args: &ImageInspectArgs) -> Result<(), Failure> {
    let engine = ctx.engine()?;
    super::super::inspect::each(ctx, &args.images, args.format.as_ref(), |name| {
        Ok(vec![object(&engine, &super::find(&engine, name, args.platform.as_ref())?)?])
    })
}

/// Returns an image as docker shows it.
pub(crate) fn object(engine: &Engine, image: &Image) -> Result<Value, Failure> {
    let config = engine.images().raw_config(image)?;
    let text = |name: &str| config[name].as_str().unwrap_or_default().to_owned();
    let comment = config["history"].as_array().and_then(|history| history.last()?["comment"].as_str());
    let layers = engine.images().layers(image).unwrap_or_default();
    let mut layers = layers.iter().map(|path| path.display().to_string());
    let upper = layers.next();
    let lower: Vec<_> = layers.collect();
    let mut object = json!({
        "Id": image.id,
        "RepoTags": tags(image),
        "RepoDigests": image.repo_digests,
        "Parent": "",
        "Comment": comment.unwrap_or_default(),
        "Created": image.config.created(),
        "DockerVersion": text("docker_version"),
        "Author": text("author"),
        "Architecture": image.config.architecture().to_string(),
        "Variant": text("variant"),
        "Os": image.config.os().to_string(),
        "OsVersion": text("os.version"),
        "Size": image.size,
        "VirtualSize": image.size,
        "Config": whole(&config["config"]),
        "GraphDriver": {"Name": "overlay", "Data": {"UpperDir": upper, "LowerDir": lower.join(":")}},
        "RootFS": {"Type": "layers", "Layers": image.config.rootfs().diff_ids()},
        "Metadata": {"LastTagTime": "0001-01-01T00:00:00Z"},
        "Manifest": image.manifest,
    });
    if let Some(object) = object.as_object_mut() {
        let absent = ["Variant", "OsVersion"].into_iter().filter(|name| object[*name] == "").collect::<Vec<_>>();
        absent.into_iter().for_each(|name| _ = object.remove(name));
    }
    Ok(object)
}

/// Returns a configuration with all fields that docker's has: a template may ask for what an image leaves out.
fn whole(config: &Value) -> Value {
    let mut whole = json!({
        "Hostname": "",
        "Domainname": "",
        "User": "",
        "AttachStdin": false,
        "AttachStdout": false,
        "AttachStderr": false,
        "Tty": false,
        "OpenStdin": false,
        "StdinOnce": false,
        "Env": [],
        "Cmd": null,
        "Image": "",
        "Volumes": null,
        "WorkingDir": "",
        "Entrypoint": null,
        "OnBuild": null,
        "Labels": {},
    });
    let said = config.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    said.for_each(|(name, value)| whole[name] = value.clone());
    whole
}

fn tags(image: &Image) -> Vec<String> {
    let tagged = image.references.iter().filter(|reference| reference.digest().is_none());
    tagged.map(|reference| reference.familiar()).collect()
}
