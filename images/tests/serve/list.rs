//! "Content Discovery": tags, the catalog, referrers.

use lighter_images::digest::Digest;
use serde_json::json;

use crate::scene::{INDEX, MANIFEST, Scene, descriptor};

#[test]
fn tags_are_listed_in_order_and_page_by_page() {
    let scene = Scene::new();
    let manifest = scene.image("a", "b", b"layer");
    for tag in ["C", "a", "c"] {
        scene.put("a", tag, MANIFEST, &manifest).is(201);
    }
    assert_eq!(scene.get("/v2/a/tags/list").is(200).json(), json!({"name": "a", "tags": ["a", "b", "C", "c"]}));
    let (mut target, mut pages) = ("/v2/a/tags/list?n=3".to_owned(), Vec::new());
    loop {
        let page = scene.get(&target).is(200);
        pages.push(page.json()["tags"].clone());
        let link = page.header("link").to_owned();
        let Some(next) = link.strip_prefix('<').and_then(|rest| rest.strip_suffix(">; rel=\"next\"")) else { break };
        target = next.to_owned();
    }
    assert_eq!(pages, [json!(["a", "b", "C"]), json!(["c"])]);
    assert_eq!(scene.get("/v2/a/tags/list?n=0").is(200).json()["tags"], json!([]));
    scene.get("/v2/a/tags/list?n=x").is(400);
}

#[test]
fn the_catalog_lists_repositories_by_the_names_that_lead_to_them() {
    let scene = Scene::new();
    for name in ["team/app", "b", "ghcr.io/x/y"] {
        scene.image(name, "1", b"layer");
    }
    assert_eq!(scene.get("/v2/_catalog").is(200).json(), json!({"repositories": ["b", "ghcr.io/x/y", "team/app"]}));
    let page = scene.get("/v2/_catalog?n=1").is(200);
    assert_eq!(page.header("link"), "</v2/_catalog?n=1&last=b>; rel=\"next\"");
}

#[test]
fn what_refers_to_a_document_is_listed_and_filtered() {
    let scene = Scene::new();
    let manifest = scene.image("a", "1", b"layer");
    let subject = Digest::of(manifest.as_bytes());
    let empty = scene.blob("a", b"{}");
    let empty = descriptor("application/vnd.oci.empty.v1+json", &empty, 2);
    let signature = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","artifactType":"example/signature","config":{empty},"layers":[],"subject":{},"annotations":{{"k":"v"}}}}"#,
        descriptor(MANIFEST, &subject, manifest.len())
    );
    let digest = Digest::of(signature.as_bytes());
    let pushed = scene.put("a", digest.as_str(), MANIFEST, &signature).is(201);
    assert_eq!(pushed.header("oci-subject"), subject.as_str());
    let listed = scene.get(&format!("/v2/a/referrers/{subject}")).is(200);
    assert_eq!(listed.header("content-type"), INDEX);
    let expected = json!([{"mediaType": MANIFEST, "digest": digest, "size": signature.len(),
        "artifactType": "example/signature", "annotations": {"k": "v"}}]);
    assert_eq!(listed.json()["manifests"], expected);
    let filtered = scene.get(&format!("/v2/a/referrers/{subject}?artifactType=example%2Fsignature")).is(200);
    assert_eq!((filtered.header("oci-filters-applied"), &filtered.json()["manifests"]), ("artifactType", &expected));
    let filtered = scene.get(&format!("/v2/a/referrers/{subject}?artifactType=other")).is(200);
    assert_eq!(filtered.json()["manifests"], json!([]));
    // "must not return 404", whatever it is asked for
    assert_eq!(scene.get(&format!("/v2/never/referrers/{subject}")).is(200).json()["manifests"], json!([]));
    scene.get("/v2/a/referrers/x").fails(400, "DIGEST_INVALID");
    // the last to go takes its entry along
    scene.send("DELETE", &format!("/v2/a/manifests/{digest}"), &[], b"").is(202);
    assert_eq!(scene.get(&format!("/v2/a/referrers/{subject}")).json()["manifests"], json!([]));
}
