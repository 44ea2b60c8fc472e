//! lighter as the registry that engines push to and pull from.

use crate::harness::{BUSYBOX, Engine, Registry};

/// Pushes an image with an engine, and pulls it again when the engine has it no more; digests are equal everywhere.
#[track_caller]
fn goes_there_and_back(engine: &Engine, options: &[&str]) {
    let registry = Registry::start(engine);
    let image = registry.image("team/busybox:1");
    let call = |words: &[&str]| engine.call(words.iter().copied()).ok();
    call(&["tag", BUSYBOX, &image]);
    call(&[&["push"], options, &[&image]].concat());
    let pushed = registry.digest("team/busybox", "1");
    assert_eq!(registry.listed(), format!("localhost/team/busybox:1 {pushed}"));

    call(&["rmi", "--force", BUSYBOX, &image]);
    call(&[&["pull", "--quiet"], options, &[&image]].concat());
    let digests = call(&["inspect", "--format", "{{json .RepoDigests}}", &image]).text();
    assert!(digests.contains(&format!("busybox@{pushed}")), "{digests}");
    assert_eq!(
        call(&["run", "--rm", "--cgroup-parent", &engine.cgroup_parent(), &image, "echo", "it runs"]).text(),
        "it runs"
    );

    // what is there already is not sent again
    let before = registry.requests("PATCH");
    call(&["tag", &image, &registry.image("team/other:2")]);
    call(&[&["push"], options, &[&registry.image("team/other:2")]].concat());
    assert_eq!(registry.requests("PATCH"), before, "bytes were sent twice");
    assert_eq!(registry.digest("team/other", "2"), pushed);
}

#[test]
#[ignore = "needs root"]
fn podman_pushes_to_lighter_and_pulls_from_it() {
    goes_there_and_back(&Engine::podman(), &["--tls-verify=false"]);
}

#[test]
#[ignore = "needs root"]
fn docker_pushes_to_lighter_and_pulls_from_it() {
    goes_there_and_back(&Engine::docker(), &[]);
}
