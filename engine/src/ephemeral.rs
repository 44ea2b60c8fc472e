//! Containers that nobody wants back after a reboot: `run --rm`, and the steps of a build.
//!
//! What is known of them lies in the run directory, and the durable directory leads there by a symbolic link: nothing waits for
//! the disk, and after a power loss there is no half a record but a link that leads nowhere. No command sees such a container;
//! the first one after a boot removes what is left of it. Runs in the command.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::create::REMOVING;
use crate::durable::{self, FileError};
use crate::layout::ContainerPaths;
use crate::spec::{ContainerSpec, MountKind};
use crate::{Engine, Lock};

/// Tells whether nothing of a container has to outlive it: volumes without a name are found by its record alone.
pub(crate) fn can_be(spec: &ContainerSpec) -> bool {
    !spec.mounts.iter().any(|mount| matches!(mount.kind, MountKind::Volume { anonymous: true, .. }))
}

/// Writes what a container shall be where it is kept already.
pub(crate) fn rewrite(paths: &ContainerPaths, spec: &ContainerSpec) -> Result<(), FileError> {
    match fs::read_link(paths.spec()) {
        Ok(kept) => durable::write_json(&kept, spec, false),
        Err(_) => durable::write_json(&paths.spec(), spec, true),
    }
}

impl Engine {
    /// Writes what container `id` shall be, and the link to it into `directory`. Needs the containers' lock.
    pub(crate) fn write_ephemeral(&self, id: &str, spec: &ContainerSpec, directory: &Path) -> Result<(), FileError> {
        let kept = self.layout.ephemeral(id);
        durable::create_dir(&self.layout.ephemerals())?;
        durable::write_json(&kept, spec, false)?;
        let link = directory.join("spec.json");
        symlink(&kept, &link).map_err(FileError::io("write", &link))
    }

    /// Removes what a killed command has left of those that are no containers yet or any more. Needs the containers' lock.
    pub(crate) fn sweep_ephemerals(&self) -> Result<(), FileError> {
        for entry in fs::read_dir(self.layout.ephemerals()).into_iter().flatten().flatten() {
            let id = entry.file_name().to_string_lossy().into_owned();
            if !self.layout.container(&id).dir().exists() {
                durable::remove_file(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Removes what a boot has left of containers that ended with the host.
    pub(crate) fn forget_lost(&self) -> Result<(), FileError> {
        if self.layout.ephemerals().exists() {
            return Ok(()); // this boot's: whatever was lost before has been seen to
        }
        let records = self.lock_containers()?;
        records.begin()?;
        for id in self.container_ids()? {
            let paths = self.layout.container(&id);
            // one that runs was not lost with the host: somebody has emptied the run directory
            let runs = || self.load_state(&id).is_ok_and(|state| state.status.is_active());
            if paths.is_ephemeral()
                && !paths.spec().exists()
                && !runs()
                && let Some(_lock) = Lock::try_take(&self.layout.container_lock(&id))?
            {
                let removing = self.layout.containers().join(format!("{REMOVING}{id}"));
                fs::rename(paths.dir(), &removing).map_err(FileError::io("remove", paths.dir()))?;
            }
        }
        if self.sweep()? {
            records.finish();
        }
        durable::create_dir(&self.layout.ephemerals())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{ImageSource, Mount};

    fn spec() -> ContainerSpec {
        let image = ImageSource { reference: "i".to_owned(), id: String::new() };
        ContainerSpec::new("c".to_owned(), image, vec!["true".to_owned()])
    }

    #[test]
    fn who_has_volumes_without_a_name_is_remembered() {
        assert!(can_be(&spec()));
        let volume = |anonymous| MountKind::Volume { name: "v".to_owned(), anonymous, no_copy: false, subpath: None };
        for (anonymous, expected) in [(false, true), (true, false)] {
            let mut spec = spec();
            spec.mounts.push(Mount { target: "/v".to_owned(), read_only: false, kind: volume(anonymous) });
            assert_eq!(can_be(&spec), expected);
        }
    }
}
