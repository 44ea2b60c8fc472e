//! config.md, "POSIX-platform Hooks", and the hooks' steps in runtime.md, "Lifecycle".

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Config, Container, refused};

/// All kinds, in the order of the lifecycle.
const KINDS: [&str; 6] = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

/// The kinds that `create` runs.
const OF_CREATE: [&str; 3] = ["prestart", "createRuntime", "createContainer"];

/// A shell command that appends to the file `log`, which is a bind mount of the bundle's folder `hooks` in the container.
fn log(config: &Config, kind: &str, text: &str) -> String {
    let folder = match kind {
        "startContainer" | "program" => Path::new("/hooks").to_owned(),
        _ => config.folder("hooks"),
    };
    format!("echo {text} >>{}/log", folder.display())
}

/// A container whose hooks of every kind log their kind, and its program too.
fn logging(config: &mut Config) -> &mut Config {
    let folder = config.folder("hooks");
    config.mount("/hooks", "bind", folder, &["bind"]);
    for kind in KINDS {
        let script = log(config, kind, kind);
        config.hook(kind, &script);
    }
    let program = log(config, "program", "program");
    config.script(&format!("{program}; {}", "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done"))
}

fn logged(container: &Container) -> Vec<String> {
    let text = fs::read_to_string(container.bundle().join("hooks/log")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn stop_and_delete(container: &Container) {
    container.kill("KILL").ok();
    container.becomes("stopped");
    container.delete().ok();
}

#[test]
#[ignore = "needs root"]
fn every_kind_of_hook_runs_at_its_step() {
    let container = Container::new(logging);
    container.create().ok();
    assert_eq!(logged(&container), OF_CREATE);
    container.start().ok();
    let mut started = logged(&container);
    started.retain(|line| line != "program");
    assert_eq!(started, KINDS[..5]);
    stop_and_delete(&container);
    assert_eq!(logged(&container).last().unwrap(), "poststop");
}

#[test]
#[ignore = "needs root"]
fn the_program_runs_after_the_start_container_hooks() {
    let container = Container::new(|config| {
        let script = log(config, "startContainer", "hook");
        let folder = config.folder("hooks");
        config.mount("/hooks", "bind", folder, &["bind"]).hook("startContainer", &format!("sleep 0.3; {script}"));
        let program = log(config, "program", "program");
        config.script(&program)
    });
    container.run().ok();
    assert_eq!(logged(&container), ["hook", "program"]);
}

#[test]
#[ignore = "needs root"]
fn hooks_of_a_kind_run_in_the_listed_order() {
    let container = Container::new(|config| {
        for number in ["1", "2", "3"] {
            for kind in ["createRuntime", "poststop"] {
                let script = log(config, kind, &format!("{kind} {number}"));
                config.hook(kind, &script);
            }
        }
        config.stays()
    });
    container.create().ok();
    stop_and_delete(&container);
    let expected = ["createRuntime", "poststop"].map(|kind| ["1", "2", "3"].map(|number| format!("{kind} {number}")));
    assert_eq!(logged(&container), expected.concat());
}

/// Has every hook write what `what` prints to `hooks/KIND`, runs the whole life, and returns one answer for each kind.
fn answers(what: &str) -> (Container, Vec<String>) {
    let container = Container::new(|config| {
        let folder = config.folder("hooks");
        config.mount("/hooks", "bind", &folder, &["bind"]);
        for kind in KINDS {
            let folder = if kind == "startContainer" { Path::new("/hooks") } else { &folder };
            config.hook(kind, &format!("{{ {what}; }} >{}/{kind}", folder.display()));
        }
        config.stays().set("/annotations", json!({"com.example.key": "value"}))
    });
    container.create().ok();
    container.start().ok();
    stop_and_delete(&container);
    let answer = |kind: &&str| {
        fs::read_to_string(container.bundle().join("hooks").join(kind))
            .unwrap_or_else(|error| panic!("{kind}: {error}"))
    };
    let answers = KINDS.iter().map(answer).collect();
    (container, answers)
}

#[test]
#[ignore = "needs root"]
fn hooks_get_the_state_on_standard_input() {
    let (container, states) = answers("cat");
    for (kind, text) in KINDS.iter().zip(states) {
        let state: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{kind}: {error} in {text}"));
        assert_eq!(state["id"], container.id.as_str(), "{kind}");
        assert_eq!(state["bundle"], container.bundle().to_str().unwrap(), "{kind}");
        assert_eq!(state["annotations"]["com.example.key"], "value", "{kind}");
        assert!(state["ociVersion"].is_string(), "{kind}: {state}");
    }
}

#[test]
#[ignore = "needs root"]
fn hooks_get_the_status_of_their_step() {
    let (_container, states) = answers("cat");
    let status = |text: &String| serde_json::from_str::<Value>(text).unwrap()["status"].clone();
    let statuses: Vec<_> = states.iter().map(status).collect();
    assert_eq!(statuses, ["creating", "creating", "creating", "created", "running", "stopped"]);
}

#[test]
#[ignore = "needs root"]
fn hooks_of_a_living_container_get_its_pid() {
    let (_container, answers) = answers("cat");
    let pids: Vec<_> =
        answers[..5].iter().map(|text| serde_json::from_str::<Value>(text).unwrap()["pid"].as_i64()).collect();
    // A hook in the container may see the pid that it has there.
    for index in [1, 4] {
        assert_eq!(pids[index], pids[0], "{pids:?}");
    }
    assert!(pids.iter().all(|pid| pid.is_some_and(|pid| pid > 0)), "{pids:?}");
}

#[test]
#[ignore = "needs root"]
fn hooks_run_in_the_namespaces_of_their_kind() {
    let (_container, answers) = answers("readlink /proc/self/ns/mnt; readlink /proc/self/ns/uts");
    let host = ["mnt", "uts"].map(|kind| fs::read_link(format!("/proc/thread-self/ns/{kind}")).unwrap());
    let host = format!("{}\n{}\n", host[0].display(), host[1].display());
    for (kind, answer) in KINDS.iter().zip(&answers) {
        let in_container = matches!(*kind, "createContainer" | "startContainer");
        assert_eq!(answer == &host, !in_container, "{kind}: {answer} on a host of {host}");
    }
    assert_eq!(answers[2], answers[3]);
}

#[test]
#[ignore = "needs root"]
fn only_the_path_of_a_start_container_hook_is_the_containers() {
    let container = Container::new(|config| {
        for kind in KINDS {
            let script = log(config, kind, kind);
            let path = config.program(&format!("only-on-the-host-{kind}"), &script);
            config.push(&format!("/hooks/{kind}"), json!({"path": path}));
        }
        config.program("rootfs/only-in-the-container", "echo startContainer >/ran");
        config.set("/hooks/startContainer", json!([{"path": "/only-in-the-container"}])).stays()
    });
    let container = container.up();
    assert_eq!(container.wrote("ran"), "startContainer");
    stop_and_delete(&container);
    let mut logged = logged(&container);
    logged.sort_unstable();
    assert_eq!(logged, ["createContainer", "createRuntime", "poststart", "poststop", "prestart"]);
}

#[test]
#[ignore = "needs root"]
fn hooks_see_the_namespaces_that_were_made() {
    let container = Container::new(|config| {
        let script = "pid=$(sed 's/.*\"pid\": *\\([0-9]*\\).*/\\1/')";
        let out = config.folder("hooks").join("network");
        let script = format!("{script}; readlink /proc/$pid/ns/net >{}", out.display());
        config.hook("createRuntime", &script).stays()
    });
    container.create().ok();
    let seen = fs::read_to_string(container.bundle().join("hooks/network")).unwrap();
    assert_eq!(seen.trim(), container.link("ns/net").to_str().unwrap());
}

#[test]
#[ignore = "needs root"]
fn a_hook_has_its_arguments_and_its_environment() {
    let container = Container::new(|config| {
        let out = config.folder("hooks").join("out");
        let script = format!("{{ echo \"$0\" \"$@\"; tr '\\0' '\\n' </proc/self/environ; }} >{}", out.display());
        let hook = json!({"path": "/bin/sh", "args": ["sh", "-c", script, "zero", "one two", "three"], "env": ["PATH=/bin:/usr/bin", "A=b"]});
        config.push("/hooks/createRuntime", hook)
    });
    let mut command = container.of_bundle("create");
    command.env("OF_THE_RUNTIME", "1");
    container.finish(command).ok();
    let out = fs::read_to_string(container.bundle().join("hooks/out")).unwrap();
    assert_eq!(out, "zero one two three\nPATH=/bin:/usr/bin\nA=b\n");
}

#[test]
#[ignore = "needs root"]
fn a_hook_with_a_relative_path_is_refused() {
    for kind in ["prestart", "createRuntime", "createContainer", "startContainer"] {
        let container = Container::new(|config| config.push(&format!("/hooks/{kind}"), json!({"path": "bin/true"})));
        container.run().fails();
    }
}

#[test]
#[ignore = "needs root"]
fn a_timeout_that_is_not_above_zero_is_refused() {
    for timeout in [0, -1] {
        refused(|config| config.push("/hooks/createRuntime", json!({"path": "/bin/true", "timeout": timeout})));
    }
}

#[test]
#[ignore = "needs root"]
fn a_hook_is_ended_at_its_timeout_and_that_is_a_failure() {
    refused(|config| {
        config.push("/hooks/createRuntime", json!({"path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1}))
    });
}

#[test]
#[ignore = "needs root"]
fn a_failed_hook_of_create_is_an_error_and_destroys_the_container() {
    for kind in OF_CREATE {
        refused(|config| config.hook(kind, "exit 1"));
    }
}

#[test]
#[ignore = "needs root"]
fn a_hook_that_is_not_there_is_a_failed_hook() {
    refused(|config| config.push("/hooks/createRuntime", json!({"path": "/bin/nosuch"})));
}

#[test]
#[ignore = "needs root"]
fn after_a_failed_hook_the_next_ones_do_not_run() {
    let container = Container::new(|config| {
        let script = log(config, "createRuntime", "second");
        config.hook("createRuntime", "exit 1").hook("createRuntime", &script).hook("createContainer", &script)
    });
    container.create().fails();
    assert!(logged(&container).is_empty());
}

#[test]
#[ignore = "needs root"]
fn a_failed_hook_of_create_is_followed_by_the_poststop_hooks() {
    for kind in OF_CREATE {
        let container = Container::new(|config| {
            let script = log(config, "poststop", "poststop");
            config.hook(kind, "exit 1").hook("poststop", &script)
        });
        container.create().fails();
        assert_eq!(logged(&container), ["poststop"], "{kind}");
    }
}

#[test]
#[ignore = "needs root"]
fn a_failed_start_container_hook_is_an_error_and_the_program_does_not_run() {
    let container = Container::new(|config| config.script("echo ran >/ran").hook("startContainer", "exit 1"));
    container.create().ok();
    container.start().fails();
    assert!(!container.rootfs().join("ran").exists());
}

#[test]
#[ignore = "needs root"]
fn a_failed_poststart_hook_is_an_error_and_stops_the_container() {
    let container = Container::new(|config| config.stays().hook("poststart", "exit 1"));
    container.create().ok();
    container.start().fails();
    if container.call("state", [&container.id]).succeeded() {
        container.becomes("stopped");
    }
}

#[test]
#[ignore = "needs root"]
fn a_failed_poststop_hook_is_a_warning_and_the_rest_goes_on() {
    let container = Container::new(|config| {
        let script = log(config, "poststop", "second");
        config.hook("poststop", "exit 7").hook("poststop", &script)
    });
    let container = container.up();
    container.becomes("stopped");
    let output = container.delete().ok();
    assert!(!output.stderr.is_empty(), "the failure is to be warned of");
    assert_eq!(logged(&container), ["second"]);
    container.leaves_nothing();
}

#[test]
#[ignore = "needs root"]
fn poststop_hooks_run_after_the_container_is_gone() {
    let container = Container::new(|config| {
        let script = log(config, "poststop", "$(find /sys/fs/cgroup -name \"$ID\" | wc -l)");
        let cgroup = config.bundle().file_name().unwrap().to_str().unwrap().to_owned();
        config.hook("poststop", &script.replace("$ID", &cgroup))
    });
    let container = container.up();
    container.becomes("stopped");
    container.delete().ok();
    assert_eq!(logged(&container), ["0"]);
}
