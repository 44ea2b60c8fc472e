//! The directory that holds a directory for each container.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::claim::Claim;
use super::container::Container;
use super::{ContainerState, OciError};

/// Where containers are kept when the caller does not say.
pub const DEFAULT_ROOT: &str = "/run/lighter/runtime";

/// Longest id; a name in a directory is shorter still (NAME_MAX, 255), which the kernel then says.
const MOST_ID_BYTES: usize = 1024;

/// The containers of one directory.
#[derive(Clone, Debug)]
pub struct Root {
    path: PathBuf,
}

impl Root {
    /// Names the directory; it is made when the first container is.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Opens a container to look at it.
    ///
    /// # Errors
    /// [`OciError::Missing`], and [`OciError::Malformed`] for a record that cannot be read.
    pub fn open(&self, id: &str) -> Result<Container, OciError> {
        Container::open(self.directory(id)?, id)
    }

    /// Opens a container to change it; waits while another command does.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn lock(&self, id: &str) -> Result<Container, OciError> {
        let claim = Claim::of_existing(&self.directory(id)?)?.ok_or_else(|| OciError::Missing(id.to_owned()))?;
        Container::locked(claim, id)
    }

    /// Takes an id that nobody has.
    pub(super) fn claim(&self, id: &str) -> Result<Claim, OciError> {
        let directory = self.directory(id)?;
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.path);
        made.map_err(OciError::file("make directory", &self.path))?;
        Claim::of_new(&directory)?.ok_or_else(|| OciError::Exists(id.to_owned()))
    }

    /// Returns the containers there are, by id; what cannot be read is passed over.
    ///
    /// # Errors
    /// [`OciError::File`] when the directory is there and cannot be read.
    pub fn list(&self) -> Result<Vec<ContainerState>, OciError> {
        let entries = match std::fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            result => result.map_err(OciError::file("read directory", &self.path))?,
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut listed: Vec<ContainerState> = names.filter_map(|name| self.list_one(&name)).collect();
        listed.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(listed)
    }

    fn list_one(&self, id: &str) -> Option<ContainerState> {
        let container = self.open(id).ok()?;
        Some(ContainerState { owner: container.owner(), ..container.state() })
    }

    pub(super) fn directory(&self, id: &str) -> Result<PathBuf, OciError> {
        let known = |c: char| c.is_ascii_alphanumeric() || "_+-.".contains(c);
        let sound = !id.is_empty() && id.len() <= MOST_ID_BYTES && id.chars().all(known) && id != "." && id != "..";
        match sound {
            true => Ok(self.path.join(id)),
            false => Err(OciError::Id(id.escape_default().to_string())),
        }
    }
}

/// Opens a directory for flock(2) and paths below it.
pub(super) fn open_directory(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_cannot_lead_elsewhere() {
        let root = Root::new(Path::new("/nowhere"));
        for id in ["", ".", "..", "a/b", "../a", "a\0", "a b", "ä", "a\n"] {
            assert!(matches!(root.open(id), Err(OciError::Id(_))), "{id:?}");
        }
        assert!(matches!(root.open("a_b+c-d.0"), Err(OciError::Missing(_))));
    }

    #[test]
    fn an_id_is_taken_once() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(&directory.path().join("deep/er"));
        let claim = root.claim("box").unwrap();
        assert!(matches!(root.claim("box"), Err(OciError::Exists(_))));
        drop(claim);
        root.claim("box").unwrap();
    }
}
