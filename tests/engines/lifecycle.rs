//! What an engine does to a container that runs.

use std::fs;

use crate::harness::{Containerd, Engine, LIMIT, eventually};

/// Ends by itself when told so, with a code that says how.
const OBEDIENT: &str =
    "trap 'echo got TERM; exit 3' TERM; trap 'echo got HUP' HUP; echo ready; while :; do sleep 0.05; done";

/// Pid 1 has no default action for a signal (pid_namespaces(7)).
const DEAF: &str = "echo ready; while :; do sleep 0.05; done";

fn stops(engine: &Engine) {
    engine.up("--name obedient --network none", OBEDIENT);
    engine.logs("obedient", "ready");
    engine.call(["kill", "--signal", "HUP", "obedient"]).ok();
    engine.logs("obedient", "got HUP");
    engine.call(["stop", "--time", "30", "obedient"]).ok();
    engine.logs("obedient", "got TERM");
    assert_eq!(engine.inspect("obedient", "State.ExitCode"), "3");
    engine.up("--name deaf --network none", DEAF);
    engine.logs("deaf", "ready");
    engine.call(["stop", "--time", "1", "deaf"]).ok();
    assert_eq!(engine.inspect("deaf", "State.ExitCode"), "137");
    assert_eq!(engine.inspect("deaf", "State.OOMKilled"), "false");
}

#[test]
#[ignore = "needs root"]
fn podmans_stop_asks_and_then_kills() {
    stops(&Engine::podman());
}

#[test]
#[ignore = "needs root"]
fn dockers_stop_asks_and_then_kills() {
    stops(&Engine::docker());
}

#[test]
#[ignore = "needs root"]
fn containerds_kill_asks_and_then_kills() {
    let containerd = Containerd::new();
    for (script, signal) in [(OBEDIENT, "TERM"), (DEAF, "KILL")] {
        let id = containerd.up("", script);
        containerd.call(["task", "kill", "--signal", signal, &id]).ok();
        containerd.becomes(&id, "STOPPED");
        containerd.call(["task", "rm", &id]);
        containerd.call(["containers", "rm", &id]).ok();
    }
}

/// The count that a container's program increments all the time.
fn pauses(engine: &Engine) {
    let count = engine.path("count");
    fs::create_dir(&count).expect("the container runs, and the test's directory is ours");
    engine.up(
        &format!("--name box --network none --volume {count}:/count"),
        "n=0; while :; do n=$((n+1)); echo $n >/count/new; mv /count/new /count/n; done",
    );
    let number = || fs::read_to_string(format!("{count}/n")).unwrap_or_default();
    let counts = || {
        let before = number();
        eventually("the program goes on", LIMIT, || if number() == before { Err(number()) } else { Ok(()) });
    };
    counts();
    engine.call(["pause", "box"]).ok();
    assert_eq!(engine.inspect("box", "State.Status"), "paused");
    let pid = engine.inspect("box", "State.Pid");
    let processor = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
            .expect("the container runs, and the test's directory is ours");
        stat.split(' ').skip(13).take(2).collect::<Vec<_>>().join(" ")
    };
    // What another command takes is long for a loop.
    let before = (number(), processor());
    engine.call(["ps"]).ok();
    assert_eq!((number(), processor()), before);
    engine.call(["unpause", "box"]).ok();
    counts();
    assert_eq!(engine.inspect("box", "State.Status"), "running");
}

#[test]
#[ignore = "needs root"]
fn podmans_paused_container_does_not_run() {
    pauses(&Engine::podman());
}

#[test]
#[ignore = "needs root"]
fn dockers_paused_container_does_not_run() {
    pauses(&Engine::docker());
}

#[test]
#[ignore = "needs root"]
fn containerds_paused_container_can_go_on_and_be_removed() {
    let containerd = Containerd::new();
    let id = containerd.up("", DEAF);
    containerd.call(["task", "pause", &id]).ok();
    containerd.becomes(&id, "PAUSED");
    containerd.call(["task", "resume", &id]).ok();
    containerd.becomes(&id, "RUNNING");
    containerd.call(["task", "rm", "--force", &id]);
}

fn restarts(engine: &Engine) {
    engine.up("--name box --network none --pids-limit 50", "echo run >>/runs; wc -l </runs; sleep 1000");
    engine.logs("box", "1");
    let before = engine.inspect("box", "State.Pid");
    engine.call(["restart", "--time", "0", "box"]).ok();
    engine.logs("box", "2");
    assert_ne!(engine.inspect("box", "State.Pid"), before);
    engine.call(["kill", "box"]).ok();
    engine.becomes("box", "State.Running", "false");
    engine.call(["start", "box"]).ok();
    engine.logs("box", "3");
    engine.call(["rm", "--force", "box"]).ok();
}

#[test]
#[ignore = "needs root"]
fn podmans_container_can_be_started_again() {
    restarts(&Engine::podman());
}

#[test]
#[ignore = "needs root"]
fn dockers_container_can_be_started_again() {
    restarts(&Engine::docker());
}

fn is_observed(engine: &Engine) {
    let health = "--health-cmd true --health-interval 1s";
    engine.up(&format!("--name box --network none --memory 64m --pids-limit 50 {health}"), "sleep 1000");
    let top = engine.call(["top", "box"]).ok().stdout;
    assert!(top.contains("sleep 1000"), "{top}");
    let format = "{{.MemUsage}} {{.PIDs}}";
    let stats = engine.call(["stats", "--no-stream", "--format", format, "box"]).ok().text();
    assert!(stats.contains("/ 6") && stats.ends_with(" 1"), "{stats}");
    assert!(!stats.starts_with("0B"), "{stats}");
}

#[test]
#[ignore = "needs root"]
fn podman_sees_a_containers_processes_and_what_they_use() {
    let engine = Engine::podman();
    is_observed(&engine);
    engine.call(["healthcheck", "run", "box"]).ok();
}

#[test]
#[ignore = "needs root"]
fn docker_sees_a_containers_processes_what_they_use_and_their_health() {
    let engine = Engine::docker();
    is_observed(&engine);
    engine.becomes("box", "State.Health.Status", "healthy");
}

#[test]
#[ignore = "needs root"]
fn containerd_sees_a_containers_processes_and_what_they_use() {
    let containerd = Containerd::new();
    let id = containerd.up("--memory-limit 67108864", "sleep 1000 & wait");
    let processes = containerd.call(["task", "ps", &id]).ok().stdout;
    assert_eq!(processes.lines().count(), 3, "a header, a shell, a sleep: {processes}");
    let metrics = containerd.call(["task", "metrics", &id]).ok().stdout;
    assert!(metrics.contains("memory.usage"), "{metrics}");
}

#[test]
#[ignore = "needs root"]
fn docker_restarts_what_fails_until_it_has_been_told_otherwise() {
    let engine = Engine::docker();
    engine.up("--name box --network none --restart on-failure:2", "exit 5");
    engine.becomes("box", "RestartCount", "2");
    engine.becomes("box", "State.Status", "exited");
    assert_eq!(engine.inspect("box", "State.ExitCode"), "5");
}
