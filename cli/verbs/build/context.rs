//! Where the files and the Dockerfile of a build are.

use std::io::Read;
use std::path::{Path, PathBuf};

use lighter_engine::Engine;
use lighter_engine::images::build::{ContextInput, UnpackedContext, download_context, is_remote, read_context};

use crate::context::Context;
use crate::error::Failure;

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

impl Source {
    /// Finds the context that the command line names, and the Dockerfile: `file`, or the usual one in the context.
    pub(crate) fn find(ctx: &Context, engine: &Engine, context: &str, file: Option<&Path>) -> Result<Source, Failure> {
        let from_stdin = file == Some(Path::new("-"));
        if context == "-" && from_stdin {
            return Err(Failure::text("context and Dockerfile cannot both come from stdin"));
        }
        let input = match context {
            "-" => Some(read_context(engine.images(), std::io::stdin().lock())?),
            url if is_remote(url) => Some(download_context(engine.images(), url, &ctx.access()?)?),
            _ => None,
        };
        match input {
            Some(ContextInput::Text(text)) => Ok(Source::without_files(text, "Dockerfile")),
            Some(ContextInput::Archive(unpacked)) => {
                let folder = unpacked.folder();
                let file = file.map(|file| folder.join(file.strip_prefix("/").unwrap_or(file)));
                let source = Source::in_folder(&folder, file.as_deref(), None)?;
                Ok(Source { _unpacked: Some(unpacked), ..source })
            }
            None => {
                let here = &ctx.invocation.working_directory;
                let inline = from_stdin.then(read_stdin).transpose()?;
                let file = file.filter(|_| !from_stdin).map(|file| here.join(file));
                Source::in_folder(&here.join(context), file.as_deref(), inline)
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
        let general = folder.join(".dockerignore");
        let (file_name, dockerfile, own) = match (inline, file) {
            (Some(text), _) => ("Dockerfile".to_owned(), text, None),
            (None, file) => {
                let path = file.map_or_else(|| usual(folder), Path::to_owned);
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| Failure::text(format!("read the Dockerfile `{}`: {error}", path.display())))?;
                let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
                (name, text, Some(PathBuf::from(format!("{}.dockerignore", path.display()))))
            }
        };
        let ignore = own.filter(|own| own.exists()).unwrap_or(general);
        let ignore = match std::fs::read_to_string(&ignore) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            text => text.map_err(|error| Failure::text(format!("read `{}`: {error}", ignore.display())))?,
        };
        Ok(Source { folder: Some(folder.to_owned()), file_name, dockerfile, ignore, _unpacked: None })
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
