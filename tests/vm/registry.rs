//! A registry in this process, with one image: busybox, layers of random bytes whose sums are known, and a directory that hides the
//! one below it.
//!
//! It knows how far a pull has got, so that a test can choose the moment at which to end the guest.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::guest::{self, Lighter, sh};

/// The image's name.
pub(crate) const IMAGE: &str = "demo:1";

const ADDRESS: &str = "127.0.0.1:5000";

const INDEX: &str = "application/vnd.oci.image.manifest.v1+json";

/// Layers beside the first, and bytes of each: large enough that writing them takes several flushes.
const LAYERS: usize = 3;
const LAYER_SIZE: usize = 3 << 20;

/// Layers of the image in all.
pub(crate) const ALL_LAYERS: usize = LAYERS + 2;

/// Bytes between two looks whether this is the moment.
const PIECE: usize = 64 << 10;

/// Called with the blob's digest, the bytes of it that were sent, and its size.
type Watcher = dyn Fn(&str, usize, usize) + Send + Sync;

/// Returns lighter with a data root of its own, and starts the registry that the tests of one guest share.
pub(crate) fn lighter(name: &str) -> Lighter {
    static SERVED: Once = Once::new();
    SERVED.call_once(|| Content::make(guest::state().join("registry")).serve(|_, _, _| {}));
    Lighter::new(&guest::state().join(name))
}

/// The content of a registry, in a directory.
pub(crate) struct Content {
    directory: PathBuf,
}

impl Content {
    /// Makes the image, once; a later boot finds the same.
    pub(crate) fn make(directory: PathBuf) -> Self {
        let content = Self { directory };
        if content.directory.join("manifest").exists() {
            return content;
        }
        fs::create_dir_all(&content.directory).unwrap();
        let mut layers = vec![content.blob(&busybox())];
        let mut sums = String::new();
        for number in 0..LAYERS {
            let bytes = random(LAYER_SIZE);
            sums.push_str(&format!("{}  /data/{number}\n", hex::encode(Sha256::digest(&bytes))));
            layers.push(content.blob(&archive(&[(&format!("data/{number}"), 0o644, &bytes)])));
        }
        let last = [("sums", sums.as_bytes()), ("veiled/.wh..wh..opq", b""), ("veiled/new", b"")];
        layers.push(content.blob(&archive(&last.map(|(name, bytes)| (name, 0o644, bytes)))));
        let digests: Vec<_> = layers.iter().map(|(digest, _)| digest.clone()).collect();
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": digests},
        });
        let (digest, size) = content.blob(config.to_string().as_bytes());
        let media = "application/vnd.oci.image.layer.v1.tar";
        let layer = |(digest, size): &(String, usize)| json!({"mediaType": media, "digest": digest, "size": size});
        let manifest = json!({
            "schemaVersion": 2, "mediaType": INDEX,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": size},
            "layers": layers.iter().map(layer).collect::<Vec<Value>>(),
        });
        fs::write(content.directory.join("manifest"), manifest.to_string()).unwrap();
        sh("sync");
        content
    }

    /// Stores a blob; returns digest and size.
    fn blob(&self, bytes: &[u8]) -> (String, usize) {
        let digest = format!("sha256:{}", hex::encode(Sha256::digest(bytes)));
        fs::write(self.directory.join(&digest), bytes).unwrap();
        (digest, bytes.len())
    }

    pub(crate) fn layers(&self) -> Vec<String> {
        let manifest: Value = serde_json::from_slice(&fs::read(self.directory.join("manifest")).unwrap()).unwrap();
        let layers = manifest["layers"].as_array().expect("a manifest has layers");
        layers.iter().map(|layer| layer["digest"].as_str().expect("text").to_owned()).collect()
    }

    /// Serves until the process ends, telling `watcher` what was sent.
    pub(crate) fn serve(&self, watcher: impl Fn(&str, usize, usize) + Send + Sync + 'static) {
        let listener = TcpListener::bind(ADDRESS).expect("the port is free");
        let (directory, watcher): (PathBuf, Arc<Watcher>) = (self.directory.clone(), Arc::new(watcher));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (directory, watcher) = (directory.clone(), Arc::clone(&watcher));
                std::thread::spawn(move || {
                    // The client goes when it has what it wants.
                    let _gone = answer(&stream, &directory, &*watcher);
                });
            }
        });
    }
}

/// Answers the requests of a connection (OCI distribution specification, "Pull").
fn answer(stream: &TcpStream, directory: &Path, watcher: &Watcher) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut out = stream;
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut from = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(range) = line.strip_prefix("range: bytes=") {
                from = range.trim_end_matches('-').parse().unwrap_or(0);
            }
        }
        let mut words = request.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let name = path.rsplit('/').next().unwrap_or_default();
        let is_blob = path.contains("/blobs/");
        let found = match path {
            "/v2/" => Some(Vec::new()),
            _ if is_blob => fs::read(directory.join(name)).ok(),
            _ if path.contains("/manifests/") => fs::read(directory.join("manifest")).ok(),
            _ => None,
        };
        let Some(content) = found else {
            out.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        };
        let media = if is_blob { "application/octet-stream" } else { INDEX };
        let status = if from > 0 { "206 Partial Content" } else { "200 OK" };
        let range = if from > 0 {
            format!("Content-Range: bytes {from}-{}/{}\r\n", content.len().saturating_sub(1), content.len())
        } else {
            String::new()
        };
        let rest = content.get(from..).unwrap_or_default();
        write!(out, "HTTP/1.1 {status}\r\nContent-Type: {media}\r\n{range}Content-Length: {}\r\n\r\n", rest.len())?;
        if method == "HEAD" {
            continue;
        }
        let mut sent = from;
        for piece in rest.chunks(PIECE) {
            out.write_all(piece)?;
            sent += piece.len();
            if is_blob {
                watcher(name, sent, content.len());
            }
        }
    }
}

fn random(size: usize) -> Vec<u8> {
    use std::io::Read;
    let mut bytes = vec![0; size];
    fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).unwrap();
    bytes
}

/// A root with the guest's own static busybox.
fn busybox() -> Vec<u8> {
    let program = fs::read("/bin/busybox").unwrap();
    let passwd = b"root:x:0:0:root:/root:/bin/sh\n";
    let mut builder =
        builder(&[("bin/busybox", 0o755, &program), ("etc/passwd", 0o644, passwd), ("veiled/old", 0o644, b"")]);
    for applet in ["sh", "true", "sleep", "sha256sum", "cat", "cmp", "echo", "date", "ls", "tail"] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        builder.append_link(&mut header, format!("bin/{applet}"), "busybox").unwrap();
    }
    builder.into_inner().unwrap()
}

fn archive(files: &[(&str, u32, &[u8])]) -> Vec<u8> {
    builder(files).into_inner().unwrap()
}

fn builder(files: &[(&str, u32, &[u8])]) -> tar::Builder<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for folder in ["bin", "data", "dev", "etc", "proc", "root", "sys", "tmp", "veiled"] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        header.set_mode(0o755);
        builder.append_data(&mut header, format!("{folder}/"), std::io::empty()).unwrap();
    }
    for (name, mode, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(*mode);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder
}
