//! `check`: what containers need of images, and everything the image store can say about itself.
//!
//! Runs in the command.

use lighter_images::digest::Digest;
use lighter_images::progress::Progress;
use lighter_images::store::{Repaired, Report, StoreError};

use crate::Engine;
use crate::durable::FileError;

/// What a check found.
#[derive(Debug)]
pub struct Checked {
    /// The image store.
    pub images: Report,
    /// Containers that were looked at.
    pub containers: usize,
    /// What is wrong with containers and what they have left on the host, a line each.
    pub faults: Vec<String>,
}

impl Checked {
    /// Tells whether nothing is damaged.
    pub fn is_clean(&self) -> bool {
        self.images.faults.is_empty() && self.faults.is_empty()
    }
}

impl Engine {
    /// Checks every image, and that every container has its image.
    ///
    /// # Errors
    /// The index, or the directory of containers, cannot be read.
    pub fn check(&self) -> Result<Checked, CheckError> {
        let images = self.images.check()?;
        let mut checked = Checked { images, containers: 0, faults: Vec::new() };
        for id in self.container_ids()? {
            checked.containers += 1;
            let fault = match self.load(&id) {
                // A step of a build stands on layers that no image has yet.
                Ok(Some(container)) if container.spec.layers.is_some() => None,
                Ok(Some(container)) => self.lacks(&container.spec.image.id).map(|lack| {
                    let name = &container.spec.name;
                    format!("container `{name}` needs image `{}`, {lack}", container.spec.image.reference)
                }),
                Ok(None) => None,
                Err(error) => Some(format!("container `{}`: {}", crate::id::short(&id), chain(&error))),
            };
            checked.faults.extend(fault);
        }
        let stays = |why| format!("bridges and firewall rules that no container uses could not be removed: {why}");
        checked.faults.extend(self.net.failed_teardown().map(stays));
        Ok(checked)
    }

    fn lacks(&self, image: &str) -> Option<String> {
        match self.images.find(image) {
            Ok(Some(image)) => self.images.layers(&image).err().map(|error| format!("whose {error}")),
            Ok(None) => Some("which is not in the store".to_owned()),
            Err(error) => Some(format!("which cannot be read: {error}")),
        }
    }

    /// Mends what [`Engine::check`] finds, and returns what was done.
    ///
    /// # Errors
    /// [`CheckError`] if something cannot be read or changed.
    pub fn repair(&self, progress: &dyn Progress) -> Result<Vec<Repaired>, CheckError> {
        let mut done: Vec<_> = self.images.repair_index()?.into_iter().collect();
        let report = self.images.check()?;
        let users = self.image_users();
        // A record that cannot be read might need any image.
        let is_in_use = |id: &Digest| users.as_ref().map_or(true, |users| users.of(id).is_some());
        done.extend(self.images.repair(&report, &is_in_use, progress)?);
        Ok(done)
    }
}

/// Why nothing could be checked or mended.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The image store.
    #[error(transparent)]
    Images(#[from] StoreError),
    /// The directory of containers.
    #[error(transparent)]
    File(#[from] FileError),
}

fn chain(error: &FileError) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}
