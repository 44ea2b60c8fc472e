//! Debian's docker-registry, in the scenario's network namespace, with the images of `tests/images/build.sh`.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use super::{eventually, tool};

/// A registry that ends when this is dropped.
pub(crate) struct Registry {
    child: Child,
}

impl Registry {
    /// The folder that `tests/images/build.sh` fills: `layout/`, `registry/`.
    pub(crate) fn images() -> PathBuf {
        let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/images");
        assert!(images.join("key").exists(), "`{}` is missing: run tests/images/build.sh", images.display());
        images
    }

    /// Serves the storage `data`, which is not written to, on 127.0.0.1:`port`; configuration and log go to `directory`.
    pub(crate) fn start(data: &Path, port: u16, directory: &Path) -> Self {
        let maintenance = "maintenance: {uploadpurging: {enabled: false}, readonly: {enabled: true}}";
        Self::serve(&format!("{}, {maintenance}", filesystem(data)), port, directory, "")
    }

    /// Serves a storage of its own, empty at first, which clients may write to; `settings` are further lines of its
    /// configuration, of which those that are indented belong to `http`.
    pub(crate) fn writable(port: u16, directory: &Path, settings: &str) -> Self {
        let maintenance = "maintenance: {uploadpurging: {enabled: false}}";
        let data = directory.join(format!("storage-{port}"));
        Self::serve(&format!("{}, {maintenance}", filesystem(&data)), port, directory, settings)
    }

    fn serve(storage: &str, port: u16, directory: &Path, settings: &str) -> Self {
        let configuration = directory.join(format!("registry-{port}.yml"));
        let text = format!(
            "version: 0.1\nlog: {{level: warn, accesslog: {{disabled: true}}}}\nstorage: {{{storage}}}\n\
             http:\n  addr: \"127.0.0.1:{port}\"\n{settings}"
        );
        fs::write(&configuration, text).expect("the scenario's directory is ours");
        let log = fs::File::create(directory.join(format!("registry-{port}.log"))).expect("the directory is ours");
        let mut command = tool(&program(), ["serve".as_ref(), configuration.as_os_str()]);
        command.stdout(Stdio::null()).stderr(log);
        let registry = Self { child: command.spawn().expect("docker-registry: run .ci/packages.sh test") };
        eventually("the registry answers", Duration::from_secs(20), || TcpStream::connect(("127.0.0.1", port)));
        registry
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn filesystem(data: &Path) -> String {
    format!("filesystem: {{rootdirectory: \"{}\"}}", data.display())
}

/// From the host, or from where `.ci/packages.sh` unpacks it.
fn program() -> String {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/usr/bin/docker-registry");
    if unpacked.exists() { unpacked.to_string_lossy().into_owned() } else { "docker-registry".to_owned() }
}

/// Copies the registry's storage to `target` with one byte of the blob `digest` changed, its length kept.
pub(crate) fn corrupted(digest: &str, target: &Path) {
    let source = Registry::images().join("registry");
    // Links: the copy costs nothing, and the one file that changes is replaced, not written to. Symbolic ones, because the
    // images may be on a disk of their own.
    let copied =
        super::run(tool("cp", ["-as".as_ref(), source.as_os_str(), target.as_os_str()]), Duration::from_secs(60));
    copied.ok();
    let hex = digest.trim_start_matches("sha256:");
    let blob = target.join("docker/registry/v2/blobs/sha256").join(&hex[..2]).join(hex).join("data");
    let mut bytes = Vec::new();
    fs::File::open(&blob).and_then(|mut file| file.read_to_end(&mut bytes)).expect("the registry has this blob");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(&blob).and_then(|()| fs::write(&blob, bytes)).expect("the copy is ours");
}
