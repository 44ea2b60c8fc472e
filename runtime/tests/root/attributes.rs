//! What the kernel keeps about a process: scheduling, processors, memory nodes, personality, labels.

use serde_json::json;

use crate::support::Bundle;

/// Field `number` of `/proc/self/stat` (proc_pid_stat(5)): what `awk` would say, with the shell alone.
fn stat_field(number: usize) -> String {
    format!("set -- $(cat /proc/self/stat); shift {}; echo $1", number - 1)
}

#[test]
#[ignore = "needs root"]
fn the_scheduler_is_the_one_asked_for() {
    // Field 41 is the policy, 19 the nice value; 3 is SCHED_BATCH.
    let script = format!("{}; {}", stat_field(41), stat_field(19));
    let scheduler = json!({"policy": "SCHED_BATCH", "nice": 7});
    let bundle = Bundle::new(&["sh", "-c", &script]).with("/process/scheduler", scheduler.clone());
    assert_eq!(bundle.run().stdout, "3\n7\n");
    let ended = Bundle::new(&["sleep", "20"]).exec(&["sh", "-c", &script], |process| process["scheduler"] = scheduler);
    assert_eq!(ended.stdout, "3\n7\n", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_scheduler_the_kernel_refuses_is_named() {
    let deadline =
        json!({"policy": "SCHED_DEADLINE", "runtime": 9_000_000, "deadline": 1_000_000, "period": 1_000_000});
    let ended = Bundle::new(&["true"]).with("/process/scheduler", deadline).run();
    assert_eq!(ended.code, 125, "{ended:?}");
    assert!(ended.stderr.contains("`process.scheduler`"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn the_io_priority_is_the_one_asked_for() {
    let priority = json!({"class": "IOPRIO_CLASS_IDLE", "priority": 0});
    let ended = Bundle::new(&["ionice", "-p", "1"]).with("/process/ioPriority", priority).run();
    assert_eq!(ended.stdout.trim(), "idle", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_second_process_runs_on_the_processors_it_is_given() {
    let script = "grep Cpus_allowed_list /proc/self/status";
    let exec = |affinity: serde_json::Value| {
        Bundle::new(&["sleep", "20"]).exec(&["sh", "-c", script], |process| process["execCPUAffinity"] = affinity)
    };
    let ended = exec(json!({"initial": "1", "final": "0"}));
    assert_eq!(ended.stdout, "Cpus_allowed_list:\t0\n", "{ended:?}");
    let ended = exec(json!({"initial": "4000"}));
    assert_eq!(ended.code, 125, "{ended:?}");
    assert!(ended.stderr.contains("execCPUAffinity.initial"), "{ended:?}");
    let ended = exec(json!({"final": "4000"}));
    assert!(ended.stderr.contains("execCPUAffinity.final"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_32_bit_personality_shows_in_the_name_of_the_machine() {
    let bundle = Bundle::new(&["uname", "-m"]).with("/linux/personality", json!({"domain": "LINUX32"}));
    assert_eq!(bundle.run().stdout, "i686\n");
    let ended = Bundle::new(&["true"])
        .with("/linux/personality", json!({"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]}))
        .run();
    assert!(ended.code == 125 && ended.stderr.contains("ADDR_NO_RANDOMIZE"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn memory_comes_from_the_nodes_asked_for() {
    let policy = json!({"mode": "MPOL_BIND", "nodes": "0"});
    let ended = Bundle::new(&["head", "-n", "1", "/proc/self/numa_maps"]).with("/linux/memoryPolicy", policy).run();
    assert!(ended.stdout.contains(" bind:0 "), "{ended:?}");
    let ended = Bundle::new(&["true"]).with("/linux/memoryPolicy", json!({"mode": "MPOL_BIND", "nodes": "900"})).run();
    assert!(ended.code == 125 && ended.stderr.contains("`linux.memoryPolicy`"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_label_nobody_enforces_is_refused() {
    for (pointer, label, module) in [
        ("/process/apparmorProfile", "docker-default", "/sys/module/apparmor"),
        ("/process/selinuxLabel", "system_u:system_r:container_t:s0", "/sys/fs/selinux/enforce"),
        ("/linux/mountLabel", "system_u:object_r:container_file_t:s0", "/sys/fs/selinux/enforce"),
    ] {
        if std::path::Path::new(module).exists() {
            continue;
        }
        let ended = Bundle::new(&["true"]).with(pointer, json!(label)).run();
        assert_eq!(ended.code, 125, "{ended:?}");
        let field = pointer[1..].replace('/', ".");
        assert!(ended.stderr.contains(&field) && ended.stderr.contains("is not enabled"), "{ended:?}");
    }
}
