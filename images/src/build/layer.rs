//! From a directory of changes to a layer of the store, or to the one that the cache has.
//!
//! Runs in the shell command's process, in a stage's thread.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use jiff::Timestamp;

use super::cache::Record;
use super::error::StepError;
use super::key;
use super::place;
use super::session::Build;
use super::state::{LayerRef, State};
use super::union::{self, Writable};
use crate::digest::Digest;
use crate::store::{LayerIds, NewLayer, Staging};

/// What a step gave.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// The new layer, if something has changed.
    pub(crate) layer: Option<LayerRef>,
    /// When, RFC 3339.
    pub(crate) created: String,
    pub(crate) is_cached: bool,
}

/// A step that changes files.
pub(crate) struct Change<'a> {
    /// What it depends on.
    pub(crate) key: Digest,
    /// What it is, for people.
    pub(crate) title: &'a str,
    /// Whether the cache may answer.
    pub(crate) may_be_cached: bool,
    /// Whether the result of the build has the layer.
    pub(crate) is_of_result: bool,
}

impl Build<'_> {
    /// Returns what the cache has, else does the step: `fill` puts the changes to `state` into the directory `fs` of the
    /// staging directory.
    pub(crate) fn change(
        &self,
        change: &Change<'_>,
        state: &State,
        fill: &mut dyn FnMut(&Staging) -> Result<(), StepError>,
    ) -> Result<Outcome, StepError> {
        let note = |list: &std::sync::Mutex<Vec<Digest>>| {
            list.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(change.key.clone());
        };
        note(&self.used);
        if change.may_be_cached
            && let Some(outcome) = self.find(&change.key, state)?
        {
            return Ok(outcome);
        }
        // Whoever is at the same step has done it when we have the lock.
        let _claim = self.with.cache.claim(&change.key)?;
        if change.may_be_cached
            && let Some(outcome) = self.find(&change.key, state)?
        {
            return Ok(outcome);
        }
        let staging = self.with.store.layer_directories().stage(self.lease.name())?;
        fill(&staging)?;
        let outcome = self.commit(change, state, &staging)?;
        note(&self.fresh);
        Ok(outcome)
    }

    /// Looks for what a step gave, here and in the caches that were brought along.
    fn find(&self, key: &Digest, state: &State) -> Result<Option<Outcome>, StepError> {
        if let Some(record) = self.with.cache.find(key)
            && let Some(outcome) = self.recall(&record, state)
        {
            return Ok(Some(outcome));
        }
        for place in &self.request.cache_sources {
            if let Some(record) = super::portable::import(self, place, key, state)?
                && let Some(outcome) = self.recall(&record, state)
            {
                self.with.cache.add(key, &record)?;
                return Ok(Some(outcome));
            }
        }
        Ok(None)
    }

    /// Finds the layer of a record; `None` if it is not whole.
    fn recall(&self, record: &Record, state: &State) -> Option<Outcome> {
        let created = record.created.clone();
        let Some(diff_id) = &record.diff_id else { return Some(Outcome { layer: None, created, is_cached: true }) };
        let durable: HashSet<Digest> = record.is_durable.then(|| diff_id.clone()).into_iter().collect();
        let ids = ids(state, diff_id);
        let directories = self.with.store.layer_directories();
        let found =
            directories.find_whole(&ids, &durable).or_else(|| directories.find_whole(&ids, &self.listed.layers))?;
        let directory = directories.files_of(&found.key);
        let (diff_id, describes_root) = (diff_id.clone(), found.describes_root);
        let layer = Some(LayerRef { diff_id, directory, describes_root, blob: None });
        Some(Outcome { layer, created, is_cached: true })
    }

    /// Turns a staging directory into a layer, and notes which step gave it.
    fn commit(&self, change: &Change<'_>, state: &State, staging: &Staging) -> Result<Outcome, StepError> {
        let root = staging.root()?;
        if let Some(latest) = self.request.latest_time {
            place::clamp_times(&root, latest).map_err(StepError::io("set the times of the layer"))?;
        }
        let created = self.now();
        let (title, is_durable) = (change.title.to_owned(), false);
        let Some(archived) = self.archive(root, change.is_of_result)? else {
            let record =
                Record { version: 1, diff_id: None, created: created.clone(), step: title, size: 0, is_durable };
            self.with.cache.add(&change.key, &record)?;
            return Ok(Outcome { layer: None, created, is_cached: false });
        };
        let (unpacked, diff_id) = (archived.unpacked(), archived.diff_id);
        let (size, ids) = (unpacked.bytes, ids(state, &diff_id));
        // First the record, which keeps the layer: in between, a sweep would take it.
        let record = Record {
            version: 1,
            diff_id: Some(diff_id.clone()),
            created: created.clone(),
            step: title,
            size,
            is_durable,
        };
        self.with.cache.add(&change.key, &record)?;
        let new = NewLayer { staging, ids: &ids, unpacked, stands_alone: true };
        self.with.store.commit_layer(&new, &self.listed)?;
        let directories = self.with.store.layer_directories();
        let found = directories.find_whole(&ids, &self.listed.layers);
        let key = found.map_or_else(|| diff_id.clone(), |found| found.key);
        let layer = LayerRef { diff_id, directory: directories.files_of(&key), describes_root: true, blob: None };
        Ok(Outcome { layer: Some(layer), created, is_cached: false })
    }

    /// Returns the time that a step of now is said to have been carried out.
    pub(crate) fn now(&self) -> String {
        let latest = self.request.latest_time.and_then(|seconds| Timestamp::from_second(seconds).ok());
        latest.unwrap_or_else(Timestamp::now).to_string()
    }

    /// Joins the layers of `state` with a writable one in a staging directory, and opens the root.
    pub(crate) fn writable(&self, state: &State, staging: &Staging) -> Result<OwnedFd, StepError> {
        let failed = |source| StepError::Io { act: "join the layers".to_owned(), source };
        let path = staging.path();
        let (upper, work, at, empty) = (path.join("fs"), path.join("work"), path.join("at"), path.join("empty"));
        for directory in [&work, &at, &empty] {
            fs::create_dir(directory).map_err(failed)?;
        }
        adopt_root(state, &upper).map_err(failed)?;
        let mut lowers = state.lowers();
        if lowers.is_empty() {
            lowers.push(empty);
        }
        union::open(&lowers, Some(&Writable { upper: &upper, work: &work }), &at).map_err(failed)
    }
}

/// Removes what a staging directory needed besides the layer itself.
pub(crate) fn tidy(staging: &Staging) -> Result<(), StepError> {
    for name in ["work", "at", "empty"] {
        match fs::remove_dir_all(staging.path().join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StepError::io("tidy up after the step")(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Gives a writable layer the attributes of the root below it: overlayfs shows the topmost one's.
fn adopt_root(state: &State, upper: &std::path::Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let Some(root) = state.root() else {
        return fs::set_permissions(upper, fs::Permissions::from_mode(0o755));
    };
    let root = fs::metadata(root)?;
    chown(upper, Some(root.uid()), Some(root.gid()))?;
    fs::set_permissions(upper, fs::Permissions::from_mode(root.mode() & 0o7777))
}

fn ids(state: &State, diff_id: &Digest) -> LayerIds {
    let below = state.layers.iter().map(|layer| &layer.diff_id);
    let chain_id = key::chain(below.chain([diff_id])).unwrap_or_else(|| diff_id.clone());
    LayerIds { diff_id: diff_id.clone(), chain_id }
}
