//! `check`: reads everything again and compares it with its digest; `repair`: mends what can be mended.
//!
//! Runs in the shell command's process. A check takes the store's lock only to see what there is; hashing takes none, and
//! what other commands are working on is left out by their leases.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;

use super::Store;
use super::error::StoreError;
use super::files;
use super::index::{Entry, Index};
use super::layers::{DELETED, LayerIds, STAGING};
use super::lease::{self, Living, Needs};
use crate::digest::Digest;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A blob that images need is absent, or is not what its name says.
    Blob {
        /// Its digest.
        digest: Digest,
        /// What is wrong.
        why: String,
        /// The images.
        images: Vec<String>,
    },
    /// A layer that images need is not unpacked.
    Layer {
        /// Its diff ID.
        diff_id: Digest,
        /// The images.
        images: Vec<String>,
    },
    /// An image's documents cannot be read.
    Image {
        /// Its name, or the digest of its manifest.
        image: String,
        /// Why.
        why: String,
    },
}

/// Something that nothing needs, left by a command that was killed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leftover {
    /// A blob that no image has.
    Blob(Digest),
    /// A layer that no image has.
    Layer(Digest),
    /// A directory that was being filled or deleted.
    Directory(String),
    /// The beginning of a download; a pull goes on where it ends.
    Download(Digest),
}

/// What a check found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Images that were looked at.
    pub images: usize,
    /// Blobs that were read.
    pub blobs: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// Layers that were looked for.
    pub layers: usize,
    /// What is damaged, sorted.
    pub faults: Vec<Fault>,
    /// What is left over, sorted; harmless but for the room it takes.
    pub leftovers: Vec<Leftover>,
    /// Entries of the index that other tools made: not ours to judge.
    pub foreign: Vec<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Blob { digest, why, images } => {
                write!(formatter, "blob `{digest}` of {} {why}", quoted(images))
            }
            Fault::Layer { diff_id, images } => {
                write!(formatter, "layer `{diff_id}` of {} is not unpacked", quoted(images))
            }
            Fault::Image { image, why } => write!(formatter, "image `{image}` cannot be read: {why}"),
        }
    }
}

impl fmt::Display for Leftover {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Leftover::Blob(digest) => write!(formatter, "blob `{digest}` of no image"),
            Leftover::Layer(key) => write!(formatter, "layer `{key}` of no image"),
            Leftover::Directory(name) => write!(formatter, "unfinished directory `{name}`"),
            Leftover::Download(digest) => write!(formatter, "unfinished download of blob `{digest}`"),
        }
    }
}

fn quoted(images: &[String]) -> String {
    images.iter().map(|image| format!("`{image}`")).collect::<Vec<_>>().join(", ")
}

/// What the images of the index need, and by which of their names.
#[derive(Default)]
struct Wanted {
    /// Size and images of each blob.
    blobs: BTreeMap<Digest, (u64, BTreeSet<String>)>,
    layers: BTreeMap<(Digest, Digest), BTreeSet<String>>,
    needs: Needs,
}

impl Store {
    /// Compares everything with what it should be.
    ///
    /// # Errors
    /// [`StoreError`] if the index or a directory cannot be read: then nothing can be said.
    pub fn check(&self) -> Result<Report, StoreError> {
        let lock = self.lock()?;
        let index = Index::read(&self.images)?;
        let living = lease::living(&self.leases())?;
        drop(lock);
        let mut report = Report::default();
        let mut wanted = self.wanted(&index, &mut report);
        for (digest, (size, images)) in &wanted.blobs {
            report.blobs += 1;
            match self.verify(digest, *size) {
                Ok(()) => report.bytes += size,
                Err(why) => {
                    let images = images.iter().cloned().collect();
                    report.faults.push(Fault::Blob { digest: digest.clone(), why, images });
                }
            }
        }
        for ((diff_id, chain_id), images) in &wanted.layers {
            report.layers += 1;
            let ids = LayerIds { diff_id: diff_id.clone(), chain_id: chain_id.clone() };
            if !self.has_layer(&ids) {
                report.faults.push(Fault::Layer { diff_id: ids.diff_id, images: images.iter().cloned().collect() });
            }
        }
        // While an image cannot be read, it might need anything.
        let knows_all =
            report.foreign.is_empty() && !report.faults.iter().any(|fault| matches!(fault, Fault::Image { .. }));
        wanted.needs.layers.extend(crate::build::cached_layers(&self.root)?);
        report.leftovers = self.leftovers(&living, knows_all.then_some(&wanted.needs))?;
        report.faults.sort();
        Ok(report)
    }

    fn wanted(&self, index: &Index, report: &mut Report) -> Wanted {
        let mut wanted = Wanted::default();
        let mut images = BTreeSet::new();
        for entry in &index.manifests {
            let name = name_of(entry);
            if entry.is_foreign() {
                report.foreign.push(name);
                continue;
            }
            images.extend(entry.id());
            if let Err(error) = self.want(entry, &name, &mut wanted) {
                report.faults.push(Fault::Image { image: name, why: error.to_string() });
            }
        }
        report.images = images.len();
        wanted
    }

    fn want(&self, entry: &Entry, name: &str, wanted: &mut Wanted) -> Result<(), StoreError> {
        let needs = self.needs(entry)?;
        for node in self.documents(entry)? {
            for (digest, size) in node.blobs().into_iter().chain([(node.digest.clone(), node.size)]) {
                wanted.blobs.entry(digest).or_insert((size, BTreeSet::new())).1.insert(name.to_owned());
            }
        }
        for ids in entry.id().map(|id| self.chain_of(&id)).transpose()?.unwrap_or_default() {
            // What was pushed is unpacked when a container is made of it.
            if !entry.was_pushed() || self.has_layer(&ids) {
                wanted.layers.entry((ids.diff_id, ids.chain_id)).or_default().insert(name.to_owned());
            }
        }
        wanted.needs.extend(needs);
        Ok(())
    }

    /// Reads a blob; says in words what is wrong with it.
    fn verify(&self, digest: &Digest, size: u64) -> Result<(), String> {
        let content = match self.blobs.content(digest) {
            Err(StoreError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Err("is missing".to_owned());
            }
            content => content.map_err(|error| format!("cannot be read: {error}"))?,
        };
        if content.length() != size {
            return Err(format!("is damaged: it has {} bytes instead of {size}", content.length()));
        }
        match content.digest() {
            Ok(actual) if actual == *digest => Ok(()),
            Ok(actual) => Err(format!("is damaged: its content has digest `{actual}`")),
            Err(error) => Err(format!("cannot be read: {error}")),
        }
    }

    pub(super) fn has_layer(&self, ids: &LayerIds) -> bool {
        self.layers.find_listed(ids).is_some_and(|found| {
            fs::symlink_metadata(self.layers.files_of(&found.key)).is_ok_and(|metadata| metadata.is_dir())
        })
    }

    fn leftovers(&self, living: &Living, needs: Option<&Needs>) -> Result<Vec<Leftover>, StoreError> {
        let mut leftovers = Vec::new();
        let is_needed = |digest: &Digest, by: fn(&Needs) -> &std::collections::HashSet<Digest>| {
            needs.is_none_or(|needs| by(needs).contains(digest)) || by(&living.needs).contains(digest)
        };
        let digest = |name: &str| format!("sha256:{name}").parse::<Digest>().ok();
        for blob in files::names(&self.blobs.finished())?.iter().filter_map(|name| digest(name)) {
            if !is_needed(&blob, |needs| &needs.blobs) {
                leftovers.push(Leftover::Blob(blob));
            }
        }
        for name in files::names(self.layers.path())? {
            let owner = name.strip_prefix(STAGING).and_then(|rest| rest.split('-').next());
            let is_owned = owner.is_some_and(|owner| living.names.contains(owner));
            match digest(&name) {
                Some(key) if !is_needed(&key, |needs| &needs.layers) => leftovers.push(Leftover::Layer(key)),
                None if name.starts_with(DELETED) || (owner.is_some() && !is_owned) => {
                    leftovers.push(Leftover::Directory(name));
                }
                _ => {}
            }
        }
        for name in files::names(&self.blobs.unfinished())? {
            let is_free = files::try_lock(&self.blobs.unfinished().join(&name))?.is_some();
            leftovers.extend(digest(&name).filter(|_| is_free).map(Leftover::Download));
        }
        leftovers.sort();
        Ok(leftovers)
    }
}

fn name_of(entry: &Entry) -> String {
    entry.reference().map_or_else(|| entry.digest.to_string(), |reference| reference.familiar())
}
