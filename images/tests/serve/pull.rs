//! "Pull": every registry must have it.

use lighter_images::digest::Digest;

use crate::scene::{INDEX, MANIFEST, Scene, host, index};

#[test]
fn the_base_says_that_there_is_a_registry() {
    let scene = Scene::new();
    for target in ["/v2/", "/v2"] {
        let response = scene.get(target).is(200);
        assert_eq!(response.header("docker-distribution-api-version"), "registry/2.0");
    }
    scene.send("HEAD", "/v2/", &[], b"").is(200);
    scene.get("/").fails(404, "UNSUPPORTED");
}

#[test]
fn a_manifest_is_had_by_tag_and_by_digest_as_it_was_pushed() {
    let scene = Scene::new();
    let manifest = scene.image("team/app", "1", b"layer");
    let digest = Digest::of(manifest.as_bytes());
    for reference in ["1", digest.as_str()] {
        let response = scene.get(&format!("/v2/team/app/manifests/{reference}")).is(200);
        assert_eq!(response.body, manifest.as_bytes());
        assert_eq!(response.header("content-type"), MANIFEST);
        assert_eq!(response.header("docker-content-digest"), digest.as_str());
        let head = scene.send("HEAD", &format!("/v2/team/app/manifests/{reference}"), &[], b"").is(200);
        assert_eq!(head.header("content-length"), manifest.len().to_string());
        assert_eq!(head.header("docker-content-digest"), digest.as_str());
        assert!(head.body.is_empty());
    }
}

#[test]
fn what_is_not_there_is_404_with_its_code() {
    let scene = Scene::new();
    scene.image("team/app", "1", b"layer");
    let digest = Digest::of(b"absent");
    scene.get("/v2/team/app/manifests/2").fails(404, "MANIFEST_UNKNOWN");
    scene.get("/v2/team/app/manifests/.INVALID").fails(404, "MANIFEST_UNKNOWN");
    scene.get(&format!("/v2/team/app/manifests/{digest}")).fails(404, "MANIFEST_UNKNOWN");
    scene.get("/v2/team/other/manifests/1").fails(404, "NAME_UNKNOWN");
    scene.get("/v2/team/other/tags/list").fails(404, "NAME_UNKNOWN");
    scene.get(&format!("/v2/team/app/blobs/{digest}")).fails(404, "BLOB_UNKNOWN");
    scene.get("/v2/team/app/blobs/sha256:x").fails(400, "DIGEST_INVALID");
    scene.get("/v2/Team/app/manifests/1").fails(400, "NAME_INVALID");
    scene.send("HEAD", &format!("/v2/team/app/blobs/{digest}"), &[], b"").is(404);
}

#[test]
fn a_document_of_one_repository_is_not_one_of_another() {
    let scene = Scene::new();
    let digest = Digest::of(scene.image("team/app", "1", b"layer").as_bytes());
    scene.image("team/other", "1", b"other");
    scene.get(&format!("/v2/team/other/manifests/{digest}")).fails(404, "MANIFEST_UNKNOWN");
}

#[test]
fn a_blob_is_had_whole_and_in_ranges() {
    let scene = Scene::new();
    let bytes: Vec<u8> = (0..1_000_000u32).map(|number| (number % 251) as u8).collect();
    let digest = scene.blob("a", &bytes);
    let target = format!("/v2/a/blobs/{digest}");
    let whole = scene.get(&target).is(200);
    assert!(whole.body == bytes);
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert_eq!(whole.header("docker-content-digest"), digest.as_str());
    for (range, part) in [
        ("bytes=0-9", 0..10),
        ("bytes=999990-", 999_990..1_000_000),
        ("bytes=-5", 999_995..1_000_000),
        ("bytes=500000-2000000", 500_000..1_000_000),
    ] {
        let response = scene.send("GET", &target, &[("Range", range)], b"").is(206);
        assert!(response.body == bytes[part.clone()], "{range}");
        let expected = format!("bytes {}-{}/1000000", part.start, part.end - 1);
        assert_eq!(response.header("content-range"), expected);
    }
    let beyond = scene.send("GET", &target, &[("Range", "bytes=1000000-")], b"").is(416);
    assert_eq!(beyond.header("content-range"), "bytes */1000000");
    assert!(scene.send("GET", &target, &[("Range", "bytes=1-2"), ("If-Range", "\"x\"")], b"").is(200).body == bytes);
}

#[test]
fn content_that_the_client_has_is_not_sent_again() {
    let scene = Scene::new();
    let manifest = scene.image("a", "1", b"layer");
    let targets = [
        ("/v2/a/manifests/1".to_owned(), Digest::of(manifest.as_bytes())),
        (format!("/v2/a/blobs/{}", Digest::of(b"layer")), Digest::of(b"layer")),
    ];
    for (target, digest) in targets {
        let tag = scene.get(&target).header("etag").to_owned();
        assert_eq!(tag, format!("\"{digest}\""));
        let response = scene.send("GET", &target, &[("If-None-Match", &tag)], b"").is(304);
        assert!(response.body.is_empty());
        scene.send("GET", &target, &[("If-None-Match", "\"sha256:0\"")], b"").is(200);
    }
}

#[test]
fn an_index_is_served_and_every_image_it_has() {
    let scene = Scene::new();
    let (ours, theirs) = (scene.image_blobs("a", b"ours", host()), scene.image_blobs("a", b"theirs", "riscv64"));
    for manifest in [&ours, &theirs] {
        scene.put("a", Digest::of(manifest.as_bytes()).as_str(), MANIFEST, manifest).is(201);
    }
    let index = index(&[(&theirs, "riscv64"), (&ours, host())]);
    scene.put("a", "1", INDEX, &index).is(201);
    let response = scene.get("/v2/a/manifests/1").is(200);
    assert_eq!((response.body, response.status), (index.clone().into_bytes(), 200));
    for manifest in [&ours, &theirs] {
        let response = scene.get(&format!("/v2/a/manifests/{}", Digest::of(manifest.as_bytes()))).is(200);
        assert_eq!(response.body, manifest.as_bytes());
    }
    // and to this host it is one image, with one name, known by both digests
    let images = scene.store.list().unwrap();
    assert_eq!(images.len(), 1);
    assert_eq!(images[0].manifest, Digest::of(ours.as_bytes()));
    assert_eq!(images[0].repo_digests, [format!("localhost/a@{}", Digest::of(index.as_bytes()))]);
}
