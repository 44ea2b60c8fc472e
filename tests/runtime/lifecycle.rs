//! runtime.md, "Lifecycle" and "Operations": what each operation does, and when it must not.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::harness::{Container, inside, refused, run};

/// Asserts that `verb` is an error without an id, and for an id that no container has.
fn needs_a_container(verb: &str) {
    let container = Container::new(|config| config);
    container.call::<&str>(verb, []).fails();
    container.call(verb, ["nobody"]).fails();
    container.leaves_nothing();
}

#[test]
#[ignore = "needs root"]
fn create_makes_a_created_container() {
    let container = Container::new(|config| config.stays());
    container.create().ok();
    assert_eq!(container.status(), "created");
}

#[test]
#[ignore = "needs root"]
fn create_does_not_run_the_program() {
    let container = Container::new(|config| config.script("echo ran >/ran"));
    container.create().ok();
    assert!(!container.rootfs().join("ran").exists());
    container.start().ok();
    assert_eq!(container.wrote("ran"), "ran");
}

#[test]
#[ignore = "needs root"]
fn create_makes_the_resources() {
    let container = Container::new(|config| config.set("/linux/resources", json!({"pids": {"limit": 77}})));
    container.create().ok();
    assert_eq!(container.cgroup("pids/pids.max", "pids.max"), "77");
    let ours = fs::read_link("/proc/thread-self/ns/net").unwrap();
    assert_ne!(container.link("ns/net"), ours);
}

#[test]
#[ignore = "needs root"]
fn create_needs_an_id_and_a_bundle() {
    let container = Container::new(|config| config);
    container.call("create", ["--bundle".as_ref(), container.bundle().as_os_str()]).fails();
    let mut elsewhere = container.command("create", [&container.id]);
    elsewhere.current_dir(container.rootfs());
    container.finish(elsewhere).fails();
    container.leaves_nothing();
}

#[test]
#[ignore = "needs root"]
fn create_refuses_an_id_in_use_and_leaves_its_container_alone() {
    let container = Container::new(|config| config.stays()).up();
    let before = container.state();
    container.create().fails().says(&format!("container with id `{}` exists already", container.id));
    assert_eq!(container.state(), before);
}

/// Runs all commands at once and returns how many succeeded.
fn at_once(container: &Container, commands: [Command; 4]) -> usize {
    let folder = &container.bundle();
    std::thread::scope(|scope| {
        let mut number = 0;
        let running = commands.map(|command| {
            number += 1;
            scope.spawn(move || run(command, folder, &format!("at-once-{number}")))
        });
        let ended = running.map(|running| running.join().expect("every command ends"));
        ended.iter().filter(|output| output.succeeded()).count()
    })
}

#[test]
#[ignore = "needs root"]
fn of_many_creates_at_once_with_one_id_one_succeeds() {
    let container = Container::new(|config| config.stays());
    assert_eq!(at_once(&container, [(); 4].map(|()| container.of_bundle("create"))), 1);
    assert_eq!(container.status(), "created");
}

#[test]
#[ignore = "needs root"]
fn of_many_starts_at_once_one_succeeds() {
    let container = Container::new(|config| config.script("echo ran >>/ran; sleep 1000"));
    container.create().ok();
    assert_eq!(at_once(&container, [(); 4].map(|()| container.command("start", [&container.id]))), 1);
    assert_eq!(container.wrote("ran"), "ran");
}

#[test]
#[ignore = "needs root"]
fn create_refuses_an_invalid_id() {
    let container = Container::new(|config| config);
    let bundle = container.bundle();
    for id in ["", ".", "..", "../escape", "a/b", "with space", "new\nline"] {
        container.call("create", ["--bundle".as_ref(), bundle.as_os_str(), id.as_ref()]).fails();
    }
    assert!(!bundle.parent().unwrap().join("escape").exists());
    container.leaves_nothing();
}

#[test]
#[ignore = "needs root"]
fn create_that_cannot_apply_a_property_leaves_nothing() {
    refused(|config| config.mount("/mnt", "bind", "/nowhere", &["bind"]));
    refused(|config| config.set("/linux/resources", json!({"unified": {"nosuch.max": "1"}})));
    refused(|config| config.set("/linux/sysctl", json!({"net.nosuch": "1"})));
}

#[test]
#[ignore = "needs root"]
fn changes_to_the_config_after_create_have_no_effect() {
    let container =
        Container::new(|config| config.script("echo old $WHO >/ran").push("/process/env", json!("WHO=first")));
    container.create().ok();
    container.configure(|config| {
        config.script("echo new $WHO >/ran").push("/process/env", json!("WHO=second"));
        config.set("/annotations", json!({"new": "yes"}))
    });
    container.start().ok();
    assert_eq!(container.wrote("ran"), "old first");
    assert_eq!(container.state()["annotations"]["new"], json!(null));
}

#[test]
#[ignore = "needs root"]
fn start_runs_the_program() {
    let container = Container::new(|config| config.stays()).up();
    assert_eq!(container.status(), "running");
    assert!(container.proc("cmdline").starts_with("sh\0-c\0"));
}

#[test]
#[ignore = "needs root"]
fn start_needs_a_container() {
    needs_a_container("start");
}

#[test]
#[ignore = "needs root"]
fn start_of_a_running_container_is_an_error_without_effect() {
    let container = Container::new(|config| config.stays()).up();
    let before = container.state();
    container.start().fails();
    assert_eq!(container.state(), before);
}

#[test]
#[ignore = "needs root"]
fn start_of_a_stopped_container_is_an_error_without_effect() {
    let container = Container::new(|config| config.script("echo ran >>/ran")).up();
    container.becomes("stopped");
    container.start().fails();
    assert_eq!(container.status(), "stopped");
    assert_eq!(container.wrote("ran"), "ran");
}

#[test]
#[ignore = "needs root"]
fn start_needs_a_process() {
    let container = Container::new(|config| config.remove("/process"));
    if container.create().succeeded() {
        container.start().fails();
    }
}

#[test]
#[ignore = "needs root"]
fn kill_sends_the_signal() {
    let script =
        "trap 'echo usr1 >>/got' USR1; trap 'echo hup >>/got' HUP; echo ready >/ready; while :; do sleep 0.05; done";
    let container = Container::new(|config| config.script(script)).up();
    container.wrote("ready");
    container.kill("USR1").ok();
    assert_eq!(container.wrote("got"), "usr1");
    fs::remove_file(container.rootfs().join("got")).unwrap();
    container.kill("1").ok();
    assert_eq!(container.wrote("got"), "hup");
    fs::remove_file(container.rootfs().join("got")).unwrap();
    container.kill("SIGUSR1").ok();
    assert_eq!(container.wrote("got"), "usr1");
}

#[test]
#[ignore = "needs root"]
fn kill_with_0_asks_whether_a_signal_could_be_sent() {
    let container = Container::new(|config| config.stays()).up();
    container.kill("0").ok();
    container.call("kill", ["--all", &container.id, "0"]).ok();
    assert_eq!(container.status(), "running");
    container.kill("KILL").ok();
    container.becomes("stopped");
    container.kill("0").fails();
}

#[test]
#[ignore = "needs root"]
fn kill_of_a_created_container_stops_it() {
    let container = Container::new(|config| config.stays());
    container.create().ok();
    container.kill("KILL").ok();
    container.becomes("stopped");
}

#[test]
#[ignore = "needs root"]
fn kill_needs_a_container() {
    needs_a_container("kill");
    let container = Container::new(|config| config);
    container.call("kill", ["nobody", "KILL"]).fails();
}

#[test]
#[ignore = "needs root"]
fn kill_refuses_an_unknown_signal() {
    let container = Container::new(|config| config.stays()).up();
    container.kill("SIGNOSUCH").fails();
    assert_eq!(container.status(), "running");
}

#[test]
#[ignore = "needs root"]
fn kill_of_a_stopped_container_is_an_error_without_effect() {
    let container = Container::new(|config| config).up();
    container.becomes("stopped");
    let before = container.state();
    container.kill("KILL").fails();
    assert_eq!(container.state(), before);
}

#[test]
#[ignore = "needs root"]
fn a_container_is_stopped_however_its_program_ended() {
    let killed = Container::new(|config| config.stays()).up();
    killed.kill("KILL").ok();
    killed.becomes("stopped");
    let ended = killed.beside(|config| config.script("exit 3")).up();
    ended.becomes("stopped");
}

#[test]
#[ignore = "needs root"]
fn delete_removes_what_create_made() {
    let container = Container::new(|config| config).up();
    container.becomes("stopped");
    container.delete().ok();
    container.call("state", [&container.id]).fails();
    container.leaves_nothing();
}

#[test]
#[ignore = "needs root"]
fn delete_needs_a_container() {
    needs_a_container("delete");
}

#[test]
#[ignore = "needs root"]
fn delete_of_a_running_container_is_an_error_without_effect() {
    let container = Container::new(|config| config.stays()).up();
    let before = container.state();
    container.delete().fails();
    assert_eq!(container.state(), before);
}

#[test]
#[ignore = "needs root"]
fn delete_leaves_what_the_container_did_not_make() {
    let other = Container::new(|config| config.stays()).up();
    let network = format!("/proc/{}/ns/net", other.pid());
    let container = other.beside(|config| {
        let folder = config.folder("kept");
        config.file("kept/file", "text");
        config.namespace(json!({"type": "network", "path": network})).mount("/mnt", "bind", folder, &["bind"])
    });
    let container = container.up();
    container.becomes("stopped");
    container.delete().ok();
    assert_eq!(fs::read_to_string(container.bundle().join("kept/file")).unwrap(), "text");
    assert!(container.rootfs().join("bin/busybox").exists());
    assert_eq!(other.status(), "running");
    assert!(Path::new(&network).exists());
}

#[test]
#[ignore = "needs root"]
fn an_id_can_be_used_again_after_delete() {
    let container = Container::new(|config| config.script("echo ran >>/ran"));
    for runs in ["ran", "ran\nran"] {
        container.create().ok();
        container.start().ok();
        container.becomes("stopped");
        container.delete().ok();
        assert_eq!(container.wrote("ran"), runs);
    }
}

#[test]
#[ignore = "needs root"]
fn only_the_three_standard_descriptors_are_open() {
    let container = Container::new(|config| config.script("ls /proc/self/fd | wc -l; readlink /proc/$$/fd/7"));
    let run = container.of_bundle("run");
    let words = std::iter::once(run.get_program()).chain(run.get_args());
    let script = ["-c", "exec 7</etc/passwd; exec \"$@\"", "sh"].map(AsRef::as_ref);
    let command = crate::harness::tool("sh", script.into_iter().chain(words));
    // Three, and the one that `ls` reads the folder with.
    assert_eq!(container.finish(command).text(), "4");
}

#[test]
#[ignore = "needs root"]
fn the_programs_output_is_the_callers() {
    assert_eq!(inside(|config| config.script("echo out; echo err >&2")), "out");
}
