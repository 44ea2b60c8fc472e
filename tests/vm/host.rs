//! Hosts as they happen to be: full, out of memory, with a clock that jumps, with a data root on a file system that is none of the
//! usual.

use std::time::{Duration, Instant};

use crate::guest::{self, Lighter, sh};
use crate::registry::{IMAGE, lighter};

#[test]
#[ignore = "needs a virtual machine"]
fn a_pull_onto_a_full_disk_fails_with_the_reason_and_works_when_there_is_room() {
    let lighter = lighter("full");
    let root = lighter.root.display().to_string();
    sh(&format!("mount -t tmpfs -o size=5M full {root}"));
    let said = lighter.said(["pull", IMAGE]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.to_lowercase().contains("no space left"), "{said:?}");
    assert_eq!(lighter.said(["images", "--quiet"]).ok(), "", "half an image is listed");
    sh(&format!("mount -o remount,size=100M {root}"));
    lighter.said(["pull", IMAGE]).ok();
    assert_eq!(
        lighter.said(["run", "--rm", "--network", "none", IMAGE, "sha256sum", "-c", "/sums"]).ok().lines().count(),
        3
    );
    // The monitor may still be on its way out.
    sh(&format!("umount --lazy {root}"));
}

#[test]
#[ignore = "needs a virtual machine"]
fn a_host_without_memory_ends_the_container_that_took_it_and_no_other() {
    let lighter = lighter("memory");
    let run = ["run", "--network", "none", "--name"];
    lighter.said(run.iter().chain(&["quiet", "--detach", IMAGE, "sleep", "1000"])).ok();
    // Huge pages in reserve are nobody's: what is left fills up sooner.
    sh("echo 600 > /proc/sys/vm/nr_hugepages");
    let greedy = lighter.said(run.iter().chain(&["greedy", IMAGE, "tail", "-n", "1", "/dev/zero"]));
    sh("echo 0 > /proc/sys/vm/nr_hugepages");
    assert_eq!(greedy.code, 137, "{greedy:?}");
    let killed = ["inspect", "--format", "{{.State.OOMKilled}} {{.State.ExitCode}}", "greedy"];
    assert_eq!(lighter.said(killed).ok(), "true 137");
    assert_eq!(lighter.said(["exec", "quiet", "echo", "here"]).ok(), "here");
    lighter.said(["rm", "--force", "quiet", "greedy"]).ok();
}

#[test]
#[ignore = "needs a virtual machine"]
fn a_clock_that_jumps_changes_nothing_for_what_runs() {
    let lighter = lighter("clock");
    lighter.said(["run", "-d", "--name", "box", "--network", "none", IMAGE, "sleep", "1000"]).ok();
    for jump in ["+ 2 days", "- 4 days", "+ 2 days"] {
        sh(&format!("date --set \"$(date --iso-8601=seconds) {jump}\""));
        assert_eq!(lighter.said(["ps", "--format", "{{.Names}}"]).ok(), "box", "after {jump}");
        assert_eq!(lighter.said(["exec", "box", "echo", "here"]).ok(), "here", "after {jump}");
    }
    let started = Instant::now();
    // `sleep` as pid 1 takes no SIGTERM, so this lasts as long as the grace does.
    lighter.said(["stop", "--time", "1", "box"]).ok();
    assert!(started.elapsed() < Duration::from_secs(60), "it took {:?} to stop", started.elapsed());
    lighter.said(["rm", "box"]).ok();
}

#[test]
#[ignore = "needs a virtual machine"]
fn on_a_data_root_on_overlay_the_layers_are_copied() {
    let folder = guest::state().join("below");
    let below = folder.display();
    sh(&format!(
        "mkdir -p {below}/lower {below}/upper {below}/work {below}/merged; \
         mount -t overlay -o lowerdir={below}/lower,upperdir={below}/upper,workdir={below}/work none {below}/merged"
    ));
    drop(lighter("unused"));
    let lighter = Lighter::new(&folder.join("merged/root"));
    let look = "sha256sum -c /sums; ls /veiled";
    let said = lighter.said(["run", "--rm", "--network", "none", IMAGE, "sh", "-c", look]);
    // The monitor may still be on its way out.
    sh(&format!("umount --lazy {below}/merged"));
    assert_eq!((said.code, said.stdout.matches(": OK").count()), (0, 3), "{said:?}");
    // Overlay takes no marks of overlay's before Linux 6.7.
    assert!(said.stdout.ends_with("OK\nnew\n"), "an opaque directory hides nothing: {said:?}");
    assert!(said.stderr.contains("overlayfs cannot be used here"), "{said:?}");
}
