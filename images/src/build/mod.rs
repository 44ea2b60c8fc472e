//! Builds images from Dockerfiles, without a build daemon.
//!
//! Runs in the shell command's process, a thread for each stage that is needed. Parsing and planning are pure; steps that
//! change files work in directories of the image store, and what they give is a layer of it. A RUN is handed to a
//! [`StepRunner`]. Killed at any point, a build leaves what is done in the cache, and nothing else.
//!
//! ```text
//! text ─ lexer ─▶ lines ─ parse ─▶ stages ─ graph ─▶ what is needed ─ stage, in parallel ─▶ state
//!   step ─ key ─▶ cache? ─▶ overlay: copying, running ─▶ changes ─ layer ─▶ ROOT/layers, ROOT/build/steps
//! state ─ publish ─▶ blobs, configuration, manifest ─▶ index
//! ```

mod archive;
mod cache;
mod check;
mod checkout;
mod config;
mod context;
mod copying;
mod error;
mod expand;
mod fault;
mod fetch;
mod git;
mod graph;
mod ignore;
mod instruction;
mod key;
mod layer;
mod lexer;
mod mode;
mod mount;
mod output;
mod owner;
mod packing;
mod parse;
mod path;
mod pattern;
mod place;
mod portable;
mod progress;
mod provenance;
mod publish;
mod remote_cache;
mod request;
mod runner;
mod running;
mod scope;
mod session;
mod several;
mod stage;
mod state;
mod tree;
mod union;
mod words;
mod workers;

pub(crate) use cache::{BlobRecord, cached_layers};
pub use cache::{Cache, CacheEntry};
pub use check::{Warning, check, unused_arguments};
pub use context::{ContextInput, UnpackedContext, download_context, is_remote, read_context};
pub use error::{BuildError, FailedRun, StepError};
pub use expand::ExpandError;
pub use fault::{Fault, Problem};
pub use ignore::ContextFilter;
pub use pattern::PatternError;
pub use progress::{BuildEvent, BuildProgress, Silent};
pub use provenance::Provenance;
pub use request::{Allowed, BuildRequest, CacheExtent, CachePlace, LayerForm, NamedContext, Secret};
pub use runner::{RunOptions, RunStep, StepMount, StepMountKind, StepNetwork, StepProcess, StepRunner};
pub use session::Builder;
pub use several::IndexOptions;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use self::graph::Graph;
use self::scope::Globals;
use self::session::Build;
use self::state::State;
use crate::digest::Digest;
use crate::layer::Compression;
use crate::platform::Platform;
use crate::reference::Reference;
use crate::store::Image;

/// A build that is done; what comes out of it is the caller's choice.
pub struct Built<'a> {
    build: Build<'a>,
    state: Arc<State>,
}

/// Carries a build out.
///
/// # Errors
/// [`BuildError`]. What steps gave before the failure is in the cache.
pub fn build<'a>(with: Builder<'a>, request: &'a BuildRequest) -> Result<Built<'a>, BuildError> {
    let fault = |fault: Fault| BuildError::Fault { file: request.file_name.clone(), fault: Box::new(fault) };
    let file = parse::parse(&request.dockerfile).map_err(fault)?;
    if file.check.is_some() {
        refuse_findings(request).map_err(fault)?;
    }
    let host = Platform::host();
    let target = request.platform.clone().unwrap_or_else(Platform::host);
    let globals = Globals::new(&request.arguments, (&host, &target), &file.globals, file.escape)
        .map_err(|(line, error)| fault(Problem::from(error).at(line)))?;
    let is_context = |name: &str| request.contexts.contains_key(name);
    let graph = Graph::new(&file, &globals, request.target.as_deref(), &is_context).map_err(fault)?;
    let build = Build::new(with, request, file, globals, graph)?;
    let state = build.run()?;
    Ok(Built { build, state })
}

/// Refuses a file that says that findings are errors (`# check=error=true`), and has one.
fn refuse_findings(request: &BuildRequest) -> Result<(), Fault> {
    let (findings, are_errors) = check(request)?;
    match findings.into_iter().next().filter(|_| are_errors) {
        Some(Warning { line, rule, text }) => Err(Problem::Finding { rule, text }.at(line)),
        None => Ok(()),
    }
}

/// Lists what was built, for several platforms perhaps, as an index under these names; layers are compressed.
///
/// Returns the image that runs here, or else the first, and the digest of the index.
///
/// # Errors
/// [`BuildError::Publish`].
pub fn publish_all(
    all: &[Built<'_>],
    names: &[Reference],
    options: &IndexOptions,
) -> Result<(Image, Digest), BuildError> {
    Ok(several::publish(all, names, options)?)
}

/// Writes the steps that builds needed to a folder or a registry, for another build's [`BuildRequest::cache_sources`].
///
/// # Errors
/// [`BuildError::Publish`].
pub fn export_cache(all: &[Built<'_>], place: &CachePlace, extent: CacheExtent) -> Result<(), BuildError> {
    let mut steps = portable::Steps::new();
    for built in all {
        steps.extend(portable::steps(&built.build, &built.state, extent)?);
    }
    let build = &all[0].build;
    match place {
        CachePlace::Folder(folder) => portable::export(build, &steps, folder)?,
        CachePlace::Image(reference) => remote_cache::push(build, steps, reference)?,
    }
    Ok(())
}

impl Built<'_> {
    /// Returns the platform it was built for.
    pub fn platform(&self) -> Platform {
        self.build.platform()
    }

    /// Lists the image under these names; without any it has its id only.
    ///
    /// # Errors
    /// [`BuildError::Publish`].
    pub fn publish(&self, names: &[Reference], form: LayerForm) -> Result<Image, BuildError> {
        // Records that an image brings along name the blobs that it has at a registry.
        let is_carried = form == LayerForm::Compressed || self.build.request.has_inline_cache;
        let compression = if is_carried { Compression::Gzip } else { Compression::None };
        Ok(publish::publish(&self.build, &self.state, names, compression)?)
    }

    /// Copies the files into a folder.
    ///
    /// # Errors
    /// [`BuildError::Publish`].
    pub fn export_files(&self, folder: &Path) -> Result<(), BuildError> {
        Ok(output::local(&self.build, &self.state, folder)?)
    }

    /// Writes the files as an archive.
    ///
    /// # Errors
    /// [`BuildError::Publish`].
    pub fn export_archive(&self, out: impl Write) -> Result<(), BuildError> {
        Ok(output::tar(&self.build, &self.state, out)?)
    }
}
