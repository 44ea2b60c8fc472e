//! Where the files and the Dockerfile of a build are.

use std::io::Read;
use std::path::{Path, PathBuf};

use lighter_engine::Engine;
use lighter_engine::images::build::{
    ContextFilter, ContextInput, UnpackedContext, download_context, is_remote, read_context,
};

use crate::context::Context;
use crate::error::Failure;

/// What says which files of a folder are not part of the context.
pub(crate) const GENERAL: &str = ".dockerignore";

/// A build context with its Dockerfile.
pub(crate) struct Source {
    /// The folder; `None` is an empty one.
    pub(crate) folder: Option<PathBuf>,
    /// What the Dockerfile is called in messages.
    pub(crate) file_name: String,
    pub(crate) dockerfile: String,
    /// Text of the `.dockerignore` that counts.
    pub(crate) ignore: String,
    /// What keeps an unpacked context.
    _unpacked: Option<UnpackedContext>,
}

/// What a command line or a Compose file says about it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Place<'a> {
    /// A folder, `-`, or what [`is_remote`].
    pub(crate) context: &'a str,
    /// The Dockerfile; `-` is stdin.
    pub(crate) file: Option<&'a Path>,
    /// The Dockerfile itself.
    pub(crate) inline: Option<&'a str>,
    /// Keep git's own files, if the context is a repository.
    pub(crate) keeps_git: bool,
}

impl Source {
    /// Finds a context and the Dockerfile: the one that is named, or the usual one in the context.
    pub(crate) fn find(ctx: &Context, engine: &Engine, place: Place<'_>) -> Result<Source, Failure> {
        let from_stdin = place.file == Some(Path::new("-"));
        if place.context == "-" && from_stdin {
            return Err(Failure::text("context and Dockerfile cannot both come from stdin"));
        }
        let input = match place.context {
            "-" => Some(read_context(engine.images(), std::io::stdin().lock())?),
            url if is_remote(url) => Some(download_context(engine.images(), url, &ctx.access()?, place.keeps_git)?),
            _ => None,
        };
        let inline = if from_stdin { Some(read_stdin()?) } else { place.inline.map(str::to_owned) };
        let file = place.file.filter(|_| !from_stdin);
        match input {
            Some(ContextInput::Text(text)) => Ok(Source::without_files(text, "Dockerfile")),
            Some(ContextInput::Archive(unpacked)) => {
                let folder = unpacked.folder();
                let file = file.map(|file| folder.join(file.strip_prefix("/").unwrap_or(file)));
                let file = file.unwrap_or_else(|| usual(&folder));
                stays_within(&folder, &file)?;
                stays_within(&folder, &folder.join(GENERAL))?;
                let source = Source::in_folder(&folder, Some(&file), inline)?;
                Ok(Source { _unpacked: Some(unpacked), ..source })
            }
            None => {
                let here = &ctx.invocation.working_directory;
                let file = file.map(|file| here.join(file));
                Source::in_folder(&here.join(place.context), file.as_deref(), inline)
            }
        }
    }

    /// Takes a Dockerfile that needs no files.
    pub(crate) fn without_files(dockerfile: String, file_name: &str) -> Source {
        let (file_name, ignore) = (file_name.to_owned(), String::new());
        Source { folder: None, file_name, dockerfile, ignore, _unpacked: None }
    }

    /// Takes a folder, with the Dockerfile `file`, or the text `inline`, or the usual file.
    pub(crate) fn in_folder(folder: &Path, file: Option<&Path>, inline: Option<String>) -> Result<Source, Failure> {
        if !folder.is_dir() {
            return Err(Failure::text(format!("context `{}` is no folder", folder.display())));
        }
        let (file_name, dockerfile, file) = match (inline, file) {
            (Some(text), _) => ("Dockerfile".to_owned(), text, None),
            (None, file) => {
                let path = file.map_or_else(|| usual(folder), Path::to_owned);
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| Failure::text(format!("read the Dockerfile `{}`: {error}", path.display())))?;
                let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
                (name, text, Some(path))
            }
        };
        let ignore = ignore_text(folder, file.as_deref())?;
        Ok(Source { folder: Some(folder.to_owned()), file_name, dockerfile, ignore, _unpacked: None })
    }
}

/// Reads what is left out of a folder: the file beside the Dockerfile `file`, or the folder's.
fn ignore_text(folder: &Path, file: Option<&Path>) -> Result<String, Failure> {
    let own = file.map(|file| PathBuf::from(format!("{}{GENERAL}", file.display()))).filter(|own| own.exists());
    let path = own.unwrap_or_else(|| folder.join(GENERAL));
    match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        text => text.map_err(|error| Failure::text(format!("read `{}`: {error}", path.display()))),
    }
}

/// What of a folder goes to another host, to be built there.
pub(crate) struct Carried {
    pub(crate) filter: ContextFilter,
    /// Text of the `.dockerignore` that counts there too.
    pub(crate) ignore: String,
}

impl Carried {
    /// Reads what is left out of a context with the Dockerfile `file`, or the usual one.
    pub(crate) fn of(folder: &Path, file: Option<&Path>) -> Result<Self, Failure> {
        let file = file.map_or_else(|| usual(folder), Path::to_owned);
        let ignore = ignore_text(folder, Some(&file))?;
        let within = file.strip_prefix(folder).ok().and_then(Path::to_str).map(str::to_owned);
        Ok(Self { filter: ContextFilter::parse(&ignore, within.into_iter().collect())?, ignore })
    }
}

/// Refuses a file of a context from elsewhere that is a link to one of this host.
fn stays_within(folder: &Path, file: &Path) -> Result<(), Failure> {
    let (Ok(folder), Ok(real)) = (folder.canonicalize(), file.canonicalize()) else { return Ok(()) };
    match real.starts_with(&folder) {
        true => Ok(()),
        false => Err(Failure::text(format!("`{}` leads out of the context", file.display()))),
    }
}

/// Docker looks for a lower-case name only if the usual one is not there.
fn usual(folder: &Path) -> PathBuf {
    let [upper, lower] = ["Dockerfile", "dockerfile"].map(|name| folder.join(name));
    if !upper.exists() && lower.exists() { lower } else { upper }
}

fn read_stdin() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin().lock().read_to_string(&mut text).map_err(|error| Failure::text(format!("read stdin: {error}")))?;
    Ok(text)
}
