//! Images in archives: `save` and `load`.
//!
//! Runs in the shell command's process. Two forms are read and written:
//! - an OCI image layout in a tar (OCI image-spec, image-layout.md), `oci-archive`;
//! - Docker's `manifest.json` with configurations and layers beside it, `docker-archive`. What is written in this form is
//!   an image layout as well, as Docker writes it since version 25, so that either kind of reader finds its own.
//!
//! ```text
//! load: tar ─▶ members (files without a name, or stretches of the file) ─▶ documents ─▶ lease ─▶ layers ─▶ index
//! save: names ─▶ documents ─▶ lease ─▶ oci-layout, index.json, manifest.json, blobs, in order of digests
//! ```

mod documents;
mod error;
mod layout;
mod load;
mod members;
mod save;
mod whole;

pub use crate::install::InstallError;
pub use error::ArchiveError;
pub use layout::LayoutImage;
pub(crate) use layout::load_layout;
pub use load::{Input, LoadOptions, Loaded, load};
pub use save::{ArchiveFormat, SaveOptions, save};

/// Annotation with an image's full name: containerd's, Docker's and podman's.
const IMAGE_NAME: &str = "io.containerd.image.name";

/// Annotation with a name in an image layout (OCI image-spec, annotations.md).
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Where Docker's description of the images stands.
const DOCKER_MANIFEST: &str = "manifest.json";

/// Where the image layout's index stands.
const INDEX: &str = "index.json";

/// The file that makes an image layout.
const LAYOUT: &str = "oci-layout";

#[cfg(test)]
mod tests;
