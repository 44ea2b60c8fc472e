//! A server, a store, and what is pushed there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use lighter_images::digest::Digest;
use lighter_images::serve::{Access, Host, ServeOptions, Server};
use lighter_images::store::Store;

use crate::client::{Response, send};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// Tells the server who uses an image, and keeps what was asked.
#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) used: Mutex<Option<Digest>>,
    pub(crate) lines: Mutex<Vec<String>>,
}

impl Host for Watch {
    fn user_of(&self, image: &Digest) -> Option<String> {
        let used = self.used.lock().expect("no test panics with it");
        used.as_ref().filter(|used| *used == image).map(|_| "container web".to_owned())
    }

    fn answered(&self, access: &Access<'_>) {
        let line = format!("{} {} {:?}", access.method, access.target, access.status);
        self.lines.lock().expect("no test panics with it").push(line);
    }
}

/// A server with an empty store; it serves until the test's process ends.
pub(crate) struct Scene {
    directory: tempfile::TempDir,
    pub(crate) address: SocketAddr,
    pub(crate) store: Store,
    pub(crate) watch: Arc<Watch>,
}

impl Scene {
    pub(crate) fn new() -> Scene {
        Scene::open(tempfile::tempdir().expect("a temporary directory"), false)
    }

    /// Returns another server, read-only, of the same store.
    pub(crate) fn read_only(self) -> Scene {
        Scene::open(self.directory, true)
    }

    /// Returns another server of the same store, as after a restart.
    pub(crate) fn again(self) -> Scene {
        Scene::open(self.directory, false)
    }

    fn open(directory: tempfile::TempDir, read_only: bool) -> Scene {
        let store = Store::open(directory.path()).expect("open a store");
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = ServeOptions { listen, read_only, tls: None, htpasswd: None };
        let watch = Arc::new(Watch::default());
        let server = Server::open(&store, &options, watch.clone()).expect("listen at loopback");
        let address = server.address().expect("it listens");
        thread::spawn(move || server.run_forever());
        Scene { directory, address, store, watch }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Lists the names in a directory of the store.
    pub(crate) fn names(&self, directory: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(directory)).expect("the store is there");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> Response {
        self.send("GET", target, &[], b"")
    }

    #[track_caller]
    pub(crate) fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        send(self.address, method, target, headers, body)
    }

    /// Begins an upload and returns where it goes on.
    #[track_caller]
    pub(crate) fn begin(&self, name: &str) -> String {
        self.send("POST", &format!("/v2/{name}/blobs/uploads/"), &[], b"").is(202).header("location").to_owned()
    }

    /// Pushes a blob.
    #[track_caller]
    pub(crate) fn blob(&self, name: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let target = format!("{}?digest={digest}", self.begin(name));
        self.send("PUT", &target, &[("Content-Type", "application/octet-stream")], bytes).is(201);
        digest
    }

    /// Pushes a document.
    #[track_caller]
    pub(crate) fn put(&self, name: &str, reference: &str, media_type: &str, text: &str) -> Response {
        let target = format!("/v2/{name}/manifests/{reference}");
        self.send("PUT", &target, &[("Content-Type", media_type)], text.as_bytes())
    }

    /// Pushes the blobs of an image of one layer, which is plain, and returns its manifest.
    #[track_caller]
    pub(crate) fn image_blobs(&self, name: &str, layer: &[u8], architecture: &str) -> String {
        let diff_id = self.blob(name, layer);
        let config = format!(
            r#"{{"architecture":"{architecture}","os":"linux","rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}}}}"#
        );
        let id = self.blob(name, config.as_bytes());
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{},"layers":[{}]}}"#,
            descriptor(CONFIG, &id, config.len()),
            descriptor(LAYER, &diff_id, layer.len()),
        )
    }

    /// Pushes an image for this host and returns its manifest.
    #[track_caller]
    pub(crate) fn image(&self, name: &str, tag: &str, layer: &[u8]) -> String {
        let manifest = self.image_blobs(name, layer, host());
        self.put(name, tag, MANIFEST, &manifest).is(201);
        manifest
    }
}

/// The architecture of this host, as images spell it.
pub(crate) fn host() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

/// Returns a descriptor.
pub(crate) fn descriptor(media_type: &str, digest: &Digest, size: usize) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}"#)
}

/// Returns an index of manifests and the architectures they are for.
pub(crate) fn index(manifests: &[(&str, &str)]) -> String {
    let entry = |(manifest, architecture): &(&str, &str)| {
        let descriptor = descriptor(MANIFEST, &Digest::of(manifest.as_bytes()), manifest.len());
        let platform = format!(r#","platform":{{"os":"linux","architecture":"{architecture}"}}}}"#);
        format!("{}{platform}", &descriptor[..descriptor.len() - 1])
    };
    let entries: Vec<String> = manifests.iter().map(entry).collect();
    format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, entries.join(","))
}
