//! Registries that are away, do not have it, or hand out something else.

use std::fs;

use serde_json::Value;

use crate::harness::{Registry, Scenario, corrupted};

/// Asserts that neither an image nor any part of one is in the store.
fn nothing_is_kept(host: &Scenario) {
    assert_eq!(host.run(["images", "--quiet"]).ok().text(), "");
    assert_eq!(names(host, "layers"), Vec::<String>::new(), "layers of an image that never was");
}

fn names(host: &Scenario, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(host.root().join(folder)).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
#[ignore = "needs root"]
fn an_unreachable_registry_is_named_with_the_reason() {
    let host = Scenario::new("which host could not be reached, and why");
    host.run(["pull", "127.0.0.1:1/library/busybox:1"]).code(1).says(["127.0.0.1:1", "refused"]);
    nothing_is_kept(&host);
}

#[test]
#[ignore = "needs root"]
fn a_mirror_that_is_away_is_named_beside_the_registry_behind_it() {
    let mut host = Scenario::new("each place that was tried belongs in the error");
    host.stop_registry();
    host.run(["pull", "busybox:1"]).code(1).says(["127.0.0.1:5000", "docker.io"]);
    nothing_is_kept(&host);
}

#[test]
#[ignore = "needs root"]
fn an_unknown_tag_is_named_with_its_repository() {
    let host = Scenario::new("what does not exist must be named");
    host.run(["pull", "127.0.0.1:5000/library/busybox:nope"]).code(1).says(["nope", "127.0.0.1:5000/library/busybox"]);
    nothing_is_kept(&host);
}

#[test]
#[ignore = "needs root"]
fn a_corrupt_layer_is_named_by_digest_and_nothing_of_it_is_kept() {
    let TopLayer { digest, diff_id } = top_layer("nginx:1");
    let place = tempfile::tempdir().expect("make a temporary folder");
    let data = place.path().join("registry");
    corrupted(&digest, &data);
    let host = Scenario::with_registry("bytes count only when they are the ones that were promised", &data);
    host.run(["pull", "nginx:1"]).code(1).says([&digest]);
    assert_eq!(host.run(["images", "--quiet"]).ok().text(), "");
    // the image's other layers are whole, and may wait for the next pull
    let hex = |digest: &str| digest.trim_start_matches("sha256:").to_owned();
    assert!(!names(&host, "images/blobs/sha256").contains(&hex(&digest)), "the corrupt blob was kept");
    let of_it =
        names(&host, "layers").into_iter().filter(|name| name.contains(&hex(&diff_id)) || name.starts_with('.'));
    assert_eq!(of_it.collect::<Vec<_>>(), Vec::<String>::new(), "files of the corrupt layer were kept");
}

struct TopLayer {
    digest: String,
    diff_id: String,
}

/// The last layer of an image that has no index, from the layout that the registry was filled from.
fn top_layer(name: &str) -> TopLayer {
    let layout = Registry::images().join("layout");
    let read = |path: std::path::PathBuf| -> Value {
        serde_json::from_slice(&fs::read(&path).expect("the layout is whole")).expect("the layout is JSON")
    };
    let index = read(layout.join("index.json"));
    let named = index["manifests"]
        .as_array()
        .expect("an index has manifests")
        .iter()
        .find(|manifest| manifest["annotations"]["org.opencontainers.image.ref.name"] == name);
    let digest = named.and_then(|manifest| manifest["digest"].as_str()).expect("the image is there");
    let blob = |digest: &str| read(layout.join("blobs/sha256").join(&digest["sha256:".len()..]));
    let manifest = blob(digest);
    let config = blob(manifest["config"]["digest"].as_str().expect("a manifest has a configuration"));
    let last = |list: &Value| list.as_array().and_then(|all| all.last()).expect("an image has layers").clone();
    let text = |value: &Value| value.as_str().expect("a digest is a text").to_owned();
    TopLayer { digest: text(&last(&manifest["layers"])["digest"]), diff_id: text(&last(&config["rootfs"]["diff_ids"])) }
}
