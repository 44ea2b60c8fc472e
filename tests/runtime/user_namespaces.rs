//! config-linux.md, "User namespace mappings".

use std::os::unix::fs::MetadataExt;

use serde_json::json;

use crate::harness::{Config, Container, refused};

/// Maps the container's ids 0 to 999 to the host's from 200000 on, and the rest of a small range to 300000 on.
fn mapped(config: &mut Config) -> &mut Config {
    let mappings = json!([
        {"containerID": 0, "hostID": 200000, "size": 1000},
        {"containerID": 1000, "hostID": 300000, "size": 500},
    ]);
    config.namespace(json!({"type": "user"}));
    config.set("/linux/uidMappings", mappings.clone()).set("/linux/gidMappings", mappings)
}

fn lines(map: &str) -> Vec<Vec<u32>> {
    map.lines()
        .map(|line| line.split_whitespace().map(|number| number.parse().expect("maps are numbers")).collect())
        .collect()
}

#[test]
#[ignore = "needs root"]
fn the_mappings_are_the_configs() {
    let container = Container::new(|config| mapped(config).stays()).up();
    let expected = vec![vec![0, 200000, 1000], vec![1000, 300000, 500]];
    assert_eq!(lines(&container.proc("uid_map")), expected);
    assert_eq!(lines(&container.proc("gid_map")), expected);
}

#[test]
#[ignore = "needs root"]
fn the_user_is_one_of_the_containers() {
    let container = Container::new(|config| {
        mapped(config).stays().set("/process/user", json!({"uid": 1007, "gid": 5, "additionalGids": [1001]}))
    });
    let container = container.up();
    let status = container.proc("status");
    let ids = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    assert_eq!(
        (ids("Uid:"), ids("Gid:"), ids("Groups:")),
        ("300007".to_owned(), "200005".to_owned(), "300001".to_owned())
    );
}

#[test]
#[ignore = "needs root"]
fn the_owners_in_the_root_filesystem_stay() {
    let container = Container::new(|config| mapped(config).script("stat -c %u /bin/busybox"));
    assert_eq!(container.run().ok().text(), "65534");
    assert_eq!(container.rootfs().join("bin/busybox").metadata().unwrap().uid(), 0);
    assert_eq!(container.rootfs().metadata().unwrap().uid(), 0);
}

#[test]
#[ignore = "needs root"]
fn the_usual_devices_and_file_systems_are_there() {
    let container = Container::new(|config| {
        mapped(config)
            .script("echo x >/dev/null; head -c 4 /dev/zero | wc -c; echo x >/dev/shm/file; ls /proc/1/comm /dev/ptmx")
    });
    assert_eq!(container.run().ok().text(), "4\n/dev/ptmx\n/proc/1/comm");
}

#[test]
#[ignore = "needs root"]
fn the_other_namespaces_belong_to_the_user_namespace() {
    let container = Container::new(|config| {
        let all = json!(["CAP_SYS_ADMIN", "CAP_NET_ADMIN"]);
        config.set("/process/capabilities", json!({"bounding": all, "effective": all, "permitted": all}));
        mapped(config).script("hostname renamed; hostname; ip link set lo up && echo up")
    });
    assert_eq!(container.run().ok().text(), "renamed\nup");
}

#[test]
#[ignore = "needs root"]
fn a_user_namespace_without_mappings_is_refused() {
    refused(|config| config.namespace(json!({"type": "user"})));
}

#[test]
#[ignore = "needs root"]
fn mappings_without_a_user_namespace_are_refused() {
    refused(|config| mapped(config).inherits("user"));
}

#[test]
#[ignore = "needs root"]
fn a_mapped_mount_takes_the_mapping_of_the_container() {
    let container = Container::new(|config| {
        config.file("tree/file", "text");
        let folder = config.folder("tree");
        mapped(config)
            .mount("/mnt", "bind", folder, &["bind", "idmap"])
            .script("stat -c '%u %g' /mnt/file; touch /mnt/new")
    });
    assert_eq!(container.run().ok().text(), "0 0");
    assert_eq!(container.bundle().join("tree/new").metadata().unwrap().uid(), 0);
}
