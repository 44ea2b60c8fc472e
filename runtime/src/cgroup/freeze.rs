//! Pausing every process of a cgroup.

use std::path::PathBuf;

use super::error::{read, write, write_if_there};
use super::kill::wait_a_moment;
use super::{Cgroup, CgroupError};

/// How long to wait until all processes have stopped; one in an uninterruptible sleep stops later.
const PATIENCE_MS: usize = 2_000;

/// The file that freezes a cgroup, and the words it knows.
struct Freezer {
    file: PathBuf,
    frozen: &'static str,
    thawed: &'static str,
    /// Where the state that was reached can be read, and how it reads when all have stopped.
    state: (PathBuf, &'static str),
}

impl Cgroup {
    /// Stops every process in this cgroup until [`thaw`](Self::thaw); returns once all have stopped.
    ///
    /// # Errors
    /// [`CgroupError::Unavailable`] when the host has no freezer or processes do not stop within 2 s.
    pub fn freeze(&self) -> Result<(), CgroupError> {
        let why = "this host has no freezer that can be written".to_owned();
        let freezer = self.freezers().next().ok_or(CgroupError::Unavailable { what: "freeze", why })?;
        write(&freezer.file, freezer.frozen)?;
        for _ in 0..PATIENCE_MS {
            if freezer.is_frozen()? {
                return Ok(());
            }
            wait_a_moment();
        }
        write(&freezer.file, freezer.thawed)?;
        let why = format!("processes of `{}` do not stop", self.path());
        Err(CgroupError::Unavailable { what: "freeze", why })
    }

    /// Lets the processes go on. A cgroup that is not frozen, or gone, is left as it is.
    ///
    /// # Errors
    /// [`CgroupError::File`] when the freezer cannot be written.
    pub fn thaw(&self) -> Result<(), CgroupError> {
        self.freezers().try_for_each(|freezer| write_if_there(&freezer.file, freezer.thawed))
    }

    /// Tells whether the processes are stopped.
    ///
    /// # Errors
    /// [`CgroupError::File`] when the state cannot be read.
    pub fn is_frozen(&self) -> Result<bool, CgroupError> {
        self.freezers().try_fold(false, |frozen, freezer| Ok(frozen || freezer.is_frozen()?))
    }

    /// Returns the directory by whose files [`freeze`](Self::freeze) stops the processes, if there is any.
    pub(crate) fn freezer_directory(&self) -> Option<PathBuf> {
        self.freezers().next().and_then(|freezer| freezer.file.parent().map(Into::into))
    }

    /// Version 2 first: there a frozen process can still be killed. A hybrid host has both.
    fn freezers(&self) -> impl Iterator<Item = Freezer> {
        let unified = self.unified().filter(|directory| directory.join("cgroup.freeze").exists());
        let unified = unified.map(|directory| Freezer {
            file: directory.join("cgroup.freeze"),
            frozen: "1",
            thawed: "0",
            state: (directory.join("cgroup.events"), "frozen 1"),
        });
        let v1 = self.v1("freezer").map(|directory| directory.join("freezer.state"));
        let v1 = v1.map(|file| Freezer { state: (file.clone(), "FROZEN"), file, frozen: "FROZEN", thawed: "THAWED" });
        unified.into_iter().chain(v1)
    }
}

impl Freezer {
    fn is_frozen(&self) -> Result<bool, CgroupError> {
        let (file, frozen) = &self.state;
        Ok(read(file)?.lines().any(|line| line.trim() == *frozen))
    }
}
