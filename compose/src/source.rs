//! Where a project comes from: the words of the command line, before any file is read.
//!
//! Runs in the command, which fills it from its arguments, its environment and its working directory; this crate reads
//! none of the three itself.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The process environment, read once by the command.
pub type Environment = BTreeMap<String, String>;

/// Which files make the project and how the command line changes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// `-f`: the files, merged in this order; `-` is [`Source::stdin`]; empty means `COMPOSE_FILE` or discovery.
    pub files: Vec<PathBuf>,
    /// `--project-directory`: base of relative paths; default is the directory of the first file.
    pub project_directory: Option<PathBuf>,
    /// `-p`: wins over `COMPOSE_PROJECT_NAME`, `name:` and the directory name.
    pub project_name: Option<String>,
    /// `--env-file`, in order; empty means `COMPOSE_ENV_FILES` or `.env`.
    pub env_files: Vec<PathBuf>,
    /// `--profile`; empty means `COMPOSE_PROFILES`. `*` is every profile.
    pub profiles: Vec<String>,
    /// Services named on the command line: enabled even where no active profile enables them.
    pub services: Vec<String>,
    /// The absolute working directory of the command.
    pub working_directory: PathBuf,
    /// The text of standard input, when a file is `-`.
    pub stdin: Option<String>,
    /// `--no-interpolate`: `$` stays as it is written.
    pub no_interpolate: bool,
    /// `--no-normalize`: what is implied is not filled in.
    pub no_normalize: bool,
    /// `--no-path-resolution`: relative paths stay as they are written.
    pub no_path_resolution: bool,
    /// `--no-consistency`: nobody asks whether the parts fit each other.
    pub no_consistency: bool,
    /// `--no-env-resolution`: environment files of services are named, not read.
    pub no_env_resolution: bool,
}
