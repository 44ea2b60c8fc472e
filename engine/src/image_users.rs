//! Who needs an image: containers, and mounts on the host. Read from the files themselves whenever it is asked.

use lighter_images::digest::Digest;

use crate::durable::FileError;
use crate::{Container, Engine};

/// Everything that needs images, as it was when it was looked at.
#[derive(Debug)]
pub struct ImageUsers {
    /// Image id and, in words, who has it.
    users: Vec<(String, String)>,
}

impl ImageUsers {
    /// Returns who needs the image, in words; `None` if nobody does.
    pub fn of(&self, id: &Digest) -> Option<String> {
        self.users.iter().find(|(image, _)| image == id.as_str()).map(|(_, user)| user.clone())
    }

    /// Returns how many users the image has.
    pub fn count(&self, id: &Digest) -> usize {
        self.users.iter().filter(|(image, _)| image == id.as_str()).count()
    }
}

impl Engine {
    /// Looks at what needs images.
    ///
    /// # Errors
    /// A record that cannot be read, which might need any of them.
    pub fn image_users(&self) -> Result<ImageUsers, FileError> {
        self.users_of_images(self.intact_containers()?)
    }

    /// The same, for whoever only shows it: of a container whose record is damaged nobody knows its images.
    pub fn known_image_users(&self) -> Result<ImageUsers, FileError> {
        self.users_of_images(self.containers()?)
    }

    fn users_of_images(&self, containers: Vec<Container>) -> Result<ImageUsers, FileError> {
        let containers = containers.into_iter().flat_map(|container| {
            let ids: Vec<_> = container.spec.images().map(str::to_owned).collect();
            ids.into_iter().map(move |id| (id, container.spec.name.clone()))
        });
        let mounts = self.mounted_images()?.into_iter();
        let mounts = mounts.map(|mount| (mount.image.to_string(), format!("the mount `{}`", mount.path.display())));
        Ok(ImageUsers { users: containers.chain(mounts).collect() })
    }
}
