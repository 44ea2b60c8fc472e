//! What is left of a command that is killed, and commands that run at the same time. The specification is silent about both,
//! but demands that `delete` removes what `create` made, whatever became of `create`.

use std::fs::File;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::poll::ppoll;
use nix::sys::time::TimeSpec;
use serde_json::json;

use crate::harness::{Container, run};

/// Points at which a command is killed, from its begin to some time after its usual end.
const POINTS: u32 = 60;

/// Starts `command`, and kills it after `delay`, in which it may end by itself.
fn kill_after(container: &Container, mut command: Command, delay: Duration) {
    let output = File::create(container.bundle().join("killed.output")).expect("the bundle is ours");
    command.stdout(output.try_clone().expect("a file can be opened twice")).stderr(output);
    let mut child = command.spawn().expect("the program can be run");
    // The one wait for a time: when the kill hits is what the test is about.
    ppoll(&mut [], Some(TimeSpec::from_duration(delay)), None).expect("nobody interrupts a test");
    child.kill().expect("it is our child");
    child.wait().expect("it is our child");
}

/// Kills `verb` at many points of its way, each time after `before`, and asserts that `delete --force` leaves nothing.
fn nothing_is_left_of(verb: &str, before: &[&str]) {
    let container = Container::new(|config| {
        config
            .stays()
            .hook("createRuntime", ":")
            .hook("createContainer", ":")
            .hook("poststart", ":")
            .hook("poststop", ":")
    });
    let command = |verb: &str| match verb {
        "create" => container.of_bundle(verb),
        "delete" => container.command(verb, ["--force", &container.id]),
        _ => container.command(verb, [&container.id]),
    };
    let prepare = || before.iter().for_each(|verb| drop(container.finish(command(verb)).ok()));
    prepare();
    let begin = Instant::now();
    container.finish(command(verb)).ok();
    let usual = begin.elapsed();
    for point in 0..POINTS {
        container.call("delete", ["--force", &container.id]).ok();
        container.leaves_nothing();
        prepare();
        kill_after(&container, command(verb), usual * point / (POINTS - 10));
    }
    container.call("delete", ["--force", &container.id]).ok();
    container.leaves_nothing();
}

#[test]
#[ignore = "needs root"]
fn nothing_is_left_of_a_killed_create_after_delete() {
    nothing_is_left_of("create", &[]);
}

#[test]
#[ignore = "needs root"]
fn nothing_is_left_of_a_killed_start_after_delete() {
    nothing_is_left_of("start", &["create"]);
}

#[test]
#[ignore = "needs root"]
fn nothing_is_left_of_a_killed_delete_after_another() {
    nothing_is_left_of("delete", &["create", "start"]);
}

#[test]
#[ignore = "needs root"]
fn the_id_of_a_killed_create_can_be_used_again_after_delete() {
    let container = Container::new(|config| config.stays());
    for point in 0..10 {
        kill_after(&container, container.of_bundle("create"), Duration::from_millis(3) * point);
        container.call("delete", ["--force", &container.id]).ok();
        container.create().ok();
        assert_eq!(container.status(), "created");
        container.delete().ok();
    }
}

#[test]
#[ignore = "needs root"]
fn a_killed_create_and_its_delete_spare_who_has_the_cgroup() {
    let container = Container::new(|config| config.stays());
    let neighbour =
        container.beside(|config| config.stays().set("/linux/cgroupsPath", json!(format!("/{}", container.id))));
    let neighbour = neighbour.up();
    for point in 0..20 {
        kill_after(&container, container.of_bundle("create"), Duration::from_millis(1) * point);
        container.call("delete", ["--force", &container.id]).ok();
        assert_eq!(neighbour.status(), "running");
    }
}

#[test]
#[ignore = "needs root"]
fn a_hundred_containers_of_eight_callers_do_not_disturb_each_other() {
    let container = Container::new(|config| config.stays().remove("/linux/cgroupsPath"));
    let bundle = container.bundle();
    let mut queues: Vec<Vec<(String, Command)>> = (0..8).map(|_| Vec::new()).collect();
    for number in 0..100 {
        let id = format!("{}-{number}", container.id);
        let create = container.command("create", ["--bundle".as_ref(), bundle.as_os_str(), id.as_ref()]);
        let calls = [
            ("create", create),
            ("start", container.command("start", [&id])),
            ("state", container.command("state", [&id])),
            ("delete", container.command("delete", ["--force", &id])),
        ];
        queues[number % 8].extend(calls.map(|(verb, command)| (format!("{verb}-{number}"), command)));
    }
    std::thread::scope(|scope| {
        for queue in queues {
            let bundle = &bundle;
            scope.spawn(move || queue.into_iter().for_each(|(name, command)| drop(run(command, bundle, &name).ok())));
        }
    });
    container.leaves_nothing();
}
