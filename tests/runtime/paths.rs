//! config-linux.md, "Rootfs Mount Propagation" to "Personality".

use serde_json::json;

use crate::harness::{inside, refused};

#[test]
#[ignore = "needs root"]
fn masked_paths_cannot_be_read() {
    let text = inside(|config| {
        config.file("rootfs/secret/file", "text");
        config.file("rootfs/etc/secret", "text");
        config.set("/linux/maskedPaths", json!(["/secret", "/etc/secret", "/proc/uptime", "/not/there"]));
        config.script("cat /etc/secret /proc/uptime; ls /secret; (echo x >/secret/new) 2>/dev/null || echo kept")
    });
    assert_eq!(text, "kept");
}

#[test]
#[ignore = "needs root"]
fn read_only_paths_can_be_read_alone() {
    let text = inside(|config| {
        config.file("rootfs/data/file", "text\n");
        config.set("/linux/readonlyPaths", json!(["/data", "/proc/sys", "/not/there"]));
        config.script("cat /data/file; for f in /data/new /proc/sys/kernel/domainname; do (echo x >$f) 2>/dev/null || echo kept; done")
    });
    assert_eq!(text, "text\nkept\nkept");
}

#[test]
#[ignore = "needs root"]
fn a_relative_path_is_refused() {
    refused(|config| config.set("/linux/maskedPaths", json!(["proc/uptime"])));
    refused(|config| config.set("/linux/readonlyPaths", json!(["proc/sys"])));
}

#[test]
#[ignore = "needs root"]
fn the_root_has_the_propagation_of_the_config() {
    // The first optional field of the root's line in proc_pid_mountinfo(5); a slave of a private mount is private.
    let field = |propagation: &str| {
        inside(|config| {
            config.set("/linux/rootfsPropagation", json!(propagation));
            config.script("awk '$5 == \"/\" {print $7}' /proc/self/mountinfo | sed 's/:.*//'")
        })
    };
    assert_eq!(field("shared"), "shared");
    assert_eq!(field("private"), "-");
    assert_eq!(field("slave"), "-");
    assert_eq!(field("unbindable"), "unbindable");
}

#[test]
#[ignore = "needs root"]
fn an_unknown_propagation_is_refused() {
    refused(|config| config.set("/linux/rootfsPropagation", json!("nosuch")));
}

#[test]
#[ignore = "needs root"]
fn a_mount_label_that_cannot_be_set_is_refused() {
    refused(|config| config.set("/linux/mountLabel", json!("nosuch_u:nosuch_r:nosuch_t:s0")));
}

#[test]
#[ignore = "needs root"]
fn the_personality_is_the_configs() {
    // PER_LINUX32 of personality(2).
    let personality = |domain: &str| {
        inside(|config| {
            config.script("cat /proc/self/personality").set("/linux/personality", json!({"domain": domain}))
        })
    };
    assert_eq!(personality("LINUX32"), "00000008");
    assert_eq!(personality("LINUX"), "00000000");
}

#[test]
#[ignore = "needs root"]
fn an_unknown_personality_is_refused() {
    refused(|config| config.set("/linux/personality", json!({"domain": "NOSUCH"})));
    refused(|config| config.set("/linux/personality", json!({"domain": "LINUX", "flags": ["NOSUCH"]})));
}

#[test]
#[ignore = "needs root"]
fn the_memory_policy_is_the_configs_or_refused() {
    let container = crate::harness::Container::new(|config| {
        config.stays().set("/linux/memoryPolicy", json!({"mode": "MPOL_BIND", "nodes": "0"}))
    });
    if container.create().succeeded() {
        container.start().ok();
        assert!(container.proc("numa_maps").contains("bind:0"));
    }
}
