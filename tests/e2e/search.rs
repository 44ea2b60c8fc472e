//! Searching a registry.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use crate::harness::Scenario;

const ANSWER: &str = r#"{"num_results":2,"results":[
    {"name":"redis","description":"Redis is the\nworld's fastest data platform for caching, vector search","star_count":13000,"is_official":true},
    {"name":"team/redis","description":null,"star_count":3,"is_official":false}]}"#;

/// Answers one request after the other with the same text, and hands on what was asked for.
fn serve() -> (u16, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is up");
    let port = listener.local_addr().expect("it is bound").port();
    let (sender, asked) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("it listens");
            let mut lines = BufReader::new(stream.try_clone().expect("descriptors are left")).lines();
            let first = lines.next().and_then(Result::ok).unwrap_or_default();
            while lines.next().and_then(Result::ok).is_some_and(|line| !line.is_empty()) {}
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", ANSWER.len());
            let _ = stream.write_all(format!("{head}{ANSWER}").as_bytes());
            if sender.send(first).is_err() {
                return;
            }
        }
    });
    (port, asked)
}

#[test]
#[ignore = "needs root"]
fn a_registry_is_searched_and_what_it_finds_is_filtered() {
    let project = Scenario::new("docker search, at a registry of one's own");
    let (port, asked) = serve();
    let term = format!("127.0.0.1:{port}/redis server");
    let all =
        project.run(["search", "--limit", "7", "--format", "{{.Name}} {{.StarCount}} {{.IsOfficial}}", &term]).ok();
    assert_eq!(all.stdout, "redis 13000 [OK]\nteam/redis 3 \n");
    assert_eq!(asked.recv().expect("it was asked"), "GET /v1/search?q=redis+server&n=7 HTTP/1.1");
    let table = project.run(["search", &term]).ok().stdout;
    assert!(table.starts_with("NAME         DESCRIPTION"), "{table}");
    assert!(table.contains("Redis is the world's fastest data platform f…"), "{table}");
    let few = project.run(["search", "--filter", "stars=10", "--format", "{{.Name}}", &term]).ok();
    assert_eq!(few.text(), "redis");
    project.run(["search", "--filter", "colour=red", &term]).code(1).says(["colour=red"]);
    project.run(["search", "127.0.0.1:9/redis"]).code(1).says(["search for redis", "127.0.0.1:9"]);
}
