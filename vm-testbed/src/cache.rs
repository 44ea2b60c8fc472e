//! The folder where everything is kept that can be made again: `target/vm-testbed`.
//!
//! A part (a kernel, a userland…) is a folder whose name ends in a hash of all that went into it. It is made beside its place
//! and renamed when complete, so that a part that exists is whole. Predecessors are removed then if they are old: another build
//! of this program may be using a younger one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};

/// Beginning of the names of folders for runs.
const RUN: &str = "run-";

/// Age at which a folder of a run, or a part that has a successor, is nobody's any more: longer than any run.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// Hexadecimal digits of a hash.
const DIGITS: usize = 12;

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
            // what is in use is not abandoned
            let _as_old_as_it_is = File::open(&place).and_then(|place| place.set_modified(SystemTime::now()));
            return Ok(place);
        }
        self.remove_predecessors(name)?;
        let unfinished = self.path(&format!("{name}.new"));
        remove(&unfinished)?;
        fs::create_dir_all(&unfinished)?;
        make(&unfinished).with_context(|| format!("prepare {name}"))?;
        fs::rename(&unfinished, &place).with_context(|| format!("complete `{}`", place.display()))?;
        Ok(place)
    }
}

impl Cache {
    fn remove_predecessors(&self, name: &str) -> Result<()> {
        for entry in fs::read_dir(&self.root)?.flatten() {
            let file = entry.file_name();
            let rest = file.to_str().and_then(|file| file.strip_prefix(name)?.strip_prefix('-'));
            let is_other = rest.is_some_and(|rest| rest.len() == DIGITS && rest.chars().all(|c| c.is_ascii_hexdigit()));
            if is_other && is_abandoned(&entry) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Makes a folder for one run, and removes what interrupted runs have left.
    pub(crate) fn work(&self) -> Result<tempfile::TempDir> {
        for entry in fs::read_dir(&self.root)?.flatten() {
            if is_abandoned(&entry) && entry.file_name().to_string_lossy().starts_with(RUN) {
                remove(&entry.path())?;
            }
        }
        Ok(tempfile::Builder::new().prefix(RUN).tempdir_in(&self.root)?)
    }
}

fn is_abandoned(entry: &fs::DirEntry) -> bool {
    let age = entry.metadata().and_then(|folder| folder.modified()).map(|time| time.elapsed());
    matches!(age, Ok(Ok(age)) if age > ABANDONED)
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

/// Hexadecimal digits that depend on every ingredient and on where one ends and the next begins.
pub(crate) fn hash(ingredients: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for ingredient in ingredients {
        hasher.update(ingredient.len().to_le_bytes());
        hasher.update(ingredient.as_bytes());
    }
    hex::encode(&hasher.finalize()[..DIGITS / 2])
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
        cache.part("kernel-7", &[], make).unwrap();
        assert_ne!(cache.part("kernel", &["ab"], make).unwrap(), first);
        assert!(first.exists(), "somebody may still use it");
        let old = std::time::SystemTime::now() - 2 * ABANDONED;
        File::open(&first).unwrap().set_modified(old).unwrap();
        cache.part("kernel", &["c"], make).unwrap();
        assert!(!first.exists(), "the old predecessor is still there");
        cache.part("kernel-7", &[], |_| panic!("it has another name")).unwrap();
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
