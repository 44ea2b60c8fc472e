//! "Push": documents.

use lighter_images::digest::Digest;

use crate::scene::{INDEX, MANIFEST, Scene, descriptor, index};

#[test]
fn a_pushed_image_is_an_image_of_the_store() {
    let scene = Scene::new();
    let manifest = scene.image("team/app", "1", b"layer");
    let image = scene.store.find("localhost/team/app:1").unwrap().expect("it is listed");
    assert_eq!(image.manifest, Digest::of(manifest.as_bytes()));
    assert_eq!(scene.store.list().unwrap().len(), 1);
    assert!(scene.store.find("team/app:1").unwrap().is_none(), "a push never takes the place of Docker Hub's image");
}

#[test]
fn an_answer_to_a_push_says_where_it_is_and_what_its_digest_is() {
    let scene = Scene::new();
    let manifest = scene.image_blobs("a", b"layer", "amd64");
    let digest = Digest::of(manifest.as_bytes());
    let response = scene.put("a", "1", MANIFEST, &manifest).is(201);
    assert_eq!(response.header("docker-content-digest"), digest.as_str());
    scene.get(response.header("location")).is(200);
}

#[test]
fn a_manifest_whose_blobs_are_absent_is_refused() {
    let scene = Scene::new();
    let manifest = scene.image_blobs("a", b"layer", "amd64");
    for (what, part) in [("layer", Digest::of(b"layer").to_string()), ("size", "\"size\":5".to_owned())] {
        let other = match what {
            "layer" => manifest.replace(&part, Digest::of(b"absent").as_str()),
            _ => manifest.replace(&part, "\"size\":6"),
        };
        assert_ne!(other, manifest);
        let code = if what == "layer" { (404, "MANIFEST_BLOB_UNKNOWN") } else { (400, "MANIFEST_INVALID") };
        scene.put("a", "1", MANIFEST, &other).fails(code.0, code.1);
    }
    let index = index(&[(&manifest, "amd64")]);
    scene.put("a", "1", INDEX, &index).fails(404, "MANIFEST_BLOB_UNKNOWN");
    assert!(scene.store.list().unwrap().is_empty());
}

#[test]
fn what_is_no_manifest_is_refused() {
    let scene = Scene::new();
    let manifest = scene.image_blobs("a", b"layer", "amd64");
    for (media_type, text) in [
        (MANIFEST, "{"),
        (MANIFEST, "{}"),
        (INDEX, manifest.as_str()),
        ("text/html", manifest.as_str()),
        (MANIFEST, r#"{"schemaVersion":1,"fsLayers":[]}"#),
        (MANIFEST, r#"{"schemaVersion":2,"manifests":[],"config":{},"layers":[]}"#),
    ] {
        scene.put("a", "1", media_type, text).fails(400, "MANIFEST_INVALID");
    }
    scene.put("a", ".1", MANIFEST, &manifest).fails(400, "MANIFEST_INVALID");
    scene.put("a", &"1".repeat(129), MANIFEST, &manifest).fails(400, "MANIFEST_INVALID");
    scene.put("a", Digest::of(b"other").as_str(), MANIFEST, &manifest).fails(400, "DIGEST_INVALID");
    scene.put("A", "1", MANIFEST, &manifest).fails(400, "NAME_INVALID");
}

#[test]
fn a_manifest_of_four_mebibytes_is_taken_and_a_larger_one_refused() {
    let scene = Scene::new();
    let manifest = scene.image_blobs("a", b"layer", "amd64");
    let padded = |size: usize| {
        let (head, tail) = (r#"{"annotations":{"a":""#, r#""},"#);
        let text = format!(
            "{head}{}{tail}{}",
            "x".repeat(size - head.len() - tail.len() - manifest.len() + 1),
            &manifest[1..]
        );
        assert_eq!(text.len(), size);
        text
    };
    scene.put("a", "1", MANIFEST, &padded(4 << 20)).is(201);
    scene.put("a", "1", MANIFEST, &padded((4 << 20) + 1)).fails(413, "SIZE_INVALID");
}

#[test]
fn a_tag_moves_and_what_it_named_stays_under_its_digest() {
    let scene = Scene::new();
    let first = Digest::of(scene.image("a", "1", b"first").as_bytes());
    let second = scene.image("a", "1", b"second");
    assert_eq!(scene.get("/v2/a/manifests/1").body, second.as_bytes());
    scene.get(&format!("/v2/a/manifests/{first}")).is(200);
    let names: Vec<usize> = scene.store.list().unwrap().iter().map(|image| image.references.len()).collect();
    assert_eq!(names.iter().sum::<usize>(), 1, "the first is dangling");
}

#[test]
fn a_document_that_is_no_image_is_kept_and_not_shown_as_one() {
    let scene = Scene::new();
    let config = scene.blob("chart", b"{\"name\":\"x\"}");
    let config = descriptor("application/vnd.cncf.helm.config.v1+json", &config, 12);
    let chart = format!(r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{config},"layers":[]}}"#);
    scene.put("chart", "1", MANIFEST, &chart).is(201);
    let foreign = scene.image_blobs("foreign", b"layer", "riscv64");
    scene.put("foreign", Digest::of(foreign.as_bytes()).as_str(), MANIFEST, &foreign).is(201);
    scene.put("foreign", "1", INDEX, &index(&[(&foreign, "riscv64")])).is(201);
    assert!(scene.store.list().unwrap().is_empty());
    // and a sweep keeps all of it
    scene.image("other", "1", b"other");
    scene.store.remove("localhost/other:1", false, &|_| None).unwrap();
    assert_eq!(scene.get("/v2/chart/manifests/1").is(200).body, chart.as_bytes());
    scene.get(&format!("/v2/foreign/manifests/{}", Digest::of(foreign.as_bytes()))).is(200);
    scene.get(&format!("/v2/foreign/blobs/{}", Digest::of(b"layer"))).is(200);
    assert!(!scene.names("images/blobs/sha256").contains(&Digest::of(b"other").hex().to_owned()), "it did sweep");
}

#[test]
fn blobs_wait_for_their_manifest_while_others_are_swept() {
    let scene = Scene::new();
    let manifest = scene.image_blobs("a", b"layer", "amd64");
    scene.image("other", "1", b"other");
    scene.store.remove("localhost/other:1", false, &|_| None).unwrap();
    scene.put("a", "1", MANIFEST, &manifest).is(201);
}

#[test]
fn what_was_pushed_is_there_after_a_restart() {
    let scene = Scene::new();
    let manifest = scene.image("a", "1", b"layer");
    let scene = scene.again();
    assert_eq!(scene.get("/v2/a/manifests/1").is(200).body, manifest.as_bytes());
    assert_eq!(scene.get(&format!("/v2/a/blobs/{}", Digest::of(b"layer"))).is(200).body, b"layer");
}

#[test]
fn a_read_only_registry_refuses_whatever_would_change_it() {
    let scene = Scene::new();
    let manifest = scene.image("a", "1", b"layer");
    let scene = scene.read_only();
    scene.get("/v2/a/manifests/1").is(200);
    scene.send("POST", "/v2/a/blobs/uploads/", &[], b"").fails(405, "UNSUPPORTED");
    scene.put("a", "2", MANIFEST, &manifest).fails(405, "UNSUPPORTED");
    scene.send("DELETE", "/v2/a/manifests/1", &[], b"").fails(405, "UNSUPPORTED");
    scene.send("DELETE", &format!("/v2/a/blobs/{}", Digest::of(b"layer")), &[], b"").fails(405, "UNSUPPORTED");
}
