use std::io::Cursor;

use proptest::prelude::*;

use super::*;
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

#[test]
fn images_without_layers_are_loaded_from_both_forms_and_names_are_optional() {
    let config = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
    let docker = br#"[{"Config":"./config.json","RepoTags":null,"Layers":[]},{"Config":"config.json","RepoTags":["a:1"],"Layers":[]}]"#;
    let both = archive(&[("manifest.json", docker), ("./config.json", config)]);
    assert_eq!(loaded(both), Ok(2));
    let empty = archive(&[("oci-layout", b"{}"), ("index.json", br#"{"schemaVersion":2,"manifests":[]}"#)]);
    assert_eq!(loaded(empty), Err("the archive has no images".to_owned()));
}
