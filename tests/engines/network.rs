//! A server that clients reach.

use crate::harness::{Containerd, Engine, LIMIT, REDIS, Runtime, eventually, run, tool};

/// Waits until the redis at `port` of this test's host keeps what it is given.
fn keeps(directory: &str, port: &str) {
    let client = |words: &[&str]| {
        let options = ["-h", "127.0.0.1", "-p", port, "--raw"];
        run(tool("redis-cli", options.iter().chain(words)), directory.as_ref())
    };
    eventually("redis answers", LIMIT, || {
        let answer = client(&["ping"]);
        if answer.stdout == "PONG\n" { Ok(()) } else { Err(answer) }
    });
    client(&["set", "colour", "green"]).ok();
    assert_eq!(client(&["get", "colour"]).ok().text(), "green");
}

fn publishes_a_port(engine: &Engine) {
    let parent = engine.cgroup_parent();
    let words = ["run", "--detach", "--name", "redis", "--publish", "6400:6379", "--cgroup-parent", &parent, REDIS];
    engine.call(words).ok();
    keeps(&engine.path(""), "6400");
    // The image's own user, not root.
    let status = std::fs::read_to_string(format!("/proc/{}/status", engine.inspect("redis", "State.Pid")))
        .expect("the container runs, and the test's directory is ours");
    assert!(!status.contains("Uid:\t0\t"), "{status}");
    engine.call(["stop", "redis"]).ok();
    assert_eq!(engine.inspect("redis", "State.ExitCode"), "0");
}

#[test]
#[ignore = "needs root"]
fn podmans_published_port_answers_the_host() {
    publishes_a_port(&Engine::podman().with(REDIS));
}

#[test]
#[ignore = "needs root"]
fn dockers_published_port_answers_the_host() {
    publishes_a_port(&Engine::docker().with(REDIS));
}

#[test]
#[ignore = "needs root"]
fn containerds_container_in_the_hosts_network_answers_the_host() {
    let containerd = Containerd::new().with(REDIS);
    let id = containerd.id();
    let command = containerd.run_command(Runtime::Lighter, "--detach --net-host", [REDIS, &id], &[]);
    run(command, containerd.path("").as_ref()).ok();
    keeps(&containerd.path(""), "6379");
    containerd.call(["task", "kill", "--signal", "TERM", &id]).ok();
    containerd.becomes(&id, "STOPPED");
    containerd.call(["task", "rm", &id]).ok();
}
