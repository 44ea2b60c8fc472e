//! A build in progress: what its stages share, and how they run beside one another.
//!
//! Runs in the shell command's process, a thread for each stage that is needed. A stage waits for those it takes files from;
//! they all stand before it in the file, so nobody waits in a circle.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use jiff::Timestamp;

use super::cache::Cache;
use super::config::Config;
use super::context::{ContextInput, UnpackedContext, download};
use super::error::{BuildError, StepError};
use super::graph::{Graph, Origin};
use super::ignore::Ignore;
use super::instruction::Dockerfile;
use super::portable::Steps;
use super::progress::{BuildEvent, BuildProgress};
use super::provenance::package;
use super::request::{BuildRequest, NamedContext};
use super::runner::StepRunner;
use super::scope::Globals;
use super::state::{BlobRef, LayerRef, State};
use super::tree::{Tree, open_root};
use super::{stage, union};
use crate::archive::load_layout;
use crate::digest::Digest;
use crate::manifest::{self, descriptor_digest};
use crate::platform::Platform;
use crate::progress::{Event, Progress};
use crate::pull::{self, PullOptions};
use crate::reference::Reference;
use crate::store::{Image, Lease, Listed, Needs, Store};

/// What a build needs besides the request.
#[derive(Clone, Copy)]
pub struct Builder<'a> {
    /// The image store.
    pub store: &'a Store,
    /// What steps gave before.
    pub cache: &'a Cache,
    /// Runs containers.
    pub runner: &'a dyn StepRunner,
    /// Is told what happens.
    pub progress: &'a dyn BuildProgress,
    /// Set by the caller to give the build up, and by the build when a step has failed.
    pub cancelled: &'a AtomicBool,
}

/// A build in progress.
pub(crate) struct Build<'a> {
    pub(crate) with: Builder<'a>,
    pub(crate) request: &'a BuildRequest,
    pub(crate) file: Dockerfile,
    pub(crate) globals: Globals,
    pub(crate) graph: Graph,
    /// What keeps the directories that are being filled.
    pub(crate) lease: Lease,
    pub(crate) listed: Listed,
    /// Keys of steps whose layers are not durable yet.
    pub(crate) fresh: Mutex<Vec<Digest>>,
    /// Layers whose plain archives this build has made blobs of.
    pub(crate) archives: Mutex<HashSet<Digest>>,
    /// What went into the result, by URI, with the algorithm and the digest where there is one.
    pub(crate) materials: Mutex<BTreeMap<String, Option<(&'static str, String)>>>,
    pub(crate) begun: Timestamp,
    /// Keys of all steps that the result stands on.
    pub(crate) used: Mutex<Vec<Digest>>,
    leases: Mutex<Vec<Lease>>,
    /// Stages that were found to be needed on the way.
    unforeseen: Mutex<BTreeSet<usize>>,
    results: Vec<Slot>,
    images: Shared<String, Image>,
    trees: Shared<Origin, Tree>,
    /// What `--cache-from` has of registries, by reference.
    pub(crate) remote_caches: Shared<String, Steps>,
    /// Contexts that were downloaded, kept as long as the build runs.
    downloads: Mutex<Vec<UnpackedContext>>,
    steps: AtomicUsize,
}

/// Things that are made once, on demand, by whoever comes first.
pub(crate) type Shared<K, V> = Mutex<BTreeMap<K, Arc<Mutex<Option<Arc<V>>>>>>;

/// The result of a stage, once there is one; `Some(None)` if it has failed.
#[derive(Default)]
struct Slot {
    state: Mutex<Option<Option<Arc<State>>>>,
    changed: Condvar,
}

impl Slot {
    fn set(&self, state: Option<Arc<State>>) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = Some(state);
        self.changed.notify_all();
    }

    fn wait(&self) -> Option<Arc<State>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &*state {
                Some(result) => return result.clone(),
                None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// Makes `key`'s value unless it is there; others who want it wait.
pub(crate) fn shared<K: Ord, V, E>(
    all: &Shared<K, V>,
    key: K,
    make: impl FnOnce() -> Result<V, E>,
) -> Result<Arc<V>, E> {
    let slot = Arc::clone(all.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
    let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(value) = &*slot {
        return Ok(Arc::clone(value));
    }
    let value = Arc::new(make()?);
    *slot = Some(Arc::clone(&value));
    Ok(value)
}

/// A step that is being carried out.
pub(crate) struct Report<'a> {
    progress: &'a dyn BuildProgress,
    pub(crate) step: usize,
    begun: Instant,
}

impl Report<'_> {
    pub(crate) fn output(&self, bytes: &[u8]) {
        self.progress.report(BuildEvent::Output { step: self.step, bytes });
    }

    pub(crate) fn done(&self, is_cached: bool) {
        self.progress.report(BuildEvent::Done { step: self.step, is_cached, took: self.begun.elapsed() });
    }

    pub(crate) fn failed(&self) {
        self.progress.report(BuildEvent::Failed { step: self.step });
    }
}

impl<'a> Build<'a> {
    /// Prepares a build; nothing is carried out yet.
    pub(crate) fn new(
        with: Builder<'a>,
        request: &'a BuildRequest,
        file: Dockerfile,
        globals: Globals,
        graph: Graph,
    ) -> Result<Build<'a>, StepError> {
        let (lease, listed) = with.store.begin(&Needs::default())?;
        let results = file.stages.iter().map(|_| Slot::default()).collect();
        Ok(Build {
            with,
            request,
            file,
            globals,
            graph,
            lease,
            listed,
            fresh: Mutex::default(),
            archives: Mutex::default(),
            materials: Mutex::default(),
            begun: Timestamp::now(),
            used: Mutex::default(),
            leases: Mutex::default(),
            unforeseen: Mutex::default(),
            results,
            images: Mutex::default(),
            trees: Mutex::default(),
            remote_caches: Mutex::default(),
            downloads: Mutex::default(),
            steps: AtomicUsize::new(1),
        })
    }

    /// Builds every stage that is needed and returns the target's result.
    pub(crate) fn run(&self) -> Result<Arc<State>, BuildError> {
        let results: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = self.graph.needed.iter().map(|at| scope.spawn(|| self.stage(*at))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        });
        let mut failures: Vec<BuildError> = results.into_iter().filter_map(Result::err).collect();
        // What was given up because of another failure says nothing.
        failures.sort_by_key(|failure| matches!(failure, BuildError::Cancelled));
        match failures.into_iter().next() {
            Some(failure) => Err(failure),
            None => self.results[self.graph.target].wait().ok_or(BuildError::Cancelled),
        }
    }

    fn stage(&self, at: usize) -> Result<(), BuildError> {
        // Whoever waits for this stage must hear even of a panic.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stage::run(self, at)));
        let result = result.unwrap_or_else(|panic| {
            self.results[at].set(None);
            resume_unwind(panic)
        });
        match result {
            Ok(state) => {
                self.results[at].set(Some(Arc::new(state)));
                Ok(())
            }
            Err(error) => {
                self.with.cancelled.store(true, Ordering::SeqCst);
                self.results[at].set(None);
                Err(error)
            }
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.with.cancelled.load(Ordering::SeqCst)
    }

    /// Waits for the result of an earlier stage; `None` if it has failed.
    ///
    /// A stage that only the triggers of a base image take files from is built by whoever comes first.
    pub(crate) fn result(&self, at: usize) -> Option<Arc<State>> {
        let is_ours = || self.unforeseen.lock().unwrap_or_else(PoisonError::into_inner).insert(at);
        if !self.graph.needed.contains(&at) && is_ours() {
            self.stage(at).ok()?;
        }
        self.results[at].wait()
    }

    /// Says that a step begins.
    pub(crate) fn report(&self, name: &str) -> Report<'a> {
        let step = self.steps.fetch_add(1, Ordering::Relaxed);
        self.with.progress.report(BuildEvent::Begun { step, name });
        Report { progress: self.with.progress, step, begun: Instant::now() }
    }

    /// Returns the platform of the result.
    pub(crate) fn platform(&self) -> Platform {
        self.request.platform.clone().unwrap_or_else(Platform::host)
    }

    /// Returns the state that the image of a named context gives; `None` for a folder.
    pub(crate) fn named_state(&self, name: &str, platform: Option<&Platform>) -> Result<Option<State>, StepError> {
        match &self.request.contexts[name] {
            NamedContext::Image(reference) => self.image_state(reference, platform).map(Some),
            NamedContext::Layout { folder, image } => {
                let wanted = platform.cloned().unwrap_or_else(|| self.platform());
                let failed =
                    |source| StepError::Layout { folder: folder.display().to_string(), source: Box::new(source) };
                let load = || load_layout(self.with.store, folder, image, &wanted).map_err(failed);
                let image = self.leased(format!("{}: {image} {wanted}", folder.display()), load)?;
                self.note(&format!("oci-layout:{name}"), Some(("sha256", image.manifest.hex())));
                self.state_of(&image).map(Some)
            }
            NamedContext::Folder(_) | NamedContext::Remote(_) => Ok(None),
        }
    }

    /// Returns the state that an image gives.
    pub(crate) fn image_state(&self, reference: &str, platform: Option<&Platform>) -> Result<State, StepError> {
        let wanted = platform.or(self.request.platform.as_ref());
        let key = format!("{reference} {}", wanted.map(ToString::to_string).unwrap_or_default());
        let image = self.leased(key, || self.find_or_pull(reference, wanted))?;
        let name = reference.parse().map_or_else(|_| reference.to_owned(), |name: Reference| name.familiar());
        self.note(&package(&name, &image.platform()), Some(("sha256", image.manifest.hex())));
        self.state_of(&image)
    }

    /// Notes something that goes into the result.
    pub(crate) fn note(&self, uri: &str, digest: Option<(&'static str, &str)>) {
        let digest = digest.map(|(algorithm, digest)| (algorithm, digest.to_owned()));
        self.materials.lock().unwrap_or_else(PoisonError::into_inner).insert(uri.to_owned(), digest);
    }

    fn state_of(&self, image: &Image) -> Result<State, StepError> {
        let document = self.with.store.raw_config(image)?;
        let config = Config::of(&document, image.platform());
        Ok(State::new(config, self.layers_of(image)?))
    }

    /// Returns an image, found once a build, that nobody removes meanwhile.
    fn leased(&self, key: String, find: impl FnOnce() -> Result<Image, StepError>) -> Result<Arc<Image>, StepError> {
        shared(&self.images, key, || {
            let image = find()?;
            let keys = image.layers.iter().map(|key| key.digest().clone()).collect();
            let (lease, _) = self.with.store.begin(&Needs { blobs: [image.id.clone()].into(), layers: keys })?;
            self.leases.lock().unwrap_or_else(PoisonError::into_inner).push(lease);
            Ok(image)
        })
    }

    fn find_or_pull(&self, name: &str, platform: Option<&Platform>) -> Result<Image, StepError> {
        let store = self.with.store;
        let own = store.find(name)?;
        let fitting = match platform {
            Some(wanted) => store.find_for(name, wanted)?,
            None => own.clone(),
        };
        if let Some(image) = fitting.filter(|_| !self.request.pull) {
            let completed = store.complete(image, &crate::progress::Silent);
            return completed.map_err(|error| StepError::Derive(error.into()));
        }
        let reference: Reference = name.parse().map_err(crate::store::StoreError::from)?;
        let report = self.report(&format!("FROM {}", reference.familiar()));
        let options = PullOptions { platform: platform.cloned(), ..self.request.pull_options.clone() };
        let pulled = pull::pull(store, &reference, &options, &Pulling(&report));
        match &pulled {
            Ok(_) => report.done(false),
            Err(_) => report.failed(),
        }
        let pulled = pulled?;
        // The name goes on meaning what runs here: what another platform's build has pulled meanwhile, or what was there.
        let host = Platform::host();
        if reference.digest().is_none()
            && !pulled.runs_on(&host)
            && let Some(here) = store.find_for(name, &host)?.or(own.filter(|own| own.runs_on(&host)))
        {
            store.tag(&here.id.to_string(), &reference)?;
        }
        Ok(pulled)
    }

    fn layers_of(&self, image: &Image) -> Result<Vec<LayerRef>, StepError> {
        let (manifest, _) = self.with.store.manifest(&image.manifest)?;
        let root = self.with.store.root_directory(image);
        let directories = self.with.store.layers(image)?.into_iter().rev();
        let chain = manifest::chain(&image.config)?;
        let parts = manifest.layers().iter().zip(chain).zip(directories);
        let layer = |((descriptor, (diff_id, _)), directory): ((&oci_spec::image::Descriptor, _), PathBuf)| {
            let media_type = descriptor.media_type().to_string();
            let blob = BlobRef { digest: descriptor_digest(descriptor)?, size: descriptor.size(), media_type };
            let describes_root = root.as_ref() == Some(&directory);
            Ok(LayerRef { diff_id, directory, describes_root, blob: Some(blob) })
        };
        parts.map(layer).collect()
    }

    /// Returns the files of a stage, an image or a context; `None` if the stage has failed.
    pub(crate) fn tree(&self, origin: &Origin) -> Result<Option<Arc<Tree>>, StepError> {
        let state = match origin {
            Origin::Stage(at) => match self.result(*at) {
                Some(state) => Some(State::clone(&state)),
                None => return Ok(None),
            },
            Origin::Image(reference) => Some(self.image_state(reference, None)?),
            Origin::Named(name) => self.named_state(name, None)?,
            Origin::Scratch => None,
        };
        let make = || match (&state, origin) {
            (Some(state), _) => self.joined(state),
            (None, Origin::Named(name)) => self.named_folder(name),
            (None, _) => self.context(),
        };
        shared(&self.trees, origin.clone(), make).map(Some)
    }

    fn named_folder(&self, name: &str) -> Result<Tree, StepError> {
        let folder = match &self.request.contexts[name] {
            NamedContext::Folder(folder) => folder,
            NamedContext::Remote(url) => &self.downloaded(url)?,
            NamedContext::Image(_) | NamedContext::Layout { .. } => return self.context(),
        };
        let act = format!("open context `{name}` at `{}`", folder.display());
        let root = open_root(folder).map_err(StepError::io(act))?;
        let ignore = std::fs::read_to_string(folder.join(".dockerignore")).unwrap_or_default();
        Ok(Tree::context(root, Ignore::parse(&ignore)?))
    }

    /// Downloads a context; returns the folder with its files.
    fn downloaded(&self, url: &str) -> Result<PathBuf, StepError> {
        let report = self.report(&format!("context {url}"));
        let input = download(self.with.store, url, &self.request.pull_options.access, false);
        match &input {
            Ok(ContextInput::Archive(_)) => report.done(false),
            _ => report.failed(),
        }
        let ContextInput::Archive(unpacked) = input? else {
            return Err(StepError::Refused(format!("context `{url}` is no archive")));
        };
        self.note(url, None);
        let folder = unpacked.folder();
        self.downloads.lock().unwrap_or_else(PoisonError::into_inner).push(unpacked);
        Ok(folder)
    }

    /// Opens the build context.
    fn context(&self) -> Result<Tree, StepError> {
        let ignore = Ignore::parse(&self.request.ignore)?;
        let Some(folder) = &self.request.context else {
            let empty = self.with.store.layer_directories().stage(self.lease.name())?;
            return Ok(Tree::context(empty.root()?, ignore));
        };
        let root = open_root(folder).map_err(StepError::io(format!("open the context `{}`", folder.display())))?;
        Ok(Tree::context(root, ignore))
    }

    /// Joins the layers of a state, to read from.
    pub(crate) fn joined(&self, state: &State) -> Result<Tree, StepError> {
        let open = StepError::io("join the layers");
        let lowers = state.lowers();
        match &lowers[..] {
            [] => Ok(Tree::whole(self.with.store.layer_directories().stage(self.lease.name())?.root()?)),
            [only] => Ok(Tree::whole(open_root(only).map_err(open)?)),
            _ => {
                let staging = self.with.store.layer_directories().stage(self.lease.name())?;
                let root = union::open(&lowers, None, &staging.path().join("fs")).map_err(open)?;
                Ok(Tree::whole(root))
            }
        }
    }
}

/// Tells of a pull as of a step.
struct Pulling<'a>(&'a Report<'a>);

impl Progress for Pulling<'_> {
    fn report(&self, event: Event<'_>) {
        let line = match event {
            Event::LayerUnpacked { layer } => format!("{}: unpacked\n", layer.short()),
            Event::LayerExists { layer } => format!("{}: already there\n", layer.short()),
            Event::Retry { host, cause, .. } => format!("{host}: {cause}: trying again\n"),
            _ => return,
        };
        self.0.output(line.as_bytes());
    }
}
