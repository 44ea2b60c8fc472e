//! Pulls from and pushes to a registry that misbehaves, with a store of the test's own, through the public interface alone.
//!
//! Needs root, because unpacked files get owners.

mod credentials;
mod faults;
mod image;
mod mock;
mod pull;
mod push;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use lighter_images::progress::{Event, Progress, Silent};
use lighter_images::pull::{PullError, PullOptions, pull};
use lighter_images::reference::Reference;
use lighter_images::registry::RegistryConfig;
use lighter_images::store::{Image, Store};

use self::image::{Layer, Packing, noise};
use self::mock::Registry;

/// A registry, a store, and what a pull needs.
struct Scene {
    directory: tempfile::TempDir,
    registry: Registry,
    store: Store,
    options: PullOptions,
}

impl Scene {
    fn new() -> Scene {
        let directory = tempfile::tempdir_in("/var/tmp").expect("/var/tmp takes a directory");
        let store = Store::open(&directory.path().join("root")).expect("open an empty store");
        Scene { directory, registry: Registry::start(), store, options: PullOptions::default() }
    }

    fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.registry.address)
    }

    fn pull(&self, rest: &str) -> Result<Image, PullError> {
        pull(&self.store, &reference(&self.name(rest)), &self.options, &Silent)
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    fn configure(&mut self, registry: &str, mirrors: &[&str]) {
        let text = format!("[registry.'{registry}']\nmirrors = {mirrors:?}");
        self.options.access.config =
            RegistryConfig::parse(&text, Path::new("config.toml")).expect("a valid configuration");
    }

    /// Lists files (not directories) below `images/` besides the layout's own, relative to the root.
    fn leftovers(&self) -> Vec<String> {
        let list = |part: &str| fs::read_dir(self.root().join(part)).into_iter().flatten().flatten();
        let mut names: Vec<String> = ["images/ingest", "images/leases", "images/blobs/sha256", "layers"]
            .iter()
            .flat_map(|part| list(part).map(move |entry| format!("{part}/{}", entry.file_name().display())))
            .collect();
        names.sort();
        names
    }
}

fn reference(text: &str) -> Reference {
    text.parse().expect("a valid reference")
}

/// The text a user sees: the error and its causes.
fn shown(error: &dyn Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn two_layers() -> [Layer; 2] {
    [
        Layer::of(&[("etc/", b""), ("etc/motd", b"hello")], Packing::Gzip),
        Layer::of(&[("usr/", b""), ("usr/noise", &noise(300_000))], Packing::Zstd),
    ]
}

/// Keeps the names of events.
#[derive(Default)]
struct Watcher(Mutex<Vec<String>>);

impl Progress for Watcher {
    fn report(&self, event: Event<'_>) {
        let name = format!("{event:?}").split([' ', '{']).next().unwrap_or_default().to_owned();
        let mut names = self.0.lock().expect("no test panics while it reports");
        if names.last() != Some(&name) {
            names.push(name);
        }
    }
}
