//! The folder where everything is kept that can be made again: `target/vm-testbed`.
//!
//! A part (a kernel, a userland…) is a folder whose name ends in a hash of all that went into it. It is made beside its place
//! and renamed when complete, so that a part that exists is whole, and one that nobody asks for any more is only space.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};

/// The cache, and who may change it.
pub(crate) struct Cache {
    root: PathBuf,
}

impl Cache {
    pub(crate) fn open(root: PathBuf) -> Result<Self> {
        fs::create_dir_all(&root).with_context(|| format!("create `{}`", root.display()))?;
        Ok(Self { root: root.canonicalize()? })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Waits until nobody else prepares anything. Guests that run hold no lock: parts do not change.
    pub(crate) fn lock(&self) -> Result<Flock<File>> {
        let path = self.path("lock");
        let file = File::create(&path).with_context(|| format!("create `{}`", path.display()))?;
        Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno).context("lock the cache")
    }

    /// Returns the folder `NAME-HASH`; if it is not there, `make` fills it first.
    pub(crate) fn part(
        &self,
        name: &str,
        ingredients: &[&str],
        make: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let place = self.path(&format!("{name}-{}", hash(ingredients)));
        if place.exists() {
            return Ok(place);
        }
        let unfinished = self.path(&format!("{name}.new"));
        remove(&unfinished)?;
        fs::create_dir_all(&unfinished)?;
        make(&unfinished).with_context(|| format!("prepare {name}"))?;
        fs::rename(&unfinished, &place).with_context(|| format!("complete `{}`", place.display()))?;
        Ok(place)
    }
}

/// Removes a folder with all that is in it, if it is there.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove `{}`", path.display()))
        }
        _ => Ok(()),
    }
}

/// Twelve hexadecimal digits that depend on every ingredient and on where one ends and the next begins.
pub(crate) fn hash(ingredients: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for ingredient in ingredients {
        hasher.update(ingredient.len().to_le_bytes());
        hasher.update(ingredient.as_bytes());
    }
    hex::encode(&hasher.finalize()[..6])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_made_once_and_again_when_an_ingredient_changes() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path().join("cache")).unwrap();
        let make = |path: &Path| Ok(fs::write(path.join("made"), "x")?);
        let first = cache.part("kernel", &["a", "b"], make).unwrap();
        assert!(first.join("made").exists());
        let again = cache.part("kernel", &["a", "b"], |_| panic!("it is there")).unwrap();
        assert_eq!(again, first);
        assert_ne!(cache.part("kernel", &["ab"], make).unwrap(), first);
    }

    #[test]
    fn a_part_that_could_not_be_made_is_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path().join("cache")).unwrap();
        let fail = |path: &Path| {
            fs::write(path.join("half"), "x")?;
            anyhow::bail!("no network")
        };
        assert!(format!("{:#}", cache.part("kernel", &[], fail).unwrap_err()).contains("prepare kernel: no network"));
        let made = cache.part("kernel", &[], |path| Ok(fs::write(path.join("whole"), "")?)).unwrap();
        assert!(made.join("whole").exists() && !made.join("half").exists());
    }
}
