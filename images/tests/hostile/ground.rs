//! Where archives are unpacked: a store, and beside it what must not change.

use std::error::Error;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use lighter_images::digest::Digest;
use lighter_images::progress::Silent;
use lighter_images::store::{InstallError, Store};

use crate::archive::Archive;
use crate::tree;

/// The store's name for the image under test; short, so that umoci takes it too.
const NAME: &str = "odd";

/// Most memory that this process may ever have needed, in KiB: far more than any archive here is worth.
const MOST_MEMORY: u64 = 192 * 1024;

/// How a layer is compressed.
#[derive(Clone, Copy)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// A layer as it is pushed: its blob, and the digest of the archive in it.
pub(crate) struct Layer {
    pub(crate) blob: Vec<u8>,
    pub(crate) packing: Packing,
    pub(crate) diff_id: Digest,
}

impl Layer {
    pub(crate) fn plain(archive: Vec<u8>) -> Layer {
        Layer { diff_id: Digest::of(&archive), blob: archive, packing: Packing::Plain }
    }
}

/// A directory of the test's own.
pub(crate) struct Ground {
    directory: tempfile::TempDir,
}

impl Ground {
    pub(crate) fn new() -> Ground {
        let directory = tempfile::tempdir_in("/var/tmp").expect("/var/tmp takes a directory");
        let ground = Ground { directory };
        let outside = ground.outside();
        fs::create_dir_all(outside.join("d")).expect("the directory is ours");
        fs::write(outside.join("file"), "untouched").expect("the directory is ours");
        fs::write(outside.join("d/file"), "untouched").expect("the directory is ours");
        symlink("file", outside.join("link")).expect("the directory is ours");
        ground
    }

    /// What must not change, beside the store.
    pub(crate) fn outside(&self) -> PathBuf {
        self.directory.path().join("outside")
    }

    /// Returns its path, without the slash it begins with.
    pub(crate) fn outside_name(&self) -> String {
        self.outside().to_str().expect("paths of tests are text").trim_start_matches('/').to_owned()
    }

    /// Returns the root of a new store, and of an older one nothing.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// Unpacks an image of these layers, bottom first, in a new store; returns the layers' directories, bottom first.
    pub(crate) fn unpack(&self, layers: &[Layer]) -> Result<Vec<PathBuf>, String> {
        let _ = fs::remove_dir_all(self.root());
        let store = Store::open(&self.root()).expect("open an empty store");
        list(&self.root().join("images"), layers);
        let before = self.surroundings();
        let image = store.find(NAME).expect("the store is whole").expect("the image is listed");
        let result = store.complete(image, &Silent).map_err(|error| shown(&error));
        assert_eq!(self.surroundings(), before, "something outside the layers has changed");
        match result {
            Ok(image) => {
                let mut layers = store.layers(&image).expect("every layer is there");
                layers.reverse();
                Ok(layers)
            }
            Err(text) => {
                self.has_no_remains(layers);
                Err(text)
            }
        }
    }

    /// A layer that was refused leaves nothing, not even half.
    fn has_no_remains(&self, layers: &[Layer]) {
        let names = fs::read_dir(self.root().join("layers")).expect("the store has layers");
        let names: Vec<_> =
            names.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        let is_whole = |name: &String| layers.iter().any(|layer| layer.diff_id.hex() == name);
        assert!(names.iter().all(is_whole) && names.len() < layers.len(), "left: {names:?}");
    }

    /// Everything in the test's directory but the layers, and the names at the root of the file system.
    fn surroundings(&self) -> impl PartialEq + std::fmt::Debug + use<> {
        let images = self.root().join("images");
        let churning = [self.root().join("layers"), images.join("ingest"), images.join("leases"), images.join("lock")];
        let churning: Vec<&Path> = churning.iter().map(PathBuf::as_path).collect();
        let mut own = tree::snapshot(self.directory.path(), &churning);
        // Their content comes and goes.
        [self.root(), images].iter().for_each(|path| _ = own.remove(path.as_os_str()));
        let root: Vec<_> =
            fs::read_dir("/").expect("it can be listed").flatten().map(|entry| entry.file_name()).collect();
        (own, root)
    }
}

/// What a case comes to.
pub(crate) enum Expected {
    /// The layer is refused, with these words in the error.
    Refused(&'static str),
    /// The layer looks like this: see [`tree::lines`].
    Contained(Vec<String>),
}

/// Returns the expectation that a layer is refused.
pub(crate) fn refused(words: &'static str) -> Expected {
    Expected::Refused(words)
}

/// Returns the expectation that a layer looks like this.
pub(crate) fn looks<S: AsRef<str>>(lines: &[S]) -> Expected {
    let mut lines: Vec<String> = lines.iter().map(|line| line.as_ref().to_owned()).collect();
    lines.sort();
    Expected::Contained(lines)
}

/// One archive: what is odd about it, itself, what it is expected to come to.
pub(crate) type Case = (&'static str, Archive, Expected);

/// Tries archives as the only layer of an image.
#[track_caller]
pub(crate) fn try_alone(ground: &Ground, cases: Vec<Case>) {
    try_all(ground, None, cases);
}

/// Tries archives as the upper of two layers.
#[track_caller]
pub(crate) fn try_above(ground: &Ground, below: &Archive, cases: Vec<Case>) {
    try_all(ground, Some(below), cases);
}

#[track_caller]
fn try_all(ground: &Ground, below: Option<&Archive>, cases: Vec<Case>) {
    let mut failures = Vec::new();
    for (what, archive, expected) in cases {
        let layers = below.cloned().into_iter().chain([archive]).map(|archive| Layer::plain(archive.end()));
        let layers: Vec<Layer> = layers.collect();
        let found = ground.unpack(&layers).map(|found| tree::lines(&found[found.len() - 1]));
        let is_right = match (&found, &expected) {
            (Err(text), Expected::Refused(words)) => text.contains(words),
            (Ok(lines), Expected::Contained(expected)) => lines == expected,
            _ => false,
        };
        if !is_right {
            let expected = match expected {
                Expected::Refused(words) => format!("refused: {words}"),
                Expected::Contained(lines) => format!("{lines:#?}"),
            };
            failures.push(format!("{what}\nexpected {expected}\nfound {found:#?}"));
        }
    }
    assert!(failures.is_empty(), "{} cases\n{}", failures.len(), failures.join("\n\n"));
    assert!(peak_memory() < MOST_MEMORY, "{} KiB of memory", peak_memory());
}

/// Returns the most memory this process has had, in KiB: `VmHWM`, proc(5).
pub(crate) fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("procfs is mounted");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).expect("a number of KiB")
}

/// Writes an image of these layers into a layout, as a push leaves it: blobs and an entry, nothing unpacked.
fn list(images: &Path, layers: &[Layer]) {
    let blob = |bytes: &[u8]| {
        let digest = Digest::of(bytes);
        fs::write(images.join("blobs/sha256").join(digest.hex()), bytes).expect("the store is ours");
        digest
    };
    let diff_ids: Vec<&Digest> = layers.iter().map(|layer| &layer.diff_id).collect();
    let config = serde_json::json!({"architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": diff_ids}})
    .to_string();
    let id = blob(config.as_bytes());
    let descriptor = |layer: &Layer| {
        let suffix = match layer.packing {
            Packing::Plain => "",
            Packing::Gzip => "+gzip",
            Packing::Zstd => "+zstd",
        };
        serde_json::json!({"mediaType": format!("application/vnd.oci.image.layer.v1.tar{suffix}"),
            "digest": blob(&layer.blob), "size": layer.blob.len()})
    };
    let manifest = serde_json::json!({"schemaVersion": 2,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": id, "size": config.len()},
        "layers": layers.iter().map(descriptor).collect::<Vec<_>>()})
    .to_string();
    let digest = blob(manifest.as_bytes());
    let index = serde_json::json!({"schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": manifest.len(),
        "annotations": {"org.opencontainers.image.ref.name": NAME, "io.lighter.config-digest": id}}]});
    fs::write(images.join("index.json"), index.to_string()).expect("the store is ours");
}

/// The text a user sees: the error and its causes.
fn shown(error: &InstallError) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
