//! The image store: what `pull` puts there, what others read of it, what `rmi` leaves.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Output, Scenario, run, tool};

const LIMIT: Duration = Duration::from_secs(60);

fn skopeo(host: &Scenario, arguments: &[&str], name: &str) -> Output {
    let image = format!("oci:{}:{name}", host.root().join("images").display());
    run(tool("skopeo", ["inspect"].iter().chain(arguments).chain([&image.as_str()])), LIMIT)
}

#[test]
#[ignore = "needs root"]
fn skopeo_reads_the_store_as_an_oci_layout() {
    let host = Scenario::new("the store must be readable by the tools of the field");
    host.run(["pull", "redis:7"]).ok();
    let inspected: Value =
        serde_json::from_str(&skopeo(&host, &[], "redis:7").ok().stdout).expect("skopeo prints JSON");
    assert_eq!(inspected["Os"], "linux");
    assert_eq!(inspected["Layers"].as_array().map(Vec::len), Some(2));
    let config: Value = serde_json::from_str(&skopeo(&host, &["--config"], "redis:7").ok().stdout).expect("JSON");
    assert_eq!(config["config"]["Entrypoint"], serde_json::json!(["docker-entrypoint.sh"]));

    // and every blob of it is there and is what its name says
    let target = format!("dir:{}", host.directory().join("copy").display());
    let source = format!("oci:{}:redis:7", host.root().join("images").display());
    run(tool("skopeo", ["copy", "--quiet", &source, &target]), LIMIT).ok();
}

#[test]
#[ignore = "needs root"]
fn of_an_index_the_hosts_platform_is_chosen() {
    let host = Scenario::new("an index begins with a platform that does not run here");
    host.run(["run", "--rm", "busybox:1", "true"]).ok();
    let config: Value = serde_json::from_str(&skopeo(&host, &["--config"], "busybox:1").ok().stdout).expect("JSON");
    let expected = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    assert_eq!(config["architecture"], expected);
}

#[test]
#[ignore = "needs root"]
fn images_that_share_a_layer_keep_it_once_and_rmi_keeps_it_for_the_other() {
    let host = Scenario::new("a shared layer must be neither doubled nor lost");
    host.run(["pull", "redis:7"]).ok();
    host.run(["pull", "nginx:1"]).ok();
    assert_eq!(layers(&host), 3, "two images of two layers, one of them shared");
    host.run(["rmi", "redis:7"]).ok();
    assert_eq!(layers(&host), 2);
    assert_eq!(
        host.run(["run", "--rm", "--network", "none", "nginx:1", "nginx", "-v"]).ok().stderr.trim().split('/').next(),
        Some("nginx version: nginx")
    );
    host.run(["rmi", "nginx:1"]).ok();
    assert_eq!(layers(&host), 0);
    let blobs = fs::read_dir(host.root().join("images/blobs/sha256")).expect("the store has blobs").count();
    assert_eq!(blobs, 0, "no blob without an image");
}

#[test]
#[ignore = "needs root"]
fn pull_says_in_dockers_words_what_came_of_it() {
    let host = Scenario::new("scripts look for `Image is up to date`");
    let first = host.run(["pull", "busybox:1"]).ok();
    let image: Value = host.inspect("busybox:1");
    let digest = image["RepoDigests"][0].as_str().expect("it was pulled").trim_start_matches("busybox@");
    let told =
        |status: &str| format!("Digest: {digest}\nStatus: {status} for busybox:1\ndocker.io/library/busybox:1\n");
    assert_eq!(first.stdout, told("Downloaded newer image"));
    assert_eq!(host.run(["pull", "busybox:1"]).ok().stdout, told("Image is up to date"));
    assert_eq!(host.run(["pull", "--quiet", "busybox:1"]).ok().stdout, "docker.io/library/busybox:1\n");
    host.run(["tag", "busybox:1", "redis:7"]).ok();
    assert!(host.run(["pull", "redis:7"]).ok().stdout.contains("Status: Downloaded newer image for redis:7\n"));
}

fn layers(host: &Scenario) -> usize {
    fs::read_dir(host.root().join("layers")).expect("the store has layers").count()
}

#[test]
#[ignore = "needs root"]
fn an_image_in_use_is_not_removed() {
    let host = Scenario::new("the files of a running program must stay");
    host.run(["run", "--detach", "--name", "user", "busybox:1", "sleep", "1000"]).ok();
    host.run(["rmi", "busybox:1"]).code(1).says(["in use by user"]);
    host.run(["exec", "user", "true"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_reference_by_digest_tag_or_id_finds_the_same_image() {
    let host = Scenario::new("an image has several names and one identity");
    host.run(["pull", "127.0.0.1:5000/library/nginx:1"]).ok();
    let inspected: Value = serde_json::from_str(
        &run(tool("skopeo", ["inspect", "--tls-verify=false", "docker://127.0.0.1:5000/library/nginx:1"]), LIMIT)
            .ok()
            .stdout,
    )
    .expect("skopeo prints JSON");
    let digest = inspected["Digest"].as_str().expect("skopeo shows the digest");
    let pinned = format!("127.0.0.1:5000/library/nginx@{digest}");
    host.run(["pull", &pinned]).ok();
    let quiet = host.run(["images", "--quiet"]).ok();
    let ids: std::collections::BTreeSet<_> = quiet.text().lines().collect();
    assert_eq!(ids.len(), 1, "{quiet}");
    let id = ids.first().expect("there is one");
    host.run(["run", "--rm", id, "true"]).ok();
    host.run(["run", "--rm", &pinned, "true"]).ok();
}

#[test]
#[ignore = "needs root"]
fn the_store_is_closed_to_other_users() {
    let host = Scenario::new("setuid programs of images must be out of reach of the host's users");
    host.run(["pull", "busybox:1"]).ok();
    for folder in ["images", "layers"] {
        let path = host.root().join(folder);
        let listed = run(
            tool("setpriv", ["--reuid=65534".as_ref(), "--clear-groups".as_ref(), "ls".as_ref(), path.as_os_str()]),
            LIMIT,
        );
        assert!(!listed.succeeded(), "nobody reads {}\n{listed}", path.display());
    }
}
