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
fn a_page_in_a_browser_of_this_host_can_do_nothing() {
    let scene = Scene::new();
    let origin = [("Origin", "http://evil.example")];
    scene.send("POST", "/v2/a/blobs/uploads/", &origin, b"").fails(403, "DENIED");
    scene.send("GET", "/v2/_catalog", &origin, b"").fails(403, "DENIED");
    assert_eq!(scene.names("images/ingest"), [""; 0]);
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

#[test]
fn a_client_that_does_not_finish_its_head_is_hung_up_on() {
    let scene = Scene::new();
    let (mut silent, mut slow) = (connect(scene.address), connect(scene.address));
    slow.write_all(b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX").unwrap();
    let begun = std::time::Instant::now();
    for stream in [&mut silent, &mut slow] {
        let mut rest = Vec::new();
        // Reset or closed: both are an end.
        let _ = stream.read_to_end(&mut rest);
        assert!(!rest.starts_with(b"HTTP/1.1 200"));
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(25), "{:?}", begun.elapsed());
    scene.get("/v2/").is(200);
}

#[test]
fn connections_that_say_nothing_keep_nobody_out_for_long() {
    let scene = Scene::new();
    let silent: Vec<_> = (0..256).map(|_| connect(scene.address)).collect();
    // It is accepted when the first of those has been hung up on.
    scene.get("/v2/").is(200);
    drop(silent);
}

#[test]
fn a_client_that_goes_away_in_the_middle_of_a_download_costs_nothing() {
    let scene = Scene::new();
    let digest = scene.blob("a", &vec![7; 8 << 20]);
    for _ in 0..50 {
        let mut stream = connect(scene.address);
        stream.write_all(format!("GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
        stream.read_exact(&mut [0; 1000]).unwrap();
    }
    assert_eq!(scene.get(&format!("/v2/a/blobs/{digest}")).is(200).body.len(), 8 << 20);
}
