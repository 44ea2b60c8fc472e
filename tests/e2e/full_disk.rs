//! A disk without room, and what a power failure leaves of records: what makes room works, and one container is no reason to do
//! nothing for the others.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Scenario, eventually, run, tool};
use crate::lifecycle::monitor_of;

const LIMIT: Duration = Duration::from_secs(60);

/// Writes until nothing more fits.
fn fill(path: &Path) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("there is room for a name");
    for piece in [1 << 20, 4096, 1] {
        while file.write_all(&vec![b'x'; piece]).is_ok() {}
    }
}

#[test]
#[ignore = "needs root"]
fn a_full_disk_keeps_nobody_from_looking_stopping_and_removing() {
    let host = Scenario::new("who wants to make room must not need some");
    fs::create_dir(host.root()).expect("the directory is ours");
    let (none, size) = (None::<&str>, Some("size=64m"));
    mount(none, &host.root(), Some("tmpfs"), MsFlags::empty(), size).expect("the mount namespace is ours");
    let sleeper = |name: &str, more: &[&str]| {
        let words = [&["run", "-d", "--name", name], more, &["busybox:1", "sleep", "1000"]].concat();
        host.run(words).ok();
    };
    sleeper("stopped", &[]);
    sleeper("lost", &["--restart", "always"]);
    sleeper("removed", &["--restart", "always"]);
    sleeper("kept", &[]);
    host.run(["create", "--name", "made", "-v", "volume:/v", "busybox:1", "true"]).ok();
    let filler = host.root().join("filler");
    fill(&filler);

    host.run(["stop", "-t", "0", "stopped"]).ok();
    fill(&filler);
    // it is found by the next command, which cannot write down what has become of it
    let (init, monitor) = (host.pid("lost"), monitor_of(&host, "lost"));
    for pid in [monitor, init] {
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it lives");
    }
    for verb in [&["ps", "-a"][..], &["logs", "kept"], &["exec", "kept", "true"], &["images"], &["system", "df"]] {
        host.run(verb).ok();
        fill(&filler);
    }
    for verb in
        [&["rm", "-f", "removed"][..], &["rm", "-f", "lost"], &["rm", "stopped", "made"], &["volume", "rm", "volume"]]
    {
        host.run(verb).ok();
        fill(&filler);
    }
    assert_eq!(host.run(["ps", "-a", "--format", "{{.Names}}"]).ok().text(), "kept");
    host.run(["create", "busybox:1", "true"]).code(1).says(["No space left on device"]);
    host.run(["rm", "-f", "kept"]).ok();
    fill(&filler);
    host.run(["rmi", "busybox:1"]).ok();
    host.run(["system", "prune", "-af", "--volumes"]).ok();

    fs::remove_file(&filler).expect("it was written");
    host.run(["system", "check"]).ok();
    host.run(["run", "--rm", "busybox:1", "true"]).ok();
    host.run(["rmi", "busybox:1"]).ok();
    without_disk(&host);
}

#[test]
#[ignore = "needs root"]
fn a_disk_on_which_no_file_can_be_made_keeps_nobody_from_removing_either() {
    let host = Scenario::new("many small files take all inodes while there is room");
    fs::create_dir(host.root()).expect("the directory is ours");
    let (none, size) = (None::<&str>, Some("size=64m,nr_inodes=3000"));
    mount(none, &host.root(), Some("tmpfs"), MsFlags::empty(), size).expect("the mount namespace is ours");
    for name in ["stopped", "removed"] {
        host.run(["run", "-d", "--name", name, "--restart", "always", "busybox:1", "sleep", "1000"]).ok();
    }
    let folder = host.root().join("filler");
    fs::create_dir(&folder).expect("there is room");
    let mut number = 0;
    let mut take_all = || {
        while fs::File::create(folder.join(number.to_string())).is_ok() {
            number += 1;
        }
    };
    for verb in [
        &["ps"][..],
        &["stop", "-t", "0", "stopped"],
        &["rm", "-f", "removed"],
        &["rm", "stopped"],
        &["rmi", "busybox:1"],
    ] {
        take_all();
        host.run(verb).ok();
    }
    fs::remove_dir_all(&folder).expect("it was made");
    host.run(["system", "check"]).ok();
    without_disk(&host);
}

/// Takes the disk away when nothing is on it but records of networks, which go with it.
fn without_disk(host: &Scenario) {
    eventually("the bridge is gone", LIMIT, || {
        let links = run(tool("ip", ["-brief", "link"]), LIMIT).ok();
        if links.text().contains("lt-") { Err(links.stdout) } else { Ok(()) }
    });
    umount2(&host.root(), MntFlags::MNT_DETACH).expect("it was mounted");
}

#[test]
#[ignore = "needs root"]
fn a_record_that_a_power_failure_has_cut_short_is_of_a_container_that_has_ended() {
    let host = Scenario::new("what happens from moment to moment is not flushed to the disk");
    host.run(["run", "-d", "--name", "whole", "busybox:1", "sleep", "1000"]).ok();
    for (name, text) in [("empty", ""), ("short", "{\"version\": 1, \"sta"), ("zeros", "\0\0\0\0")] {
        host.run(["run", "--name", name, "busybox:1", "true"]).ok();
        let id = host.inspect(name)["Id"].as_str().expect("it has an id").to_owned();
        fs::write(host.root().join("containers").join(id).join("state.json"), text).expect("it is there");
    }
    let listed = host.run(["ps", "-a", "--format", "{{.Names}} {{.State}}"]).ok().stdout;
    for expected in ["whole running", "empty exited", "short exited", "zeros exited"] {
        assert!(listed.lines().any(|line| line == expected), "{expected}: {listed}");
    }
    assert_eq!(host.inspect("short")["State"]["ExitCode"], 255, "nobody knows better");
    host.run(["start", "-a", "short"]).ok();
    host.run(["rm", "empty", "zeros"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_container_nobody_can_say_what_it_shall_be_is_shown_and_removed_and_in_nobodys_way() {
    let host = Scenario::new("a disk gives back something else than was written");
    host.file("compose.yaml", "services: {web: {image: busybox:1, command: sleep 1000, init: true}}");
    host.run(["up", "-d"]).ok();
    host.run(["run", "-d", "--name", "broken", "-v", "data:/data", "busybox:1", "sleep", "1000"]).ok();
    let (id, init) = (host.inspect("broken")["Id"].as_str().expect("it has an id").to_owned(), host.pid("broken"));
    let record = host.root().join("containers").join(&id).join("spec.json");
    let whole = fs::read(&record).expect("it is there");
    fs::write(&record, &whole[..whole.len() / 2]).expect("it is ours");

    let listed = host.run(["ps", "--format", "{{.Names}} {{.Image}} {{.State}}"]).ok().stdout;
    assert!(listed.lines().any(|line| line == "broken <damaged> running"), "{listed}");
    for verb in [&["exec", "web", "true"][..], &["ps", "--size"], &["system", "df"], &["images", "--tree"], &["down"]] {
        host.run(verb).ok();
    }
    host.run(["run", "--rm", "busybox:1", "true"]).ok();
    // it may need any image and any volume
    for verb in
        [&["volume", "prune", "-af"][..], &["image", "prune", "-af"], &["rmi", "busybox:1"], &["restart", "broken"]]
    {
        host.run(verb).code(1).says([record.to_str().expect("it is text"), "damaged", "rm --force"]);
    }
    host.run(["rm", "broken"]).code(1).says(["is running"]);
    host.run(["stop", "-t", "0", "broken"]).code(1).says(["damaged"]);
    host.run(["create", "--name", "other", "-v", "/anonymous", "busybox:1", "true"]).ok();
    let removed = host.run(["rm", "-fv", "absent", "broken", "other"]).ok();
    assert_eq!(removed.text(), "broken\nother");
    assert!(kill(Pid::from_raw(init), None).is_err(), "it lives");
    assert!(host.run(["volume", "prune", "-af"]).ok().stdout.contains("data"), "nobody has it");
    host.run(["system", "check"]).ok();
}

#[test]
#[ignore = "needs root"]
fn a_volume_whose_removal_was_cut_short_is_empty_when_it_is_made_again() {
    let host = Scenario::new("a database would find half of another's files");
    let data = |name: &str| host.root().join("volumes").join(name).join("_data");
    host.run(["volume", "create", "v"]).ok();
    fs::write(data("v").join("old"), "old").expect("the volume is ours");
    // what somebody has mounted there cuts it short, and stays as it is
    let (outside, inside) = (host.directory().join("outside"), data("v").join("inside"));
    for folder in [&outside, &inside] {
        fs::create_dir(folder).expect("the directory is ours");
    }
    fs::write(outside.join("kept"), "kept").expect("it was made");
    mount(Some(&outside), &inside, None::<&str>, MsFlags::MS_BIND, None::<&str>).expect("the mount namespace is ours");
    host.run(["volume", "rm", "v"]).code(1);
    assert_eq!(fs::read_to_string(outside.join("kept")).expect("it is there"), "kept");
    host.run(["volume", "create", "v"]).ok();
    assert_eq!(fs::read_dir(data("v")).expect("it was made").count(), 0);
    let removing = host.root().join("volumes/.removing-v");
    umount2(&removing.join("_data/inside"), MntFlags::MNT_DETACH).expect("it is still mounted");
    host.run(["volume", "create", "other"]).ok();
    assert!(!removing.exists(), "what was begun is finished");
    host.run(["volume", "rm", "v", "other"]).ok();
}
