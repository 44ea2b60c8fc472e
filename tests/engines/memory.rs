//! A process that needs more memory than its container may have.

use std::fs::File;

use crate::harness::{BUSYBOX, Containerd, Engine, LIMIT, Runtime, eventually, run};

/// Writes to every page of a buffer of this size.
const GREEDY: [&str; 4] = ["dd", "if=/dev/zero", "of=/dev/null", "bs=200M"];

/// Returns whether an engine has noticed.
fn is_reported(engine: &Engine, runtime: Runtime, name: &str) -> String {
    let options = format!("--name {name} --network none --memory 24m --memory-swap 24m");
    engine.run(runtime, &options, &GREEDY).exits(137);
    assert_eq!(engine.inspect(name, "State.ExitCode"), "137");
    engine.inspect(name, "State.OOMKilled")
}

#[test]
#[ignore = "needs root"]
fn podman_reports_that_a_container_ran_out_of_memory_where_it_does_so_with_runc() {
    let engine = Engine::podman();
    // podman 4.3 does not on every host with cgroups of the first version.
    assert_eq!(is_reported(&engine, Runtime::Lighter, "ours"), is_reported(&engine, Runtime::Runc, "theirs"));
}

#[test]
#[ignore = "needs root"]
fn docker_reports_that_a_container_ran_out_of_memory() {
    let engine = Engine::docker();
    // Its shim listens for what the kernel says once the program runs, and tells of it beside the end: not before, nor at once.
    let script = format!("while [ ! -e /go ]; do sleep 0.1; done; exec {}", GREEDY.join(" "));
    engine.up("--name greedy --network none --memory 24m --memory-swap 24m", &script);
    engine.call(["exec", "greedy", "touch", "/go"]).ok();
    engine.becomes("greedy", "State.ExitCode", "137");
    engine.becomes("greedy", "State.OOMKilled", "true");
}

#[test]
#[ignore = "needs root"]
fn containerd_has_an_event_when_a_container_runs_out_of_memory() {
    let containerd = Containerd::new();
    let log = containerd.path("events");
    let mut events = containerd.command(["events"]);
    let mut events = events.stdout(File::create(&log).unwrap()).spawn().unwrap();
    let id = containerd.id();
    let greedy = |id: &str| {
        let options = "--rm --memory-limit 25165824";
        let command = containerd.run_command(Runtime::Lighter, options, [BUSYBOX, id], &GREEDY);
        run(command, containerd.path("").as_ref())
    };
    greedy(&id).exits(137);
    eventually("the event is there", LIMIT, || {
        let log = std::fs::read_to_string(&log).unwrap();
        let found = log.lines().any(|line| line.contains("/tasks/oom") && line.contains(&id));
        if found { Ok(()) } else { Err(log) }
    });
    events.kill().unwrap();
    events.wait().unwrap();
}

fn update_is_seen(engine: &Engine) {
    engine.up("--name box --network none --memory 64m --memory-swap 64m", "sleep 1000");
    engine.call(["update", "--memory", "48m", "--memory-swap", "48m", "box"]).ok();
    let pid = engine.inspect("box", "State.Pid");
    let cgroups = std::fs::read_to_string(format!("/proc/{pid}/cgroup"))
        .expect("the container runs, and the test's directory is ours");
    let v1 = cgroups.lines().find_map(|line| line.split_once(":memory:")).map(|(_, path)| path);
    let file = match v1 {
        Some(path) => format!("/sys/fs/cgroup/memory{path}/memory.limit_in_bytes"),
        None => format!("/sys/fs/cgroup{}/memory.max", cgroups.trim().trim_start_matches("0::")),
    };
    assert_eq!(
        std::fs::read_to_string(file).expect("the container runs, and the test's directory is ours").trim(),
        (48 << 20).to_string()
    );
}

#[test]
#[ignore = "needs root"]
fn podmans_update_changes_the_limit() {
    update_is_seen(&Engine::podman());
}

#[test]
#[ignore = "needs root"]
fn dockers_update_changes_the_limit() {
    update_is_seen(&Engine::docker());
}
