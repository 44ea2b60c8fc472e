//! config-linux.md, "Control groups" and "Cgroups Path".

use serde_json::json;

use crate::harness::Container;

/// The container's path in the hierarchy of `controller`, or in the only one.
fn path(container: &Container, controller: &str) -> String {
    let text = container.proc("cgroup");
    let of_controller =
        |line: &&str| line.split(':').nth(1).is_some_and(|names| names.split(',').any(|name| name == controller));
    let line = text.lines().find(of_controller).or_else(|| text.lines().find(|line| line.starts_with("0:")));
    let path = line.and_then(|line| line.splitn(3, ':').nth(2));
    path.unwrap_or_else(|| panic!("no {controller} in {text}")).to_owned()
}

#[test]
#[ignore = "needs root"]
fn an_absolute_path_is_below_the_mount_of_the_hierarchy() {
    let container = Container::new(|config| config.stays());
    container.create().ok();
    for controller in ["memory", "pids", "cpu", "freezer"] {
        assert_eq!(path(&container, controller), format!("/{}", container.id), "{controller}");
    }
}

#[test]
#[ignore = "needs root"]
fn the_same_path_is_the_same_place() {
    let container = Container::new(|config| {
        let cgroup = config.bundle().file_name().unwrap().to_str().unwrap().to_owned();
        config.stays().set("/linux/cgroupsPath", json!(cgroup))
    });
    let places = [(); 2].map(|()| {
        container.create().ok();
        let place = path(&container, "memory");
        container.kill("KILL").ok();
        container.becomes("stopped");
        container.delete().ok();
        place
    });
    assert_eq!(places[0], places[1]);
    assert!(places[0].contains(&container.id), "{places:?}");
}

#[test]
#[ignore = "needs root"]
fn without_a_path_there_is_a_default_one() {
    let container = Container::new(|config| config.stays().remove("/linux/cgroupsPath"));
    container.create().ok();
    assert!(path(&container, "memory").contains(&container.id));
}

#[test]
#[ignore = "needs root"]
fn two_containers_have_cgroups_of_their_own() {
    let first = Container::new(|config| config.stays()).up();
    let second = first.beside(|config| config.stays()).up();
    assert_ne!(path(&first, "pids"), path(&second, "pids"));
}

#[test]
#[ignore = "needs root"]
fn the_owner_of_a_cgroup_of_the_first_version_stays() {
    let container = Container::new(|config| config.stays().set("/process/user", json!({"uid": 1000, "gid": 1000})));
    let container = container.up();
    let procs = format!("/sys/fs/cgroup/pids/{}/cgroup.procs", container.id);
    if let Ok(metadata) = std::fs::metadata(procs) {
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&metadata), 0);
    }
}
