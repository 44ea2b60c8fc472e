//! A build's files instead of an image: `--output type=local` and `type=tar`.
//!
//! Runs in the shell command's process.

use std::fs;
use std::io::Write;
use std::path::Path;

use super::error::StepError;
use super::ignore::Ignore;
use super::place::{Changes, Destination, Target};
use super::session::Build;
use super::state::State;
use super::tree::open_root;
use crate::derive::archive;

/// Copies the files into a folder, which is made if need be; what is there besides stays.
pub(crate) fn local(build: &Build<'_>, state: &State, folder: &Path) -> Result<(), StepError> {
    let failed = || StepError::io(format!("write the files to `{}`", folder.display()));
    fs::create_dir_all(folder).map_err(failed())?;
    let tree = build.joined(state)?;
    let all = tree.find("", &Ignore::default()).map_err(failed())?;
    let target = Target::new(open_root(folder).map_err(failed())?);
    all.iter()
        .try_for_each(|found| target.copy(&tree, found, Destination::At(""), &Changes::default()))
        .map_err(failed())
}

/// Writes the files as an archive.
pub(crate) fn tar(build: &Build<'_>, state: &State, out: impl Write) -> Result<(), StepError> {
    archive(build.joined(state)?.into_root(), out)?;
    Ok(())
}
