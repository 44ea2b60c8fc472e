//! "Content Management": deletion.

use lighter_images::digest::Digest;

use crate::scene::{MANIFEST, Scene};

#[test]
fn a_tag_is_deleted_and_its_document_stays() {
    let scene = Scene::new();
    let digest = Digest::of(scene.image("a", "1", b"layer").as_bytes());
    scene.send("DELETE", "/v2/a/manifests/1", &[], b"").is(202);
    scene.get("/v2/a/manifests/1").fails(404, "MANIFEST_UNKNOWN");
    scene.send("DELETE", "/v2/a/manifests/1", &[], b"").fails(404, "MANIFEST_UNKNOWN");
    scene.get(&format!("/v2/a/manifests/{digest}")).is(200);
}

#[test]
fn a_document_is_deleted_with_its_tags_and_what_nothing_else_needs() {
    let scene = Scene::new();
    let manifest = scene.image("a", "1", b"layer");
    scene.put("a", "2", MANIFEST, &manifest).is(201);
    let other = scene.image("b", "1", b"other");
    let digest = Digest::of(manifest.as_bytes());
    scene.send("DELETE", &format!("/v2/a/manifests/{digest}"), &[], b"").is(202);
    scene.get("/v2/a/manifests/1").is(404);
    scene.get("/v2/a/manifests/2").is(404);
    scene.get(&format!("/v2/a/blobs/{}", Digest::of(b"layer"))).is(404);
    assert_eq!(scene.get("/v2/b/manifests/1").is(200).body, other.as_bytes());
    assert_eq!(scene.names("images/blobs/sha256").len(), 3, "what the other image needs");
    scene.send("DELETE", &format!("/v2/a/manifests/{digest}"), &[], b"").is(404);
}

#[test]
fn an_image_that_a_container_uses_is_not_deleted() {
    let scene = Scene::new();
    let digest = Digest::of(scene.image("a", "1", b"layer").as_bytes());
    let id = scene.store.list().unwrap()[0].id.clone();
    *scene.watch.used.lock().unwrap() = Some(id);
    let target = format!("/v2/a/manifests/{digest}");
    let refused = scene.send("DELETE", &target, &[], b"").fails(403, "DENIED");
    assert!(String::from_utf8_lossy(&refused.body).contains("container web"));
    scene.get("/v2/a/manifests/1").is(200);
}

#[test]
fn a_blob_goes_with_its_manifest_or_by_itself_if_none_needs_it() {
    let scene = Scene::new();
    scene.image("a", "1", b"layer");
    let layer = format!("/v2/a/blobs/{}", Digest::of(b"layer"));
    scene.send("DELETE", &layer, &[], b"").fails(405, "UNSUPPORTED");
    let target = format!("/v2/a/blobs/{}", scene.blob("a", b"alone"));
    scene.send("DELETE", &target, &[], b"").is(202);
    scene.get(&target).is(404);
    scene.send("DELETE", &target, &[], b"").fails(404, "BLOB_UNKNOWN");
    scene.get(&layer).is(200);
}
