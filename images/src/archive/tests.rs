use std::io::Cursor;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::digest::Digest;
use crate::platform::Platform;
use crate::progress::Silent;
use crate::store::Store;

/// Loads an archive with these files into a store of its own, and says why that failed, if it did.
fn loaded(archive: Vec<u8>) -> Result<usize, String> {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    let input = Input::Stream(Box::new(Cursor::new(archive)));
    let result = load(&store, input, &LoadOptions::default(), &Silent);
    let listed = store.list().unwrap().len();
    match result {
        Ok(images) => {
            assert!(listed <= images.len());
            Ok(images.len())
        }
        Err(error) => {
            assert_eq!(listed, 0, "what cannot be loaded is not listed");
            Err(error.to_string())
        }
    }
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Text that is nearly a description of images.
fn descriptions() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just(",".to_owned()),
        Just(":".to_owned()),
        Just("\"Config\"".to_owned()),
        Just("\"Layers\"".to_owned()),
        Just("\"RepoTags\"".to_owned()),
        Just("\"manifests\"".to_owned()),
        Just("\"schemaVersion\"".to_owned()),
        Just("\"digest\"".to_owned()),
        Just("\"config.json\"".to_owned()),
        Just("2".to_owned()),
        Just("null".to_owned()),
        "\"\\PC{0,10}\"",
    ];
    proptest::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
        prop_assert!(loaded(bytes).is_err());
    }

    #[test]
    fn any_description_is_refused_or_read(docker in descriptions(), index in descriptions(), config in descriptions()) {
        let docker = archive(&[("manifest.json", docker.as_bytes()), ("config.json", config.as_bytes())]);
        let layout = archive(&[("oci-layout", b"{}"), ("index.json", index.as_bytes())]);
        let _ = (loaded(docker), loaded(layout));
    }
}

/// Names in a layout, and what is there.
type Files = Vec<(String, Vec<u8>)>;

fn add(files: &mut Files, media_type: &str, document: serde_json::Value) -> serde_json::Value {
    let bytes = document.to_string().into_bytes();
    let digest = Digest::of(&bytes);
    let descriptor = json!({"mediaType": media_type, "digest": digest, "size": bytes.len()});
    files.push((format!("blobs/sha256/{}", digest.hex()), bytes));
    descriptor
}

/// An image without layers, as an index has it.
fn image(files: &mut Files, architecture: &str) -> serde_json::Value {
    let rootfs = json!({"type": "layers", "diff_ids": []});
    let config = json!({"architecture": architecture, "os": "linux", "rootfs": rootfs});
    let config = add(files, "application/vnd.oci.image.config.v1+json", config);
    let manifest = json!({"schemaVersion": 2, "config": config, "layers": []});
    let mut descriptor = add(files, "application/vnd.oci.image.manifest.v1+json", manifest);
    descriptor["platform"] = json!({"architecture": architecture, "os": "linux"});
    descriptor
}

fn index(files: &mut Files, manifests: &[serde_json::Value]) -> serde_json::Value {
    let index = json!({"schemaVersion": 2, "manifests": manifests});
    add(files, "application/vnd.oci.image.index.v1+json", index)
}

/// Loads a layout of one entry, and returns the architectures that its name stands for, first the one that it means.
fn architectures(files: &Files, entry: &serde_json::Value) -> Vec<String> {
    let top = json!({"schemaVersion": 2, "manifests": [entry]}).to_string();
    let mut all: Vec<(&str, &[u8])> = vec![("oci-layout", b"{}"), ("index.json", top.as_bytes())];
    all.extend(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(root.path()).unwrap();
    let input = Input::Stream(Box::new(Cursor::new(archive(&all))));
    let images = load(&store, input, &LoadOptions::default(), &Silent).unwrap();
    let variants = store.variants(&images[0].image).unwrap();
    let all = [&images[0].image].into_iter().chain(&variants);
    all.map(|image| image.platform().architecture).collect()
}

#[test]
fn an_index_that_is_whole_is_taken_whole_and_of_another_one_image() {
    let host = Platform::host().architecture;
    let mut files = Files::new();
    let images = [image(&mut files, "s390x"), image(&mut files, &host)];
    let entry = index(&mut files, &images);
    assert_eq!(architectures(&files, &entry), [&*host, "s390x", &*host]);
    let mut part = files.clone();
    part.remove(0);
    assert_eq!(architectures(&part, &entry), [&*host, &*host], "the configuration of the first is not there");
    let mut others = Files::new();
    let images = [image(&mut others, "s390x"), image(&mut others, "ppc64le")];
    let entry = index(&mut others, &images);
    assert_eq!(architectures(&others, &entry), ["s390x", "s390x", "ppc64le"]);
}

#[test]
fn an_index_that_names_another_many_times_is_read_once() {
    let mut files = Files::new();
    let mut entry = image(&mut files, &Platform::host().architecture);
    for _ in 0..3 {
        let platform = entry["platform"].clone();
        entry = index(&mut files, &vec![entry; 1000]);
        entry["platform"] = platform;
    }
    assert_eq!(architectures(&files, &entry).len(), 2);
}

#[test]
fn images_without_layers_are_loaded_from_both_forms_and_names_are_optional() {
    let config = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
    let docker = br#"[{"Config":"./config.json","RepoTags":null,"Layers":[]},{"Config":"config.json","RepoTags":["a:1"],"Layers":[]}]"#;
    let both = archive(&[("manifest.json", docker), ("./config.json", config)]);
    assert_eq!(loaded(both), Ok(2));
    let empty = archive(&[("oci-layout", b"{}"), ("index.json", br#"{"schemaVersion":2,"manifests":[]}"#)]);
    assert_eq!(loaded(empty), Err("the archive has no images".to_owned()));
}
