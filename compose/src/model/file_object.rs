//! Configs and secrets: files given to services.

use std::path::PathBuf;

/// Where the content of a config or a secret comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum FileContent {
    /// A file of the host: bind-mounted read-only, or a copy where a service says whose it is.
    File(PathBuf),
    /// Text of the compose file.
    Inline(String),
    /// The value an environment variable had when the project was loaded; [`None`] when it was not set.
    Variable {
        /// The name of the variable.
        name: String,
        /// Its value, never shown.
        value: Option<String>,
    },
    /// Made outside of the project.
    External,
}

/// Hides the value of a variable: it may be a secret.
impl std::fmt::Debug for FileContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Inline(text) => write!(f, "Inline({} bytes)", text.len()),
            Self::Variable { name, .. } => write!(f, "Variable({name})"),
            Self::External => f.write_str("External"),
        }
    }
}

/// One entry of the top-level `configs` or `secrets`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileObject {
    /// The key in the file.
    pub key: String,
    /// The name on the host: `name:`, else `<project>_<key>`.
    pub name: String,
    /// What it holds.
    pub content: FileContent,
}

/// One config or secret as a service sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileGrant {
    /// The key of the [`FileObject`].
    pub source: String,
    /// The absolute path in the container: `/<source>` for a config, `/run/secrets/<source>` for a secret by default.
    pub target: String,
    /// Owner of the file in the container; default is 0.
    pub uid: Option<u32>,
    /// Group of the file in the container; default is 0.
    pub gid: Option<u32>,
    /// Permission bits; default is 0444.
    pub mode: Option<u32>,
}

impl FileGrant {
    /// Returns whether the container shall see another owner or other permissions than a file of the host may have.
    pub fn is_adapted(&self) -> bool {
        self.uid.is_some() || self.gid.is_some() || self.mode.is_some()
    }
}
