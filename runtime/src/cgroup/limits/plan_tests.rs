use oci_spec::runtime::LinuxResources;
use proptest::prelude::*;

use super::*;

fn facts(v1: &[&str], v2: bool) -> Facts {
    let v1 = v1.iter().map(|controller| (*controller).to_owned()).collect();
    Facts { v1, v2, counts_swap: true, quota: "max".to_owned() }
}

const CONTROLLERS: [&str; 9] = ["memory", "cpu", "cpuset", "pids", "blkio", "hugetlb", "rdma", "net_cls", "net_prio"];

fn legacy() -> Facts {
    facts(&CONTROLLERS, false)
}

fn unified() -> Facts {
    facts(&[], true)
}

fn resources(json: &str) -> LinuxResources {
    serde_json::from_str(json).unwrap()
}

/// A plan as lines: `key: file = value`, a step a line.
fn planned(json: &str, facts: &Facts) -> Vec<String> {
    let write = |write: &crate::cgroup::limits::step::Write| {
        format!("{}: {} = {}", write.key.trim_start_matches("linux.resources."), write.file, write.value)
    };
    let all = |writes: &[crate::cgroup::limits::step::Write], between: &str| {
        writes.iter().map(write).collect::<Vec<_>>().join(between)
    };
    let step = |step: &Step| match step {
        Step::Write(one) => write(one),
        Step::Optional(one) => format!("{}?", write(one)),
        Step::InSomeOrder(writes) => all(writes, " & "),
        Step::FirstOf(writes) => all(writes, " | "),
        Step::NotBelow { usage, write: one } => format!("{} >= {usage}", write(one)),
    };
    plan(&resources(json), facts).unwrap().steps.iter().map(step).collect()
}

fn refusal(json: &str, facts: &Facts) -> String {
    plan(&resources(json), facts).unwrap_err().to_string()
}

const EVERYTHING: &str = r#"{
    "memory": {"limit": 100, "reservation": 50, "swap": 150, "kernel": -1, "kernelTCP": -1},
    "cpu": {"shares": 1024, "quota": 50000, "period": 100000, "burst": 1000, "cpus": "0-1", "mems": "0", "idle": 0},
    "pids": {"limit": 7},
    "blockIO": {
        "weight": 500,
        "weightDevice": [{"major": 8, "minor": 0, "weight": 10}],
        "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 600}],
        "throttleWriteIOPSDevice": [{"major": 8, "minor": 16, "rate": 0}]
    },
    "hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}],
    "rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}}
}"#;

#[test]
fn version_1_gets_each_limit_by_its_key() {
    let expected = [
        "memory.limit: memory.limit_in_bytes = 100 & memory.swap: memory.memsw.limit_in_bytes = 150",
        "memory.reservation: memory.soft_limit_in_bytes = 50",
        "memory.kernel: memory.kmem.limit_in_bytes = -1",
        "memory.kernelTCP: memory.kmem.tcp.limit_in_bytes = -1",
        "cpu.idle: cpu.idle = 0",
        "cpu.shares: cpu.shares = 1024",
        "cpu.period: cpu.cfs_period_us = 100000 & cpu.quota: cpu.cfs_quota_us = 50000 & \
         cpu.burst: cpu.cfs_burst_us = 1000",
        "cpu.cpus: cpuset.cpus = 0-1",
        "cpu.mems: cpuset.mems = 0",
        "pids.limit: pids.max = 7",
        "blockIO.weight: blkio.weight = 500 | blockIO.weight: blkio.bfq.weight = 500",
        "blockIO.weightDevice[0].weight: blkio.weight_device = 8:0 10 | \
         blockIO.weightDevice[0].weight: blkio.bfq.weight_device = 8:0 10",
        "blockIO.throttleReadBpsDevice[0].rate: blkio.throttle.read_bps_device = 8:0 600",
        "blockIO.throttleWriteIOPSDevice[0].rate: blkio.throttle.write_iops_device = 8:16 0",
        "hugepageLimits[0].limit: hugetlb.2MB.limit_in_bytes = 4194304",
        "hugepageLimits[0].limit: hugetlb.2MB.rsvd.limit_in_bytes = 4194304?",
        "rdma.mlx5_1: rdma.max = mlx5_1 hca_handle=3 hca_object=10000",
    ];
    assert_eq!(planned(EVERYTHING, &legacy()), expected);
}

#[test]
fn version_2_gets_each_limit_by_its_key() {
    let expected = [
        "memory.swap: memory.swap.max = 50",
        "memory.limit: memory.max = 100",
        "memory.reservation: memory.low = 50",
        "cpu.idle: cpu.idle = 0",
        "cpu.shares: cpu.weight = 100",
        "cpu.quota: cpu.max = 50000 100000 & cpu.burst: cpu.max.burst = 1000",
        "cpu.cpus: cpuset.cpus = 0-1",
        "cpu.mems: cpuset.mems = 0",
        "pids.limit: pids.max = 7",
        "blockIO.weight: io.bfq.weight = default 500 | blockIO.weight: io.weight = default 4950",
        "blockIO.weightDevice[0].weight: io.bfq.weight = 8:0 10 | \
         blockIO.weightDevice[0].weight: io.weight = 8:0 1",
        "blockIO.throttleReadBpsDevice[0].rate: io.max = 8:0 rbps=600",
        "blockIO.throttleWriteIOPSDevice[0].rate: io.max = 8:16 wiops=max",
        "hugepageLimits[0].limit: hugetlb.2MB.max = 4194304",
        "hugepageLimits[0].limit: hugetlb.2MB.rsvd.max = 4194304?",
        "rdma.mlx5_1: rdma.max = mlx5_1 hca_handle=3 hca_object=10000",
    ];
    assert_eq!(planned(EVERYTHING, &unified()), expected);
}

#[test]
fn no_limit_is_written_as_each_version_has_it() {
    let json = r#"{"memory":{"limit":-1},"cpu":{"quota":-1},"pids":{"limit":-1}}"#;
    let v1 = [
        "memory.limit: memory.memsw.limit_in_bytes = -1?",
        "memory.limit: memory.limit_in_bytes = -1",
        "cpu.quota: cpu.cfs_quota_us = -1",
        "pids.limit: pids.max = max",
    ];
    assert_eq!(planned(json, &legacy()), v1);
    let v2 = [
        "memory.swap: memory.swap.max = max",
        "memory.limit: memory.max = max",
        "cpu.quota: cpu.max = max",
        "pids.limit: pids.max = max",
    ];
    assert_eq!(planned(json, &unified()), v2);
}

#[test]
fn no_tasks_at_all_still_leave_room_for_the_first() {
    assert_eq!(planned(r#"{"pids":{"limit":0}}"#, &legacy()), ["pids.limit: pids.max = 0"]);
    assert_eq!(planned(r#"{"pids":{"limit":0}}"#, &unified()), ["pids.limit: pids.max = 1"]);
}

#[test]
fn a_period_alone_keeps_the_quota_that_stands() {
    let facts = Facts { quota: "20000".to_owned(), ..unified() };
    assert_eq!(planned(r#"{"cpu":{"period":50000}}"#, &facts), ["cpu.period: cpu.max = 20000 50000"]);
}

#[test]
fn an_idle_group_gets_no_shares() {
    assert_eq!(planned(r#"{"cpu":{"shares":500,"idle":1}}"#, &unified()), ["cpu.idle: cpu.idle = 1"]);
}

#[test]
fn swap_that_is_not_counted_is_a_warning() {
    for facts in [legacy(), unified()] {
        let facts = Facts { counts_swap: false, ..facts };
        let plan = plan(&resources(r#"{"memory":{"limit":100,"swap":200}}"#), &facts).unwrap();
        assert_eq!((plan.steps.len(), plan.warnings.len()), (1, 1));
    }
}

#[test]
fn a_limit_can_be_checked_against_what_is_used() {
    let json = r#"{"memory":{"limit":100,"checkBeforeUpdate":true}}"#;
    assert_eq!(planned(json, &unified()), ["memory.limit: memory.max = 100 >= memory.current"]);
}

#[test]
fn networks_are_classified_on_version_1() {
    let json = r#"{"network":{"classID":1048577,"priorities":[{"name":"eth0","priority":500}]}}"#;
    let expected =
        ["network.classID: net_cls.classid = 1048577", "network.priorities[0]: net_prio.ifpriomap = eth0 500"];
    assert_eq!(planned(json, &legacy()), expected);
}

#[test]
fn files_of_version_2_are_written_as_they_are_and_several_rules_one_by_one() {
    let json = r#"{"unified":{"memory.oom.group":"1","io.max":"8:0 rbps=1\n8:16 wiops=2","x.y":""}}"#;
    let expected = [
        "unified.io.max: io.max = 8:0 rbps=1",
        "unified.io.max: io.max = 8:16 wiops=2",
        "unified.memory.oom.group: memory.oom.group = 1",
        "unified.x.y: x.y = ",
    ];
    assert_eq!(planned(json, &unified()), expected);
}

#[test]
fn a_hybrid_host_keeps_each_limit_where_its_controller_is() {
    let json = r#"{"pids":{"limit":7},"hugepageLimits":[{"pageSize":"1GB","limit":1}]}"#;
    let expected = [
        "pids.limit: pids.max = 7",
        "hugepageLimits[0].limit: hugetlb.1GB.max = 1",
        "hugepageLimits[0].limit: hugetlb.1GB.rsvd.max = 1?",
    ];
    assert_eq!(planned(json, &facts(&["memory", "pids"], true)), expected);
}

#[test]
fn what_a_version_lacks_is_refused_by_its_key() {
    for (json, key) in [
        (r#"{"memory":{"kernel":1}}"#, "memory.kernel"),
        (r#"{"memory":{"kernelTCP":1}}"#, "memory.kernelTCP"),
        (r#"{"memory":{"swappiness":60}}"#, "memory.swappiness"),
        (r#"{"memory":{"disableOOMKiller":true}}"#, "memory.disableOOMKiller"),
        (r#"{"memory":{"useHierarchy":false}}"#, "memory.useHierarchy"),
        (r#"{"memory":{"swap":1}}"#, "memory.swap"),
        (r#"{"cpu":{"realtimeRuntime":1}}"#, "cpu.realtimeRuntime"),
        (r#"{"cpu":{"realtimePeriod":1}}"#, "cpu.realtimePeriod"),
        (r#"{"blockIO":{"leafWeight":10}}"#, "blockIO.leafWeight"),
        (r#"{"network":{"classID":1}}"#, "network.classID"),
        (r#"{"network":{"priorities":[{"name":"a","priority":1}]}}"#, "network.priorities"),
    ] {
        let said = refusal(json, &unified());
        assert!(said.starts_with(&format!("limit `linux.resources.{key}`: ")), "{said}");
    }
    let said = refusal(r#"{"unified":{"memory.oom.group":"1"}}"#, &legacy());
    assert_eq!(said, "limit `linux.resources.unified.memory.oom.group`: this host has cgroup version 1 only");
}

#[test]
fn values_that_are_none_are_refused_by_their_key() {
    for (json, key) in [
        (r#"{"memory":{"limit":-2}}"#, "memory.limit"),
        (r#"{"memory":{"limit":100,"swap":50}}"#, "memory.swap"),
        (r#"{"memory":{"swappiness":101}}"#, "memory.swappiness"),
        (r#"{"cpu":{"shares":1}}"#, "cpu.shares"),
        (r#"{"cpu":{"quota":100,"burst":101}}"#, "cpu.burst"),
        (r#"{"cpu":{"cpus":"0\n1"}}"#, "cpu.cpus"),
        (r#"{"pids":{"limit":-2}}"#, "pids.limit"),
        (r#"{"blockIO":{"weight":1001}}"#, "blockIO.weight"),
        (r#"{"hugepageLimits":[{"pageSize":"../2MB","limit":1}]}"#, "hugepageLimits[0].pageSize"),
        (r#"{"rdma":{"mlx5":{}}}"#, "rdma.mlx5"),
        (r#"{"rdma":{"a b":{"hcaHandles":1}}}"#, "rdma.a b"),
        (r#"{"network":{"priorities":[{"name":"a b","priority":1}]}}"#, "network.priorities[0]"),
    ] {
        let said = refusal(json, &legacy());
        assert!(said.starts_with(&format!("limit `linux.resources.{key}`: ")), "{said}");
    }
    let said = refusal(r#"{"unified":{"../memory.max":"1"}}"#, &unified());
    assert_eq!(said, "limit `linux.resources.unified.../memory.max`: it is no name of a file");
}

#[test]
fn a_host_without_the_controller_refuses_by_key() {
    let none = facts(&[], false);
    for (json, said) in [
        (r#"{"memory":{"limit":1}}"#, "limit `linux.resources.memory`: this host has no controller `memory`"),
        (r#"{"cpu":{"shares":2}}"#, "limit `linux.resources.cpu.shares`: this host has no controller `cpu`"),
        (r#"{"cpu":{"cpus":"0"}}"#, "limit `linux.resources.cpu.cpus`: this host has no controller `cpuset`"),
        (r#"{"pids":{"limit":1}}"#, "limit `linux.resources.pids.limit`: this host has no controller `pids`"),
        (
            r#"{"network":{"classID":1}}"#,
            "limit `linux.resources.network.classID`: this host has no controller `net_cls`",
        ),
    ] {
        assert_eq!(refusal(json, &none), said);
    }
    assert_eq!(plan(&resources(r#"{"memory":{},"cpu":{}}"#), &none).unwrap(), Plan::default());
}

proptest! {
    #[test]
    fn whatever_is_planned_stays_in_the_cgroup_and_on_one_line(
        file in "[a-z./\n]{0,10}",
        value in "[0-9a-z:= \n]{0,12}",
        size in "[0-9./KMGB]{0,6}",
        name in "[a-z /\n]{0,6}",
        limit in any::<i64>(),
    ) {
        let json = serde_json::json!({
            "memory": {"limit": limit},
            "pids": {"limit": limit},
            "hugepageLimits": [{"pageSize": size, "limit": limit}],
            "rdma": {name: {"hcaHandles": 1}},
            "unified": {file: value},
        });
        // One at a time: a refusal of one must not hide another.
        for (key, part) in json.as_object().unwrap() {
            let part = serde_json::from_value(serde_json::json!({key: part})).unwrap();
            for facts in [legacy(), unified()] {
                let Ok(plan) = plan(&part, &facts) else { continue };
                for step in &plan.steps {
                    let write = step.first();
                    prop_assert!(!write.file.contains('/') && write.file != "..", "{write:?}");
                    prop_assert!(!write.value.trim_end().contains('\n'), "{write:?}");
                    prop_assert!(write.key.starts_with("linux.resources."), "{write:?}");
                }
            }
        }
    }
}
