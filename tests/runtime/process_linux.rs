//! config.md, "POSIX process" and "Linux Process": limits, privileges, scheduling, labels.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Container, inside, refused};

fn limit(kind: &str, soft: u64, hard: u64) -> Value {
    json!({"type": kind, "soft": soft, "hard": hard})
}

#[test]
#[ignore = "needs root"]
fn rlimits_have_both_values() {
    let text = inside(|config| {
        config.script("grep -E 'open files|core file|cpu time' /proc/self/limits | awk '{print $(NF-2), $(NF-1)}'").set(
            "/process/rlimits",
            json!([limit("RLIMIT_NOFILE", 123, 456), limit("RLIMIT_CORE", 0, 4096), limit("RLIMIT_CPU", 1000, 2000)]),
        )
    });
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["0 4096", "1000 2000", "123 456"]);
}

#[test]
#[ignore = "needs root"]
fn an_rlimit_that_does_not_exist_is_refused() {
    refused(|config| config.set("/process/rlimits", json!([limit("RLIMIT_NOSUCH", 1, 1)])));
}

#[test]
#[ignore = "needs root"]
fn an_rlimit_given_twice_is_refused() {
    let twice = json!([limit("RLIMIT_NOFILE", 100, 100), limit("RLIMIT_NOFILE", 200, 200)]);
    refused(|config| config.set("/process/rlimits", twice));
}

#[test]
#[ignore = "needs root"]
fn a_soft_limit_above_the_hard_one_is_refused() {
    refused(|config| config.set("/process/rlimits", json!([limit("RLIMIT_NOFILE", 200, 100)])));
}

#[test]
#[ignore = "needs root"]
fn no_new_privileges_is_set_when_asked_for_and_only_then() {
    let bit = |value: bool| {
        inside(|config| {
            config.script("grep NoNewPrivs /proc/self/status").set("/process/noNewPrivileges", json!(value))
        })
    };
    assert_eq!(bit(true), "NoNewPrivs:\t1");
    assert_eq!(bit(false), "NoNewPrivs:\t0");
}

#[test]
#[ignore = "needs root"]
fn the_oom_score_adjustment_is_the_given_one_or_the_callers() {
    let container = Container::new(|config| config.stays().set("/process/oomScoreAdj", json!(321))).up();
    assert_eq!(container.proc("oom_score_adj").trim(), "321");
    let inherits = container.beside(|config| config.stays()).up();
    assert_eq!(inherits.proc("oom_score_adj"), fs::read_to_string("/proc/self/oom_score_adj").unwrap());
}

/// Reads field `number` of proc_pid_stat(5), counted from 1; names of programs here have no spaces.
fn stat(container: &Container, number: usize) -> String {
    container.proc("stat").split(' ').nth(number - 1).expect("stat has 52 fields").to_owned()
}

#[test]
#[ignore = "needs root"]
fn the_scheduler_has_the_policy_and_the_nice_value() {
    // Fields 19 and 41 are the nice value and the policy; SCHED_BATCH is 3, SCHED_IDLE 5 (sched(7)).
    let batch =
        Container::new(|config| config.stays().set("/process/scheduler", json!({"policy": "SCHED_BATCH", "nice": 7})));
    let batch = batch.up();
    assert_eq!((stat(&batch, 19).as_str(), stat(&batch, 41).as_str()), ("7", "3"));
    let idle = batch.beside(|config| config.stays().set("/process/scheduler", json!({"policy": "SCHED_IDLE"}))).up();
    assert_eq!(stat(&idle, 41), "5");
}

#[test]
#[ignore = "needs root"]
fn a_scheduler_that_does_not_exist_is_refused() {
    refused(|config| config.set("/process/scheduler", json!({"policy": "SCHED_NOSUCH"})));
    refused(|config| {
        config.set("/process/scheduler", json!({"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_NOSUCH"]}))
    });
}

#[test]
#[ignore = "needs root"]
fn the_io_priority_has_class_and_level() {
    let text = inside(|config| {
        config.script("ionice").set("/process/ioPriority", json!({"class": "IOPRIO_CLASS_BE", "priority": 6}))
    });
    assert_eq!(text, "best-effort: prio 6");
}

#[test]
#[ignore = "needs root"]
fn an_io_priority_that_does_not_exist_is_refused() {
    refused(|config| config.set("/process/ioPriority", json!({"class": "IOPRIO_CLASS_NOSUCH", "priority": 1})));
}

#[test]
#[ignore = "needs root"]
fn an_exec_runs_on_the_cpus_of_the_affinity() {
    let container =
        Container::new(|config| config.stays().set("/process/execCPUAffinity", json!({"initial": "0", "final": "0"})));
    let container = container.up();
    let text = container.call("exec", [&container.id, "grep", "Cpus_allowed_list", "/proc/self/status"]).ok().text();
    assert_eq!(text, "Cpus_allowed_list:\t0");
}

#[test]
#[ignore = "needs root"]
fn an_apparmor_profile_that_is_not_loaded_is_refused() {
    refused(|config| config.set("/process/apparmorProfile", json!("nosuch-profile")));
}

#[test]
#[ignore = "needs root"]
fn an_selinux_label_that_cannot_be_set_is_refused() {
    refused(|config| config.set("/process/selinuxLabel", json!("nosuch_u:nosuch_r:nosuch_t:s0")));
}
