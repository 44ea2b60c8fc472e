//! What clients cannot do to the server.

use std::io::{Read, Write};

use crate::client::{connect, read};
use crate::scene::Scene;

#[test]
fn a_head_that_is_too_large_is_refused() {
    let scene = Scene::new();
    let mut stream = connect(scene.address);
    let head = format!("GET /v2/ HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    // The server hangs up in the middle.
    let _ = stream.write_all(head.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    scene.get("/v2/").is(200);
}

#[test]
fn uploads_at_once_are_counted() {
    let scene = Scene::new();
    for _ in 0..128 {
        scene.begin("a");
    }
    let refused = scene.send("POST", "/v2/a/blobs/uploads/", &[], b"").fails(429, "TOOMANYREQUESTS");
    assert!(refused.header("retry-after").parse::<u64>().is_ok());
    scene.get("/v2/").is(200);
}

#[test]
fn two_requests_at_one_upload_are_one_too_many() {
    let scene = Scene::new();
    let location = scene.begin("a");
    let mut first = connect(scene.address);
    first
        .write_all(format!("PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n0123").as_bytes())
        .unwrap();
    // The first has the upload once the server has read its head.
    let refused = (0..).map(|_| scene.get(&location)).find(|response| response.status != 204);
    refused.expect("the numbers do not end").fails(409, "BLOB_UPLOAD_INVALID");
    first.write_all(b"4567").unwrap();
    assert_eq!(read(first, false).is(202).header("range"), "0-7");
}

#[test]
fn every_request_has_its_line_also_one_that_was_refused() {
    let scene = Scene::new();
    scene.get("/v2/");
    scene.get("/v2/A/tags/list");
    let lines = scene.watch.lines.lock().unwrap().clone();
    assert_eq!(lines, ["GET /v2/ Some(200)", "GET /v2/A/tags/list Some(400)"]);
}
