//! What `fuzz/` calls: everything that reads bytes of somebody else's, with what must hold whatever they are.
//!
//! Built with `--cfg fuzzing` only. Runs in a fuzzer's process. Besides what each function asserts, nothing may panic, overflow,
//! hang, or need more than the fuzzer's limit of memory.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::digest::Digest;
use crate::layer::{Below, Compression, Reader, unpack as unpack_archive};
use crate::manifest::{self, Document, descriptor_digest};
use crate::platform::Platform;
use crate::reference::Reference;
use crate::serve::{Query, Route, fuzz_credentials, fuzz_range, stored};

/// Most that is inflated of one input, in bytes.
const INFLATED: u64 = 4 << 20;

/// Reads a manifest or index, and goes on as a pull does.
pub fn manifest(bytes: &[u8]) {
    let digest = Digest::of(bytes);
    match Document::parse(bytes, &digest, None) {
        Err(_) => {}
        Ok(Document::Index(index)) => {
            if let Ok(chosen) = manifest::select(&index, &digest, &Platform::host()) {
                assert!(index.manifests().contains(chosen));
                let _ = descriptor_digest(chosen);
            }
        }
        Ok(Document::Manifest(manifest)) => {
            for descriptor in std::iter::once(manifest.config()).chain(manifest.layers()) {
                if let Ok(digest) = descriptor_digest(descriptor) {
                    assert_eq!(digest.hex().len(), 64);
                }
                let _ = Compression::of(descriptor.media_type().as_ref());
            }
        }
    }
}

/// Reads an image's configuration and the chain of its layers.
pub fn config(bytes: &[u8]) {
    if let Ok((config, _)) = manifest::parse_config(bytes, &Digest::of(bytes))
        && let Ok(chain) = manifest::chain(&config)
    {
        assert_eq!(chain.len(), config.rootfs().diff_ids().len());
    }
}

/// Reads an archive to its end: no entry has more content than there are bytes.
pub fn archive(bytes: &[u8]) {
    let mut archive = Reader::new(bytes);
    let mut total = 0;
    while let Ok(Some(entry)) = archive.next() {
        assert!(!entry.path.contains(&0) || entry.path.len() <= 256);
        if let Some(map) = &entry.sparse {
            assert_eq!(map.pieces.iter().map(|(_, length)| length).sum::<u64>(), entry.size);
            assert!(map.pieces.iter().all(|(offset, length)| offset + length <= map.size));
        }
        while let Ok(chunk @ [_, ..]) = archive.chunk() {
            let length = chunk.len();
            total += length;
            archive.consume(length);
        }
    }
    assert!(total <= bytes.len());
}

/// Inflates a blob; its first byte says how.
pub fn compression(bytes: &[u8]) {
    let Some((first, blob)) = bytes.split_first() else { return };
    let compression = if first % 2 == 0 { Compression::Gzip } else { Compression::Zstd };
    if let Ok(plain) = compression.bounded_reader(blob, blob.len() as u64) {
        let _ = io::copy(&mut plain.take(INFLATED), &mut io::sink());
    }
}

/// Unpacks an archive into a directory; beside it nothing changes. The first byte says whether there are layers below.
pub fn unpack(bytes: &[u8]) {
    let Some((first, archive)) = bytes.split_first() else { return };
    let scratch = scratch();
    let layer = scratch.join("layer");
    let _ = fs::remove_dir_all(&layer);
    fs::create_dir(&layer).expect("the fuzzer's directory takes another");
    let root = File::open(&layer).expect("it was just made").into();
    let below = || Ok(if first % 2 == 0 { Below::Nothing } else { Below::Unknown });
    let _ = unpack_archive(&mut Reader::new(archive), root, &below);
    assert_eq!(names(scratch), ["canary", "layer"]);
    assert_eq!(names(&scratch.join("canary")), ["file"]);
    assert_eq!(fs::read(scratch.join("canary/file")).expect("it is there"), b"untouched");
    assert!(!Path::new("/canary").exists());
}

/// A directory of this process's with something in it that must stay as it is.
fn scratch() -> &'static Path {
    static SCRATCH: OnceLock<PathBuf> = OnceLock::new();
    SCRATCH.get_or_init(|| {
        let scratch = Path::new("/dev/shm").join(format!("lighter-fuzz-{}", std::process::id()));
        fs::create_dir_all(scratch.join("canary")).expect("make a directory in /dev/shm");
        fs::write(scratch.join("canary/file"), "untouched").expect("the directory was just made");
        scratch
    })
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("it is there");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Reads a reference; what was read is written so that it reads back.
pub fn reference(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(reference) = text.parse::<Reference>() {
        for written in [reference.to_string(), reference.familiar()] {
            assert_eq!(written.parse::<Reference>().as_ref(), Ok(&reference));
        }
    }
    let _ = text.parse::<Platform>();
}

/// Reads a request to the registry: its path, its query, and headers, a line each.
pub fn request(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.lines();
    let (path, query) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let query = Query::parse(query);
    if let Ok(Route::Manifest { name, .. } | Route::Blob { name, .. } | Route::Tags { name }) = Route::parse(path) {
        let stored = stored(&name, None).expect("the name of a route is valid");
        assert!(stored[0].starts_with("localhost/"));
        let _ = query.names(&name);
    }
    lines.for_each(|line| {
        fuzz_range(line);
        fuzz_credentials(line);
    });
}
