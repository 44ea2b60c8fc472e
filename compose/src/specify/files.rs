//! Configs and secrets whose content is not a file of the host, or one that shall have another owner or other permissions in the
//! container: they become a file of ours.
//!
//! The name of such a file is a digest of everything about it, so a changed content is another file, and a container made
//! from the old one keeps what it was made with until it is recreated.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::{FileContent, FileGrant, FileObject, Project, Service};

/// Permission bits of a config or secret in a container when none are given (Compose Specification, 08-configs).
const DEFAULT_MODE: u32 = 0o444;

/// A file to write on the host and to mount read-only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentFile {
    /// Where it is written.
    pub path: PathBuf,
    /// Where the container sees it.
    pub target: String,
    /// Its content.
    #[serde(with = "hex::serde")]
    pub content: Vec<u8>,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its permission bits.
    pub mode: u32,
}

/// Hides the content: it may be a secret.
impl std::fmt::Debug for ContentFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ContentFile({} at {}, {} bytes)", self.path.display(), self.target, self.content.len())
    }
}

/// Returns the files of a service whose content is inline, a variable, or a file with an owner or permissions of its own, below
/// `root`. A file that cannot be read is left out: whoever mounts it says so.
pub(crate) fn content_files(project: &Project, service: &Service, root: &Path) -> Vec<ContentFile> {
    let configs = service.configs.iter().map(|grant| (grant, project.configs.get(&grant.source)));
    let secrets = service.secrets.iter().map(|grant| (grant, project.secrets.get(&grant.source)));
    let folder = root.join(&project.name);
    configs.chain(secrets).filter_map(|(grant, object)| content_file(grant, object?, &folder)).collect()
}

fn content_file(grant: &FileGrant, object: &FileObject, folder: &Path) -> Option<ContentFile> {
    let content = match &object.content {
        FileContent::Inline(text) => text.clone().into_bytes(),
        FileContent::Variable { value, .. } => value.clone()?.into_bytes(),
        FileContent::File(path) if grant.is_adapted() => std::fs::read(path).ok()?,
        FileContent::File(_) | FileContent::External => return None,
    };
    let (uid, gid) = (grant.uid.unwrap_or(0), grant.gid.unwrap_or(0));
    let mode = grant.mode.unwrap_or(DEFAULT_MODE);
    let mut hasher = Sha256::new();
    let mut header = String::new();
    let _ = write!(header, "{uid}:{gid}:{mode:o}:");
    hasher.update(&header);
    hasher.update(&content);
    let path = folder.join(hex::encode(hasher.finalize()));
    Some(ContentFile { path, target: grant.target.clone(), content, uid, gid, mode })
}
