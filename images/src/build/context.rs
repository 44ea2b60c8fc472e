//! Contexts that are no folder of this host: an archive on stdin or from a server, a git repository, or a Dockerfile alone.
//!
//! Runs in the shell command's process.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::PathBuf;

use super::checkout::folder_of;
use super::error::{BuildError, StepError};
use super::fetch;
use super::git::{GitSource, is_git};
use super::ignore::Ignore;
use super::packing::Packing;
use crate::layer::{Below, Reader, unpack};
use crate::registry::Access;
use crate::store::{Lease, Needs, Staging, Store};

/// Largest Dockerfile that comes without a context, in bytes.
const LARGEST_TEXT: u64 = 16 << 20;

/// Host whose repositories docker takes as contexts without a scheme.
const GITHUB: &str = "github.com/";

/// What came in place of a folder.
#[derive(Debug)]
pub enum ContextInput {
    /// An archive of files.
    Archive(UnpackedContext),
    /// Anything else: the text of a Dockerfile.
    Text(String),
}

/// An unpacked archive or a checkout; removed when dropped, or after this process was killed by whoever builds next.
#[derive(Debug)]
pub struct UnpackedContext {
    staging: Staging,
    /// The folder that is meant, below that with the files.
    folder: String,
    _lease: Lease,
}

impl UnpackedContext {
    /// Returns the folder with the files.
    pub fn folder(&self) -> PathBuf {
        self.staging.path().join("fs").join(&self.folder)
    }
}

/// Reads a context from a stream.
///
/// # Errors
/// [`BuildError::Publish`] if it can be neither read nor kept.
pub fn read_context(store: &Store, mut input: impl Read) -> Result<ContextInput, BuildError> {
    let failed = || StepError::io("read the context");
    let mut file = store.blobs().spool().map_err(StepError::from)?;
    io::copy(&mut input, &mut file).map_err(failed())?;
    file.seek(SeekFrom::Start(0)).map_err(failed())?;
    Ok(of_file(store, file)?)
}

/// Downloads a context; `keeps_git`: with git's own files, if it is a repository.
///
/// # Errors
/// As [`read_context`].
pub fn download_context(
    store: &Store,
    url: &str,
    access: &Access,
    keeps_git: bool,
) -> Result<ContextInput, BuildError> {
    Ok(download(store, url, access, keeps_git)?)
}

pub(crate) fn download(store: &Store, url: &str, access: &Access, keeps_git: bool) -> Result<ContextInput, StepError> {
    if url.starts_with(GITHUB) {
        let source = GitSource::parse(&format!("https://{url}"))?;
        return Ok(ContextInput::Archive(of_repository(store, &source, keeps_git)?));
    }
    if is_git(url) {
        return Ok(ContextInput::Archive(of_repository(store, &GitSource::parse(url)?, keeps_git)?));
    }
    let file = store.blobs().spool()?;
    of_file(store, fetch::fetch(url, access, file)?.file)
}

/// Tells whether a context is something to download.
pub fn is_remote(context: &str) -> bool {
    fetch::is_url(context) || is_git(context) || context.starts_with(GITHUB)
}

fn of_repository(store: &Store, source: &GitSource, keeps_git: bool) -> Result<UnpackedContext, StepError> {
    let (lease, _) = store.begin(&Needs::default())?;
    let staging = store.layer_directories().stage(lease.name())?;
    let files = staging.path().join("fs");
    source.fetch(&source.resolve()?, &files, keeps_git)?;
    let folder = folder_of(source, &files, &Ignore::default())?.1.path;
    Ok(UnpackedContext { staging, folder, _lease: lease })
}

fn of_file(store: &Store, mut file: File) -> Result<ContextInput, StepError> {
    let failed = || StepError::io("unpack the context");
    let Some(packing) = Packing::of(&mut file).map_err(failed())? else {
        let mut text = Vec::new();
        file.take(LARGEST_TEXT).read_to_end(&mut text).map_err(failed())?;
        let text =
            String::from_utf8(text).map_err(|_| StepError::Refused("the Dockerfile is no UTF-8 text".to_owned()))?;
        return Ok(ContextInput::Text(text));
    };
    let (lease, _) = store.begin(&Needs::default())?;
    let staging = store.layer_directories().stage(lease.name())?;
    let plain = packing.reader(BufReader::new(file)).map_err(failed())?;
    let mut archive = Reader::new(BufReader::with_capacity(128 * 1024, plain));
    unpack(&mut archive, staging.root()?, &|| Ok(Below::Nothing))
        .map_err(|error| failed()(io::Error::other(error.to_string())))?;
    Ok(ContextInput::Archive(UnpackedContext { staging, folder: String::new(), _lease: lease }))
}
