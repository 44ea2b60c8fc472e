//! Commands on images and containers that are killed, at many points of their way: what is kept is whole after each.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::ppoll;
use nix::sys::time::TimeSpec;

use crate::harness::Scenario;

/// Points at which a command is killed, from its begin to some time after its usual end.
const POINTS: u32 = 40;

/// Starts `command`, and kills it after `delay`, in which it may end by itself.
fn kill_after(mut command: Command, delay: Duration) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program can be run");
    // The one wait for a time: when the kill hits is what the test is about.
    ppoll(&mut [], Some(TimeSpec::from_duration(delay)), None).expect("nobody interrupts a test");
    child.kill().expect("it is our child");
    child.wait().expect("it is our child");
}

/// Kills `verb` at many points, each time after `before`; then nothing is damaged, `verb` works, and so does `image`.
fn the_store_is_whole_after_a_killed(verb: &[&str], before: &[&[&str]], image: &str) {
    let host = Scenario::new("whatever is killed, the next command can use the store");
    host.run(["pull", "redis:7"]).ok();
    host.run(["run", "--name", "c", "--network", "none", "redis:7", "sh", "-c", "head -c 9000000 /dev/urandom >/big"])
        .ok();
    host.run(["save", "--output", "redis.tar", "redis:7"]).ok();
    host.run(["tag", "redis:7", "kept:1"]).ok();
    let prepare = || before.iter().for_each(|one| drop(host.run(one.iter())));
    prepare();
    let begin = Instant::now();
    host.run(verb.iter()).ok();
    let usual = begin.elapsed();
    for point in 0..POINTS {
        prepare();
        kill_after(host.command(verb.iter()), usual * point / (POINTS - 8));
        host.run(["system", "check"]).ok();
        assert!(host.run(["images", "--format", "{{.Repository}}"]).ok().stdout.contains("kept"), "point {point}");
    }
    prepare();
    host.run(verb.iter()).ok();
    host.run(["system", "check", "--repair"]).ok();
    let checked = host.run(["system", "check"]).ok();
    assert!(!checked.stdout.contains("left over"), "{checked}");
    host.run(["run", "--rm", "--network", "none", image, "redis-server", "--version"]).ok();
    host.run(["rm", "c"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_killed_load_leaves_the_store_whole() {
    // without the container's image, every layer is new
    let host = Scenario::new("a load that is killed leaves nothing that counts");
    host.run(["pull", "redis:7"]).ok();
    host.run(["save", "--output", "redis.tar", "redis:7"]).ok();
    host.run(["pull", "busybox:1"]).ok();
    let load = ["load", "--quiet", "--input", "redis.tar"];
    host.run(["rmi", "redis:7"]).ok();
    let begin = Instant::now();
    host.run(load).ok();
    let usual = begin.elapsed();
    for point in 0..POINTS {
        host.run(["rmi", "--force", "redis:7"]);
        kill_after(host.command(load), usual * point / (POINTS - 8));
        host.run(["system", "check"]).ok();
        let listed = host.run(["images", "--quiet", "redis:7"]).ok();
        if !listed.text().is_empty() {
            host.run(["run", "--rm", "--network", "none", "redis:7", "redis-server", "--version"]).ok();
        }
    }
    host.run(load).ok();
    host.run(["run", "--rm", "--network", "none", "redis:7", "redis-server", "--version"]).ok();
    host.run(["system", "check", "--repair"]).ok();
    assert!(!host.run(["system", "check"]).ok().stdout.contains("left over"));
}

#[test]
#[ignore = "needs root"]
fn a_killed_commit_leaves_the_store_whole() {
    the_store_is_whole_after_a_killed(&["commit", "c", "made:1"], &[&["rmi", "--force", "made:1"]], "made:1");
}

#[test]
#[ignore = "needs root"]
fn a_killed_tag_leaves_the_store_whole() {
    the_store_is_whole_after_a_killed(&["tag", "redis:7", "moved:1"], &[&["rmi", "moved:1"]], "moved:1");
}

#[test]
#[ignore = "needs root"]
fn a_killed_rmi_leaves_the_store_whole() {
    the_store_is_whole_after_a_killed(&["rmi", "--force", "made:1"], &[&["commit", "c", "made:1"]], "kept:1");
}

#[test]
#[ignore = "needs root"]
fn a_killed_prune_leaves_the_store_whole() {
    let before: &[&[&str]] = &[&["commit", "c"], &["commit", "--message", "other", "c"]];
    the_store_is_whole_after_a_killed(&["image", "prune", "--force"], before, "kept:1");
}

#[test]
#[ignore = "needs root"]
fn commands_that_change_images_at_the_same_time_do_not_disturb_each_other() {
    let host = Scenario::new("a host has many users and one store");
    host.run(["pull", "redis:7"]).ok();
    host.run(["pull", "busybox:1"]).ok();
    host.run(["create", "--name", "user", "--network", "none", "busybox:1", "true"]).ok();
    host.run(["save", "--output", "redis.tar", "redis:7"]).ok();
    let together: [&[&str]; 8] = [
        &["load", "--quiet", "--input", "redis.tar"],
        &["load", "--quiet", "--input", "redis.tar"],
        &["pull", "nginx:1"],
        &["image", "prune", "--all", "--force"],
        &["rmi", "--force", "redis:7"],
        &["commit", "--change", "LABEL a=b", "user", "made:1"],
        &["tag", "busybox:1", "other:1"],
        &["image", "prune", "--force"],
    ];
    for _ in 0..15 {
        let mut children = Vec::new();
        for arguments in together {
            let mut command = host.command(arguments);
            command.stdout(Stdio::null()).stderr(Stdio::piped());
            children.push((arguments, command.spawn().expect("the program can be run")));
        }
        for (arguments, child) in children {
            let output = child.wait_with_output().expect("it is our child");
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        host.run(["system", "check"]).ok();
    }
    host.run(["run", "--rm", "--network", "none", "busybox:1", "true"]).ok();
    for image in ["redis:7", "nginx:1"] {
        host.run(["run", "--rm", "--network", "none", image, "true"]).ok();
    }
    host.run(["rm", "user"]).ok();
    host.run(["image", "prune", "--all", "--force"]).ok();
    let checked = host.run(["system", "check"]).ok();
    assert_eq!(checked.text(), "0 images, 0 blobs of 0B, 0 layers, 0 containers: whole");
}

#[test]
#[ignore = "needs root"]
fn what_killed_commands_have_left_of_containers_goes_with_the_next_one_that_is_made() {
    let host = Scenario::new("no half a record, and no name of nobody, outlives the next container");
    host.run(["pull", "busybox:1"]).ok();
    host.run(["create", "--name", "kept", "busybox:1"]).ok();
    let entries = |directory: &str| -> Vec<String> {
        let listed = std::fs::read_dir(host.root().join(directory)).expect("it is there");
        listed.map(|entry| entry.expect("it is there").file_name().to_string_lossy().into_owned()).collect()
    };
    let begin = Instant::now();
    host.run(["create", "--name", "new", "busybox:1"]).ok();
    let usual = begin.elapsed();
    for point in 0..POINTS {
        let delay = usual * point / (POINTS - 8);
        kill_after(host.command(["create", "--name", "new", "busybox:1"]), delay);
        kill_after(host.command(["rename", "new", "other"]), delay);
        kill_after(host.command(["rm", "new", "other"]), delay);
        host.run(["create", "--name", "last", "busybox:1"]).ok();
        let (containers, names) = (entries("containers"), entries("names"));
        assert!(containers.iter().all(|name| !name.starts_with('.')), "point {point}: {containers:?}");
        assert_eq!(containers.len(), names.len(), "point {point}: {names:?}");
        host.run(["rm", "new", "other", "last"]); // some of them are not there
    }
    host.run(["rm", "kept"]).ok();
}
