//! "Push": blobs.

use std::io::Write;

use lighter_images::digest::Digest;

use crate::client::{connect, read};
use crate::scene::Scene;

#[test]
fn a_blob_is_pushed_by_post_and_put() {
    let scene = Scene::new();
    let begun = scene.send("POST", "/v2/a/blobs/uploads/", &[], b"").is(202);
    assert_eq!(begun.header("range"), "0-0");
    assert!(begun.header("oci-chunk-min-length").parse::<u64>().is_ok());
    let digest = Digest::of(b"content");
    let done = scene.send("PUT", &format!("{}?digest={digest}", begun.header("location")), &[], b"content").is(201);
    assert_eq!(done.header("docker-content-digest"), digest.as_str());
    assert_eq!(scene.get(done.header("location")).is(200).body, b"content");
    scene.get(begun.header("location")).fails(404, "BLOB_UPLOAD_UNKNOWN");
}

#[test]
fn a_blob_is_pushed_by_a_single_post() {
    let scene = Scene::new();
    let digest = Digest::of(b"content");
    let target = format!("/v2/a/blobs/uploads/?digest={digest}");
    let done = scene.send("POST", &target, &[], b"content").is(201);
    assert_eq!(scene.get(done.header("location")).is(200).body, b"content");
    scene.send("POST", &target.replace("sha256:", "sha256%3A"), &[], b"content").is(201);
    scene.send("POST", &target, &[], b"other").fails(400, "DIGEST_INVALID");
    assert_eq!(scene.names("images/ingest"), [""; 0]);
}

#[test]
fn a_blob_is_pushed_in_chunks_which_must_follow_one_another() {
    let scene = Scene::new();
    let location = scene.begin("a");
    let chunk = |location: &str, range: &str, body: &[u8]| {
        let headers = [("Content-Range", range), ("Content-Type", "application/octet-stream")];
        scene.send("PATCH", location, &headers, body)
    };
    let first = chunk(&location, "0-3", b"0123").is(202);
    assert_eq!(first.header("range"), "0-3");
    for range in ["0-3", "5-8", "3-4", "x", "8-4"] {
        let refused = chunk(first.header("location"), range, b"4567").fails(416, "BLOB_UPLOAD_INVALID");
        assert_eq!((refused.header("range"), refused.header("location")), ("0-3", first.header("location")));
    }
    chunk(&location, "4-9", b"4567").fails(400, "SIZE_INVALID");
    assert_eq!(chunk(&location, "4-7", b"4567").is(202).header("range"), "0-7");
    let digest = Digest::of(b"0123456789");
    let target = format!("{location}?digest={digest}");
    scene.send("PUT", &target, &[("Content-Range", "7-9")], b"789").fails(416, "BLOB_UPLOAD_INVALID");
    scene.send("PUT", &target, &[("Content-Range", "8-9")], b"89").is(201);
    assert_eq!(scene.get(&format!("/v2/a/blobs/{digest}")).body, b"0123456789");
}

#[test]
fn an_upload_goes_on_where_the_connection_broke() {
    let scene = Scene::new();
    let location = scene.begin("a");
    let content: Vec<u8> = (0..2_000_000u32).map(|number| (number % 253) as u8).collect();
    let mut stream = connect(scene.address);
    let head = format!("PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", content.len());
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&content[..1_500_000])).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    drop(read(stream, false).is(400));
    let status = scene.get(&location).is(204);
    let (_, last) = status.header("range").split_once('-').unwrap();
    let here = last.parse::<usize>().unwrap() + 1;
    assert!((1_000_000..=1_500_000).contains(&here), "{here}");
    let range = format!("{here}-{}", content.len() - 1);
    scene.send("PATCH", &location, &[("Content-Range", &range)], &content[here..]).is(202);
    let digest = Digest::of(&content);
    scene.send("PUT", &format!("{location}?digest={digest}"), &[], b"").is(201);
    assert!(scene.get(&format!("/v2/a/blobs/{digest}")).body == content);
}

#[test]
fn content_of_another_digest_is_refused_and_not_kept() {
    let scene = Scene::new();
    let location = scene.begin("a");
    let digest = Digest::of(b"content");
    scene.send("PUT", &format!("{location}?digest={digest}"), &[], b"other").fails(400, "DIGEST_INVALID");
    scene.get(&format!("/v2/a/blobs/{digest}")).is(404);
    scene.get(&location).fails(404, "BLOB_UPLOAD_UNKNOWN");
    for digest in ["sha256:x", "sha512:00", ""] {
        let location = scene.begin("a");
        scene.send("PUT", &format!("{location}?digest={digest}"), &[], b"x").fails(400, "DIGEST_INVALID");
        scene.send("PUT", &location, &[], b"x").fails(400, "DIGEST_INVALID");
        scene.send("DELETE", &location, &[], b"").is(204);
    }
    assert_eq!(scene.names("images/ingest"), [""; 0]);
    assert_eq!(scene.names("images/blobs/sha256"), [""; 0]);
}

#[test]
fn a_blob_that_is_here_is_mounted_and_any_other_is_to_be_uploaded() {
    let scene = Scene::new();
    scene.image("a", "1", b"layer");
    let digest = Digest::of(b"layer");
    for from in ["&from=a", "&from=never/heard", ""] {
        let mounted = scene.send("POST", &format!("/v2/b/blobs/uploads/?mount={digest}{from}"), &[], b"").is(201);
        assert_eq!(mounted.header("location"), format!("/v2/b/blobs/{digest}"));
        scene.get(mounted.header("location")).is(200);
    }
    let absent = Digest::of(b"absent");
    let begun = scene.send("POST", &format!("/v2/b/blobs/uploads/?mount={absent}&from=a"), &[], b"").is(202);
    scene.get(begun.header("location")).is(204);
}

#[test]
fn an_upload_belongs_to_its_repository_and_can_be_given_up() {
    let scene = Scene::new();
    let location = scene.begin("a");
    scene.get(&location.replace("/v2/a/", "/v2/b/")).fails(404, "BLOB_UPLOAD_UNKNOWN");
    assert_eq!(scene.names("images/ingest").len(), 1);
    scene.send("DELETE", &location, &[], b"").is(204);
    scene.send("PATCH", &location, &[], b"x").fails(404, "BLOB_UPLOAD_UNKNOWN");
    assert_eq!(scene.names("images/ingest"), [""; 0]);
}

#[test]
fn what_a_killed_server_left_of_uploads_is_cleared_away() {
    let scene = Scene::new();
    std::fs::write(scene.path("images/ingest/upload-0123456789abcdef"), "left").unwrap();
    let alive = scene.begin("a");
    let other = Scene::new();
    drop(other);
    let scene = scene.again();
    let names = scene.names("images/ingest");
    assert_eq!(names.len(), 1, "the one that a living server has: {names:?}");
    drop(alive);
}
