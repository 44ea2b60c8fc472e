//! Servers of the field, from the registry, asked by a client on another machine through a published port.

use std::time::Duration;

use crate::harness::{HOST, Lan, Output, Scenario, eventually, seconds};

const LIMIT: Duration = Duration::from_secs(60);

/// Repeats a client's request until it succeeds.
fn ask<const N: usize>(lan: &Lan, words: [&str; N]) -> String {
    eventually(words[0], LIMIT, || {
        let output: Output = lan.run(words);
        if output.succeeded() { Ok(output.text().to_owned()) } else { Err(output.to_string()) }
    })
}

#[test]
#[ignore = "needs root"]
fn redis_serves_a_client_outside_through_a_published_port() {
    let project = Scenario::new("redis must be reachable where its port is published");
    project.file("compose.yaml", "services:\n  redis:\n    image: redis:7\n    ports: ['6379:6379']\n");
    let lan = Lan::plug();
    project.run(["up", "-d"]).ok();
    let host = HOST.to_string();
    assert_eq!(ask(&lan, ["redis-cli", "-h", &host, "set", "key", "value"]), "OK");
    assert_eq!(ask(&lan, ["redis-cli", "-h", &host, "get", "key"]), "value");
}

#[test]
#[ignore = "needs root"]
fn postgres_is_healthy_and_serves_a_client_outside_who_knows_the_password() {
    let project = Scenario::new("postgres must come up with its password, health check and volume");
    project.file(
        "compose.yaml",
        r#"
services:
  db:
    image: postgres:15
    environment:
      POSTGRES_USER: app
      POSTGRES_PASSWORD: s3cret word
    ports: ["15432:5432"]
    volumes: ["data:/var/lib/postgresql/data"]
    healthcheck:
      test: pg_isready -h 127.0.0.1 -U $$POSTGRES_USER
      interval: 500ms
      retries: 100
  after:
    image: busybox:1
    command: sleep 1000
    depends_on:
      db: {condition: service_healthy}
volumes:
  data:
"#,
    );
    let lan = Lan::plug();
    project.run(["up", "-d"]).ok();
    assert_eq!(project.containers()["db"].health, "healthy");

    let url = |password: &str| format!("postgresql://app:{password}@{HOST}:15432/app?connect_timeout={}", seconds(5));
    assert_eq!(ask(&lan, ["psql", "-tAc", "select 6 * 7", &url("s3cret%20word")]), "42");
    lan.run(["psql", "-tAc", "select 1", &url("wrong")]).code(2).says(["password authentication failed"]);

    lan.run(["psql", "-qc", "create table kept (n int); insert into kept values (7)", &url("s3cret%20word")]).ok();
    project.run(["down"]).ok();
    project.run(["up", "-d"]).ok();
    assert_eq!(ask(&lan, ["psql", "-tAc", "select n from kept", &url("s3cret%20word")]), "7");
}

#[test]
#[ignore = "needs root"]
fn nginx_from_a_zstd_layer_serves_its_page_outside() {
    let project = Scenario::new("nginx must serve the page of its image and one that is mounted");
    project.file("pages/own.html", "own page\n").file(
        "compose.yaml",
        "services:\n  web:\n    image: nginx:1\n    ports: ['8080:80']\n    volumes: ['./pages:/usr/share/nginx/html/own:ro']\n",
    );
    let lan = Lan::plug();
    project.run(["up", "-d"]).ok();
    assert!(ask(&lan, ["curl", "-sf", &format!("http://{HOST}:8080/")]).contains("Welcome to nginx!"));
    assert_eq!(ask(&lan, ["curl", "-sf", &format!("http://{HOST}:8080/own/own.html")]), "own page");
}
