//! `checkpoint` and `restore` where there is no criu, or one that fails.
//!
//! What a criu that works makes of a container depends on kernel and criu alike; see docs/runtime-spec.md.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::harness::{Container, Output};

fn checkpoint(container: &Container, arguments: &[&str], path: &Path) -> Output {
    let mut command = container.command("checkpoint", arguments);
    command.arg(&container.id);
    command.env("PATH", path);
    container.finish(command)
}

#[test]
#[ignore = "needs root"]
fn a_checkpoint_without_criu_is_refused_by_name_and_the_container_runs_on() {
    let container = Container::new(|config| config.stays()).up();
    let images = container.bundle().join("images");
    let said = checkpoint(&container, &["--image-path", images.to_str().unwrap()], Path::new(""));
    said.fails().says("checkpoint needs `criu`, which is not in PATH");
    assert!(!images.exists());
    assert_eq!(container.status(), "running");
}

#[test]
#[ignore = "needs root"]
fn a_restore_without_criu_is_refused_by_name_and_leaves_nothing() {
    let container = Container::new(|config| config);
    let mut command = container.of_bundle("restore");
    command.env("PATH", "");
    container.finish(command).fails().says("restore needs `criu`, which is not in PATH");
    container.leaves_nothing();
}

#[test]
#[ignore = "needs root"]
fn a_failure_of_criu_is_told_with_the_last_error_of_its_log() {
    let container = Container::new(|config| config.stays()).up();
    let (bin, work) = (container.bundle().join("bin"), container.bundle().join("work"));
    std::fs::create_dir(&bin).unwrap();
    std::fs::create_dir(&work).unwrap();
    let log = work.join("dump.log");
    let error = "Error (criu/mount.c:7): mnt: no luck";
    let criu = bin.join("criu");
    std::fs::write(&criu, format!("#!/bin/sh\necho '(00.1) {error}' >{}\n", log.display())).unwrap();
    std::fs::set_permissions(&criu, std::fs::Permissions::from_mode(0o755)).unwrap();
    let work = work.to_str().unwrap();
    let said = checkpoint(&container, &["--image-path", work, "--work-path", work], &bin);
    said.fails().says(error).says(log.to_str().unwrap());
    assert_eq!(container.status(), "running");
}

#[test]
#[ignore = "needs root"]
fn only_a_container_that_runs_can_be_saved() {
    let container = Container::new(|config| config);
    container.create().ok();
    container.call("checkpoint", [&container.id]).fails().says("it is created");
}
