//! From the store to a registry: what arrives is what is here, for every tool that looks.

use std::net::TcpStream;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{Fault, FaultProxy, Registry, Scenario, eventually, run, tool};

const LIMIT: Duration = Duration::from_secs(60);

/// Has names of the registry at `port` be looked up at the scenario's own, so that they come into the store.
fn borrow(host: &Scenario, port: u16) {
    host.configure(&format!("[registry.'127.0.0.1:{port}']\nmirrors = ['http://127.0.0.1:5000']\n"));
}

/// Returns what skopeo says about an image of a registry.
fn inspect(name: &str) -> Value {
    let output = run(tool("skopeo", ["inspect", "--tls-verify=false", &format!("docker://127.0.0.1:{name}")]), LIMIT);
    serde_json::from_str(&output.ok().stdout).expect("skopeo prints JSON")
}

#[test]
#[ignore = "needs root"]
fn what_is_pushed_is_what_was_pulled_and_skopeo_reads_every_byte_of_it() {
    let host = Scenario::new("a digest is a promise, here and there");
    let _registry = Registry::writable(5001, host.directory(), "");
    borrow(&host, 5001);
    host.run(["pull", "127.0.0.1:5001/library/redis:7"]).ok();
    let output = host.run(["push", "127.0.0.1:5001/library/redis:7"]).ok();
    assert!(!output.stderr.contains("warning"), "{output}");
    let (theirs, ours) = (inspect("5000/library/redis:7"), inspect("5001/library/redis:7"));
    assert_eq!((&theirs["Digest"], &theirs["Layers"]), (&ours["Digest"], &ours["Layers"]));
    assert!(
        output.text().starts_with(&format!("7: digest: {} size: ", ours["Digest"].as_str().expect("a text"))),
        "{output}"
    );
    let target = format!("dir:{}", host.directory().join("copy").display());
    let source = "docker://127.0.0.1:5001/library/redis:7";
    run(tool("skopeo", ["copy", "--quiet", "--src-tls-verify=false", source, &target]), LIMIT).ok();

    // a second time nothing is sent; what a neighbour has is taken from there
    host.run(["push", "127.0.0.1:5001/library/redis:7"]).ok().says([": already there"]);
    host.run(["pull", "127.0.0.1:5001/library/nginx:1"]).ok();
    host.run(["push", "127.0.0.1:5001/library/nginx:1"]).ok().says([": mounted from library/redis", ": pushed"]);
    assert_eq!(inspect("5000/library/nginx:1")["Digest"], inspect("5001/library/nginx:1")["Digest"]);
}

#[test]
#[ignore = "needs root"]
fn manifests_of_both_families_and_all_compressions_go_round_unchanged() {
    let host = Scenario::new("skopeo pushes, lighter pulls and pushes, skopeo finds the same");
    let _there = Registry::writable(5001, host.directory(), "");
    let _back = Registry::writable(5002, host.directory(), "");
    host.configure("[registry.'127.0.0.1:5002']\nmirrors = ['http://127.0.0.1:5001']\n");
    for (tag, how) in [
        ("docker", &["--format", "v2s2"][..]),
        ("oci", &["--format", "oci"]),
        ("zstd", &["--format", "oci", "--dest-compress-format", "zstd", "--dest-compress"]),
    ] {
        let source = "docker://127.0.0.1:5000/library/busybox:1";
        let target = format!("docker://127.0.0.1:5001/app:{tag}");
        let verify = ["--src-tls-verify=false", "--dest-tls-verify=false", "--quiet"];
        run(tool("skopeo", ["copy"].iter().chain(how).chain(&verify).chain(&[source, &target])), LIMIT).ok();
    }
    let pulled = host.run(["pull", "--all-tags", "127.0.0.1:5002/app"]).ok();
    assert_eq!(pulled.text().lines().filter(|line| line.starts_with("127.")).count(), 3, "{pulled}");
    host.run(["run", "--rm", "127.0.0.1:5002/app:zstd", "true"]).ok();
    host.run(["push", "--all-tags", "127.0.0.1:5002/app"]).ok();
    for tag in ["docker", "oci", "zstd"] {
        let [there, back] = [5001, 5002].map(|port| {
            let name = format!("docker://127.0.0.1:{port}/app:{tag}");
            run(tool("skopeo", ["inspect", "--raw", "--tls-verify=false", &name]), LIMIT).ok().stdout
        });
        assert_eq!(there, back, "{tag}");
    }
}

#[test]
#[ignore = "needs root"]
fn an_image_that_was_made_or_named_here_is_pushed_as_any_other() {
    let host = Scenario::new("a push asks where to, not where from");
    let _registry = Registry::writable(5001, host.directory(), "");
    host.run(["pull", "busybox:1"]).ok();
    host.run(["tag", "busybox:1", "127.0.0.1:5001/team/named:1"]).ok();
    host.run(["push", "127.0.0.1:5001/team/named:1"]).ok();
    host.run(["run", "--name", "maker", "busybox:1", "touch", "/made"]).ok();
    host.run(["commit", "maker", "127.0.0.1:5001/team/made:1"]).ok();
    host.run(["rm", "maker"]).ok();
    host.run(["push", "127.0.0.1:5001/team/made:1"]).ok().says([": mounted from team/named", ": pushed"]);
    for name in ["127.0.0.1:5001/team/named:1", "127.0.0.1:5001/team/made:1"] {
        host.run(["rmi", name]).ok();
    }
    host.run(["run", "--rm", "127.0.0.1:5001/team/made:1", "test", "-e", "/made"]).ok();
    let digests = ["named", "made"].map(|name| inspect(&format!("5001/team/{name}:1"))["Digest"].clone());
    assert_ne!(digests[0], digests[1]);
}

#[test]
#[ignore = "needs root"]
fn a_push_that_is_cut_is_finished_and_one_that_cannot_be_leaves_no_tag() {
    let host = Scenario::new("bad connections cost time, not images");
    let _registry = Registry::writable(5001, host.directory(), "  secret: test\n");
    let proxy = FaultProxy::start(5004, 5001);
    borrow(&host, 5004);
    host.run(["pull", "127.0.0.1:5004/library/nginx:1"]).ok();
    proxy.fail("/blobs/uploads/", &[Fault::Status(500, "X: x"), Fault::Status(429, "Retry-After: 0")]);
    proxy.fail("digest=", &[Fault::CutRequestAt(2_000_000), Fault::CutRequestAt(0), Fault::CutAt(0)]);
    proxy.fail("/manifests/", &[Fault::Status(503, "Retry-After: 0")]);
    host.run(["push", "127.0.0.1:5004/library/nginx:1"]).ok().says(["trying again in"]);
    assert_eq!(inspect("5000/library/nginx:1")["Digest"], inspect("5001/library/nginx:1")["Digest"]);

    host.run(["pull", "127.0.0.1:5004/library/redis:7"]).ok();
    proxy.fail("/library/redis/blobs/", &[Fault::Status(403, "X: x")]);
    host.run(["push", "127.0.0.1:5004/library/redis:7"]).code(1).says([
        "push blob `sha256:",
        "127.0.0.1:5004",
        "denied",
    ]);
    let there =
        run(tool("skopeo", ["inspect", "--tls-verify=false", "docker://127.0.0.1:5001/library/redis:7"]), LIMIT);
    assert!(!there.succeeded(), "{there}");
}

#[test]
#[ignore = "needs root"]
fn a_push_to_a_store_that_lighter_serves_goes_on_where_it_was_cut() {
    let host = Scenario::new("what the client sends again, and what the server keeps, must fit");
    let elsewhere = host.directory().join("elsewhere");
    let root = ["--root", elsewhere.to_str().expect("UTF-8")];
    let served = host.start(root.iter().chain(&["registry", "serve", "--listen", "127.0.0.1:5001"]));
    eventually("the store is served", LIMIT, || TcpStream::connect(("127.0.0.1", 5001)));
    let proxy = FaultProxy::start(5004, 5001);
    borrow(&host, 5004);
    let output = host.run(["pull", "--progress", "json", "127.0.0.1:5004/library/nginx:1"]).ok();
    let events = output.stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let layers: u64 =
        events.filter(|event| event["event"] == "waiting").filter_map(|event| event["total"].as_u64()).sum();
    proxy.fail("digest=", &[Fault::CutRequestAt(2_000_000), Fault::CutRequestAt(1_000_000)]);
    host.run(["push", "127.0.0.1:5004/library/nginx:1"]).ok().says(["trying again in"]);
    // the configuration besides, and what was on the way when the connection broke
    let sent = proxy.passed("/blobs/uploads/").sent;
    assert!(sent <= layers + 600_000, "{sent} bytes for {layers}");
    assert_eq!(inspect("5000/library/nginx:1")["Digest"], inspect("5001/library/nginx:1")["Digest"]);
    served.signal(Signal::SIGTERM);
    served.finish(LIMIT).ok();
}

#[test]
#[ignore = "needs root"]
fn a_project_pulls_what_it_runs_and_pushes_what_it_builds() {
    let host = Scenario::new("compose pull, compose push");
    let _registry = Registry::writable(5001, host.directory(), "");
    borrow(&host, 5001);
    host.file(
        "compose.yaml",
        "services:\n  built: {image: '127.0.0.1:5001/library/busybox:1', build: .}\n  \
         taken: {image: 'redis:7', depends_on: [built]}\n  never: {image: 'nosuch:1', pull_policy: never}\n",
    );
    host.run(["compose", "pull", "--quiet", "taken"]).ok();
    assert_eq!(host.run(["images", "--format", "{{.Repository}}"]).ok().text(), "redis");
    host.run(["compose", "pull", "--quiet"]).ok();
    // busybox:1 is an index, of which one image is here
    let pushed = host
        .run(["compose", "push"])
        .ok()
        .says(["warning: `127.0.0.1:5001/library/busybox:1` was pulled from an index"]);
    assert_eq!(pushed.text(), "127.0.0.1:5001/library/busybox:1");
    inspect("5001/library/busybox:1");
    host.edit("compose.yaml", "redis:7", "redis:nope").run(["compose", "pull", "--quiet"]).code(1).says(["nope"]);
    host.run(["compose", "pull", "--quiet", "--ignore-pull-failures"]).ok();
}

#[test]
#[ignore = "needs root"]
fn progress_for_programs_is_json_a_line() {
    let host = Scenario::new("what a pull does must be readable by programs");
    let output = host.run(["pull", "--progress", "json", "busybox:1"]).ok();
    let events: Vec<Value> = output
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let names: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!((names.first(), names.last()), (Some(&"resolved"), Some(&"done")), "{output}");
    for name in ["waiting", "download", "unpacked"] {
        assert!(names.contains(&name), "{name} in {output}");
    }
    assert_eq!(host.run(["pull", "--quiet", "busybox:1"]).ok().stderr, "");
}
