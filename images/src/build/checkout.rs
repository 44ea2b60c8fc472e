//! A commit of a repository as something to copy, or as a context.
//!
//! Runs in the shell command's process. Its files are fetched into a directory beside the store's layers, and only when the
//! cache has not what they give: a commit's name says its content.

use std::path::Path;

use super::error::StepError;
use super::fault::Problem;
use super::git::{Commit, GitSource};
use super::ignore::Ignore;
use super::instruction::Copy;
use super::place::{Changes, Destination, Target};
use super::session::Report;
use super::stage::Stage;
use super::tree::{Found, Tree, open_root};
use crate::store::Staging;

/// What ADD takes of a repository.
pub(crate) struct Checkout {
    source: GitSource,
    commit: Commit,
    keeps_git: bool,
    /// Patterns of what is left out.
    exclude: Vec<String>,
    /// Where it is fetched to.
    staging: Staging,
}

impl Stage<'_, '_> {
    /// Asks which commit is meant, and checks that it is the one that is wanted.
    pub(crate) fn check_out(&self, copy: &Copy, source: &str, report: &Report<'_>) -> Result<Checkout, StepError> {
        let source = GitSource::parse(source)?;
        if copy.unpack.is_some() {
            return Err(Problem::flag("ADD", "unpack", "a git repository is no archive").into());
        }
        if copy.keeps_git && !source.folder().is_empty() {
            return Err(Problem::flag("ADD", "keep-git-dir", "a folder of a repository has none").into());
        }
        let commit = source.resolve()?;
        self.note(report, &format!("commit {} of {}", commit.id(), source.shown()));
        self.build.note(&source.shown(), Some(("gitCommit", commit.id())));
        let wanted = copy.checksum.as_ref().map(|text| self.expand(text)).transpose()?;
        if let Some(wanted) = wanted.filter(|wanted| !commit.is_named_by(wanted)) {
            let (repository, id) = (source.shown(), commit.id());
            return Err(StepError::Refused(format!("ADD `{repository}`: the commit is `{id}`, not `{wanted}`")));
        }
        let exclude = copy.exclude.iter().map(|text| self.expand(text)).collect::<Result<_, _>>()?;
        let staging = self.build.with.store.layer_directories().stage(self.build.lease.name())?;
        Ok(Checkout { source, commit, keeps_git: copy.keeps_git, exclude, staging })
    }
}

impl Checkout {
    /// Returns what its files depend on.
    pub(crate) fn key(&self) -> Vec<String> {
        // git's own files name the repository.
        let repository = if self.keeps_git { self.source.shown() } else { String::new() };
        let mut parts = vec![self.commit.id().to_owned(), self.source.folder().to_owned(), repository];
        parts.extend(self.exclude.iter().cloned());
        parts
    }

    /// Fetches the files and copies them to `destination`.
    pub(crate) fn place(&self, target: &Target, destination: &str, changes: &Changes) -> Result<(), StepError> {
        let exclude = Ignore::of(self.exclude.iter().map(String::as_str))?;
        let directory = self.staging.path().join("fs");
        self.source.fetch(&self.commit, &directory, self.keeps_git)?;
        let (tree, found) = folder_of(&self.source, &directory, &exclude)?;
        let act = format!("copy `{}` to `/{destination}`", self.source.shown());
        target.copy(&tree, &found, Destination::At(destination), changes).map_err(StepError::io(act))
    }
}

/// Finds the folder that is meant in a directory into which its repository was fetched.
///
/// # Errors
/// [`StepError::NoSource`]: it is not there, or no folder.
pub(crate) fn folder_of(source: &GitSource, directory: &Path, exclude: &Ignore) -> Result<(Tree, Found), StepError> {
    let failed = || StepError::io("look at what was fetched");
    let tree = Tree::context(open_root(directory).map_err(failed())?, Ignore::default());
    let found = tree.find_one(source.folder(), exclude).map_err(failed())?.filter(Found::is_directory);
    let missing = || StepError::NoSource {
        path: source.folder().to_owned(),
        place: format!("`{}`, as a folder", source.shown()),
    };
    Ok((tree, found.ok_or_else(missing)?))
}
