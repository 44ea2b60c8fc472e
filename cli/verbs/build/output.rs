//! What is made of a build's result.

use std::path::{Path, PathBuf};

use lighter_engine::Engine;
use lighter_engine::images::archive::{self, ArchiveFormat, SaveOptions};
use lighter_engine::images::build::{self, Built, LayerForm};
use lighter_engine::images::digest::Digest;
use lighter_engine::images::push::push;
use lighter_engine::images::reference::Reference;
use lighter_engine::images::store::Image;
use serde_json::json;

use super::request::fields;
use super::{BuildFlags, Job};
use crate::context::Context;
use crate::error::Failure;
use crate::ui::progress;
use crate::verbs::output as file;

/// One thing to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Output {
    /// An image in the store, under these names besides `--tag`'s, and perhaps pushed.
    Image { names: Vec<String>, pushes: bool },
    /// An archive of the image, under these names besides `--tag`'s; `None` is stdout.
    Archive { is_oci: bool, path: Option<PathBuf>, names: Vec<String> },
    /// The files.
    Folder(PathBuf),
    /// The files in an archive; `None` is stdout.
    Tar(Option<PathBuf>),
}

/// Files that say what was built.
pub(super) struct Files {
    pub(super) id: Option<PathBuf>,
    pub(super) metadata: Option<PathBuf>,
}

/// Reads `--output`, `--load` and `--push`; an image in the store is what is made if nothing is said.
pub(super) fn outputs(flags: &BuildFlags, here: &Path) -> Result<Vec<Output>, Failure> {
    let mut outputs = flags.output.iter().map(|text| output(text, here)).collect::<Result<Vec<_>, _>>()?;
    if flags.push {
        outputs.push(Output::Image { names: Vec::new(), pushes: true });
    }
    if flags.load || outputs.is_empty() {
        outputs.push(Output::Image { names: Vec::new(), pushes: false });
    }
    Ok(outputs)
}

fn output(text: &str, here: &Path) -> Result<Output, Failure> {
    let path = |text: &str| if text == "-" { None } else { Some(here.join(text)) };
    if !text.contains('=') {
        return Ok(path(text).map_or(Output::Tar(None), Output::Folder));
    }
    let fields = fields(text);
    let wrong = |why: &str| Failure::text(format!("--output `{text}`: {why}"));
    if let Some(other) = fields.keys().find(|name| !["type", "dest", "name", "push"].contains(name)) {
        return Err(wrong(&format!("`{other}` is not supported")));
    }
    let destination = fields.get("dest").copied();
    let names = fields.get("name").map(|name| vec![(*name).to_owned()]).unwrap_or_default();
    match fields.get("type").copied().unwrap_or("local") {
        "image" => Ok(Output::Image { names, pushes: fields.get("push").is_some_and(|value| *value == "true") }),
        "registry" => Ok(Output::Image { names, pushes: true }),
        "docker" if destination.is_none() => Ok(Output::Image { names, pushes: false }),
        kind @ ("docker" | "oci") => {
            Ok(Output::Archive { is_oci: kind == "oci", path: destination.and_then(path), names })
        }
        "local" => match destination.map(path) {
            Some(Some(folder)) => Ok(Output::Folder(folder)),
            _ => Err(wrong("`dest=FOLDER` is missing")),
        },
        "tar" => Ok(Output::Tar(destination.and_then(path))),
        other => Err(wrong(&format!("there is no type `{other}`"))),
    }
}

impl Output {
    /// Tells whether it is an image.
    pub(super) fn is_image(&self) -> bool {
        matches!(self, Output::Image { .. } | Output::Archive { .. })
    }

    /// Refuses what cannot be made of images for several platforms.
    pub(super) fn check_several(&self) -> Result<(), Failure> {
        match self {
            Output::Tar(_) => Err(Failure::text("--output `type=tar` is for one platform: use `type=local`")),
            _ => Ok(()),
        }
    }
}

/// An image that was made.
struct Made {
    image: Image,
    /// What its names stand for: the manifest, or the index of images for several platforms.
    digest: Digest,
}

/// Makes everything; returns the id of the image, if one was made.
pub(super) fn make(ctx: &Context, engine: &Engine, built: &[Built<'_>], job: &Job) -> Result<Option<String>, Failure> {
    let mut made: Option<Made> = None;
    for output in &job.outputs {
        match output {
            Output::Folder(folder) => export_files(built, folder)?,
            Output::Tar(path) => file::write(path.as_deref(), |out| Ok(built[0].export_archive(out)?))?,
            Output::Image { names, pushes } => {
                let all = all_names(job, names)?;
                let image = publish(built, &all, job)?;
                if *pushes {
                    push_all(ctx, engine, &all)?;
                }
                made = Some(image);
            }
            Output::Archive { is_oci, path, names } => {
                let all = all_names(job, names)?;
                let image = publish(built, &all, job)?;
                let format = if *is_oci { ArchiveFormat::Oci } else { ArchiveFormat::Docker };
                let mut names: Vec<String> = all.iter().map(Reference::familiar).collect();
                if names.is_empty() {
                    names.push(image.image.id.to_string());
                }
                let options = SaveOptions { format, platform: None };
                file::write(path.as_deref(), |out| Ok(archive::save(engine.images(), &names, &options, out)?))?;
                made = Some(image);
            }
        }
    }
    if let Some(made) = &made {
        write_files(job, made)?;
    }
    Ok(made.map(|made| made.image.id.to_string()))
}

/// Lists the image, or an index of those for several platforms.
fn publish(built: &[Built<'_>], names: &[Reference], job: &Job) -> Result<Made, Failure> {
    if let [built] = built
        && !job.images.have_index()
    {
        let image = built.publish(names, form(&job.outputs))?;
        return Ok(Made { digest: image.manifest.clone(), image });
    }
    let (image, digest) = build::publish_all(built, names, &job.images.of_index())?;
    Ok(Made { image, digest })
}

/// Copies the files; those for several platforms get a folder each, `linux_arm64`.
fn export_files(built: &[Built<'_>], folder: &Path) -> Result<(), Failure> {
    if let [built] = built {
        return Ok(built.export_files(folder)?);
    }
    for built in built {
        built.export_files(&folder.join(built.platform().to_string().replace('/', "_")))?;
    }
    Ok(())
}

/// An image that leaves this host has compressed layers; Docker's archives have plain ones everywhere.
fn form(outputs: &[Output]) -> LayerForm {
    let leaves =
        |output: &Output| matches!(output, Output::Image { pushes: true, .. } | Output::Archive { is_oci: true, .. });
    if outputs.iter().any(leaves) { LayerForm::Compressed } else { LayerForm::Plain }
}

/// Joins `--tag`'s names and those of an output.
fn all_names(job: &Job, names: &[String]) -> Result<Vec<Reference>, Failure> {
    let own = names.iter().map(|name| Ok(name.parse()?)).collect::<Result<Vec<Reference>, Failure>>()?;
    Ok(job.names.iter().cloned().chain(own).collect())
}

fn push_all(ctx: &Context, engine: &Engine, names: &[Reference]) -> Result<(), Failure> {
    if names.is_empty() {
        return Err(Failure::text("an image without a name cannot be pushed: use --tag"));
    }
    let options = ctx.push_options(None)?;
    for name in names {
        let progress = progress::of(progress::Style::Auto, ctx.ui.interactive);
        push(engine.images(), name, &options, progress.as_ref())?;
    }
    Ok(())
}

fn write_files(job: &Job, made: &Made) -> Result<(), Failure> {
    let write = |path: &PathBuf, text: String| {
        std::fs::write(path, text).map_err(|error| Failure::text(format!("write `{}`: {error}", path.display())))
    };
    if let Some(path) = &job.files.id {
        write(path, made.image.id.to_string())?;
    }
    if let Some(path) = &job.files.metadata {
        let names: Vec<String> = job.names.iter().map(ToString::to_string).collect();
        let metadata = json!({
            "containerimage.config.digest": made.image.id.to_string(),
            "containerimage.digest": made.digest.to_string(),
            "image.name": names.join(","),
        });
        write(path, format!("{metadata:#}\n"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_have_a_long_and_a_short_form() {
        let here = Path::new("/here");
        let read = |text: &str| output(text, here).map_err(|failure| failure.to_string());
        assert_eq!(read("out"), Ok(Output::Folder("/here/out".into())));
        assert_eq!(read("-"), Ok(Output::Tar(None)));
        assert_eq!(read("type=tar,dest=x.tar"), Ok(Output::Tar(Some("/here/x.tar".into()))));
        assert_eq!(read("type=oci,dest=-"), Ok(Output::Archive { is_oci: true, path: None, names: vec![] }));
        assert_eq!(read("type=docker"), Ok(Output::Image { names: vec![], pushes: false }));
        assert_eq!(read("type=image,name=a,push=true"), Ok(Output::Image { names: vec!["a".into()], pushes: true }));
        assert!(read("type=local").is_err() && read("type=x,dest=y").is_err() && read("type=oci,tar=false").is_err());
    }
}
