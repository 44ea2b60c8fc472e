//! config-linux.md, "Memory" to "IntelRdt": limits end in the files of the cgroup.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Container, inside, refused};

/// A created container with these resources.
fn with(resources: Value) -> Container {
    let container = Container::new(|config| config.stays().set("/linux/resources", resources));
    container.create().ok();
    container
}

#[test]
#[ignore = "needs root"]
fn the_memory_limits_are_the_configs() {
    let container = with(json!({"memory": {"limit": 64 << 20, "reservation": 32 << 20}}));
    assert_eq!(container.cgroup("memory/memory.limit_in_bytes", "memory.max"), (64 << 20).to_string());
    assert_eq!(container.cgroup("memory/memory.soft_limit_in_bytes", "memory.low"), (32 << 20).to_string());
}

#[test]
#[ignore = "needs root"]
fn swappiness_and_the_oom_killer_are_the_configs() {
    let memory = json!({"memory": {"swappiness": 17, "disableOOMKiller": true}});
    if !std::path::Path::new("/sys/fs/cgroup/memory").is_dir() {
        // Version 2 has neither: refused by name, before anything is made.
        refused(|config| config.set("/linux/resources", memory)).says("linux.resources.memory.swappiness");
        return;
    }
    let container = with(memory);
    assert_eq!(container.cgroup("memory/memory.swappiness", "memory.swappiness"), "17");
    assert!(container.cgroup("memory/memory.oom_control", "memory.oom.group").starts_with("oom_kill_disable 1"));
}

#[test]
#[ignore = "needs root"]
fn an_impossible_swappiness_is_refused() {
    refused(|config| config.set("/linux/resources", json!({"memory": {"swappiness": 101}})));
}

#[test]
#[ignore = "needs root"]
fn a_program_above_the_memory_limit_is_killed() {
    let container = Container::new(|config| {
        config.set("/linux/resources", json!({"memory": {"limit": 32 << 20, "swap": 32 << 20}}));
        config.script("dd if=/dev/zero of=/dev/null bs=100M count=1 2>/dev/null; echo $?")
    });
    assert_eq!(container.run().ok().text(), "137");
}

#[test]
#[ignore = "needs root"]
fn the_cpu_share_and_quota_are_the_configs() {
    let container = with(json!({"cpu": {"shares": 512, "quota": 50_000, "period": 200_000}}));
    let quota = container.cgroup("cpu/cpu.cfs_quota_us", "cpu.max");
    assert!(["50000", "50000 200000"].contains(&quota.as_str()), "{quota}");
    let period = container.cgroup("cpu/cpu.cfs_period_us", "cpu.max");
    assert!(period.ends_with("200000"), "{period}");
    // By the curve that keeps the default, 1024 as 100 (runc 1.3.2, crun 1.23).
    assert!(["512", "59"].contains(&container.cgroup("cpu/cpu.shares", "cpu.weight").as_str()));
}

#[test]
#[ignore = "needs root"]
fn the_cpu_burst_and_idle_are_the_configs() {
    let container = with(json!({"cpu": {"quota": 50_000, "period": 100_000, "burst": 10_000}}));
    assert_eq!(container.cgroup("cpu/cpu.cfs_burst_us", "cpu.max.burst"), "10000");
    let idle = container.beside(|config| config.stays().set("/linux/resources", json!({"cpu": {"idle": 1}})));
    idle.create().ok();
    assert_eq!(idle.cgroup("cpu/cpu.idle", "cpu.idle"), "1");
}

#[test]
#[ignore = "needs root"]
fn the_cpus_and_memory_nodes_are_the_configs() {
    let container = with(json!({"cpu": {"cpus": "0", "mems": "0"}}));
    assert_eq!(container.cgroup("cpuset/cpuset.cpus", "cpuset.cpus"), "0");
    assert_eq!(container.cgroup("cpuset/cpuset.mems", "cpuset.mems"), "0");
    assert!(container.proc("status").contains("Cpus_allowed_list:\t0\n"));
}

#[test]
#[ignore = "needs root"]
fn cpus_that_the_host_has_not_are_refused() {
    refused(|config| config.set("/linux/resources", json!({"cpu": {"cpus": "900-901"}})));
}

#[test]
#[ignore = "needs root"]
fn the_pids_limit_is_the_configs_and_minus_one_is_none() {
    assert_eq!(with(json!({"pids": {"limit": 42}})).cgroup("pids/pids.max", "pids.max"), "42");
    assert_eq!(with(json!({"pids": {"limit": -1}})).cgroup("pids/pids.max", "pids.max"), "max");
}

#[test]
#[ignore = "needs root"]
fn the_block_io_limits_are_the_configs() {
    let device = fs::read_dir("/sys/block").unwrap().flatten().next().expect("the host has a block device").path();
    let numbers = fs::read_to_string(device.join("dev")).unwrap();
    let (major, minor) = numbers.trim().split_once(':').unwrap();
    let rate = |rate: u64| json!([{"major": major.parse::<u64>().unwrap(), "minor": minor.parse::<u64>().unwrap(), "rate": rate}]);
    let container = with(json!({"blockIO": {
        "throttleReadBpsDevice": rate(1 << 20), "throttleWriteBpsDevice": rate(2 << 20),
        "throttleReadIOPSDevice": rate(300), "throttleWriteIOPSDevice": rate(400),
    }}));
    for (file, value, key) in [
        ("read_bps", 1 << 20, "rbps"),
        ("write_bps", 2 << 20, "wbps"),
        ("read_iops", 300, "riops"),
        ("write_iops", 400, "wiops"),
    ] {
        let text = container.cgroup(&format!("blkio/blkio.throttle.{file}_device"), "io.max");
        assert!(
            text == format!("{major}:{minor} {value}") || text.contains(&format!("{key}={value}")),
            "{file}: {text}"
        );
    }
}

#[test]
#[ignore = "needs root"]
fn device_rules_apply_in_the_listed_order() {
    // /dev/kmsg is everywhere, but no container's by default; reading it needs CAP_SYSLOG on some hosts.
    let rule =
        |allow: bool, access: &str| json!({"allow": allow, "type": "c", "major": 1, "minor": 11, "access": access});
    let access = |rules: Value| {
        inside(|config| {
            config.grant("CAP_SYSLOG").set("/linux/resources", json!({"devices": rules}));
            config.push("/linux/devices", json!({"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11}));
            config.script(
                "for way in '<' '>>'; do sh -c \": ${way}/dev/kmsg\" 2>/dev/null && printf \"$way\"; done; true",
            )
        })
    };
    let none = json!({"allow": false, "access": "rwm"});
    assert_eq!(access(json!([none, rule(true, "rw")])), "<>>");
    assert_eq!(access(json!([none, rule(true, "r")])), "<");
    assert_eq!(access(json!([none, rule(true, "rw"), rule(false, "w")])), "<");
    assert_eq!(access(json!([rule(true, "rw"), none])), "");
}

#[test]
#[ignore = "needs root"]
fn a_huge_page_size_that_the_host_has_not_is_refused() {
    refused(|config| config.set("/linux/resources", json!({"hugepageLimits": [{"pageSize": "3MB", "limit": 1}]})));
}

#[test]
#[ignore = "needs root"]
fn a_network_class_is_set_or_refused() {
    let container =
        Container::new(|config| config.stays().set("/linux/resources", json!({"network": {"classID": 0x10_0001}})));
    if container.create().succeeded() {
        let file = format!("/sys/fs/cgroup/net_cls/{}/net_cls.classid", container.id);
        assert_eq!(fs::read_to_string(file).expect("created, so it has a class").trim(), "1048577");
    }
}

#[test]
#[ignore = "needs root"]
fn an_rdma_device_that_the_host_has_not_is_refused() {
    refused(|config| config.set("/linux/resources", json!({"rdma": {"nosuch0": {"hcaHandles": 3}}})));
}

#[test]
#[ignore = "needs root"]
fn a_file_of_an_absent_controller_is_refused() {
    refused(|config| config.set("/linux/resources", json!({"unified": {"nosuch.max": "1"}})));
    refused(|config| config.set("/linux/resources", json!({"unified": {"../escape": "1"}})));
}

#[test]
#[ignore = "needs root"]
fn a_class_of_intel_rdt_that_is_not_there_is_refused() {
    refused(|config| config.set("/linux/intelRdt", json!({"closID": "nosuch-class"})));
}

#[test]
#[ignore = "needs root"]
fn a_container_without_device_rules_has_the_default_devices() {
    assert_eq!(inside(|config| config.script("head -c 2 /dev/zero | wc -c; echo >/dev/null && echo yes")), "2\nyes");
}
