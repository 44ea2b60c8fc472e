//! config-linux.md, "Seccomp" and "The Container Process State".

use serde_json::{Value, json};

use crate::harness::{Config, Container, Listener, inside, refused};

/// A filter that allows all but what `rules` say.
fn filter(rules: Value) -> Value {
    json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules})
}

/// Returns what `mkdir /made` and its exit code print, under a rule for it.
fn mkdir(rule: Value) -> String {
    let mut rule = rule;
    rule["names"] = json!(["mkdir", "mkdirat"]);
    inside(|config| config.script("mkdir /made 2>&1; echo $?").set("/linux/seccomp", filter(json!([rule]))))
}

#[test]
#[ignore = "needs root"]
fn an_error_is_eperm_or_the_given_number() {
    assert!(mkdir(json!({"action": "SCMP_ACT_ERRNO"})).contains("Operation not permitted"));
    assert!(mkdir(json!({"action": "SCMP_ACT_ERRNO", "errnoRet": 28})).contains("No space left on device"));
}

#[test]
#[ignore = "needs root"]
fn an_action_that_kills_is_sigsys() {
    for action in ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"] {
        let text = mkdir(json!({"action": action}));
        assert!(text.ends_with("159"), "{action}: {text}");
    }
}

#[test]
#[ignore = "needs root"]
fn an_action_that_allows_does() {
    for action in ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG"] {
        assert_eq!(mkdir(json!({"action": action})), "0", "{action}");
    }
}

#[test]
#[ignore = "needs root"]
fn an_action_for_a_tracer_is_enosys_without_one() {
    assert!(mkdir(json!({"action": "SCMP_ACT_TRACE", "errnoRet": 1})).contains("Function not implemented"));
}

#[test]
#[ignore = "needs root"]
fn the_default_action_has_a_default_error() {
    // What programs and runtimes need from here on; everything else is the default.
    const NEEDED: &str = "read write close fstat newfstatat stat lstat poll lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask \
        rt_sigreturn ioctl pread64 access pipe pipe2 dup dup2 dup3 getpid sendmsg recvmsg socket connect clone clone3 fork vfork execve \
        execveat exit exit_group wait4 kill tgkill uname fcntl getcwd chdir fchdir readlink readlinkat umask getuid getgid geteuid \
        getegid setuid setgid setgroups setresuid setresgid getppid setpgid getpgid setsid getgroups capget capset prctl arch_prctl \
        futex getdents64 set_tid_address set_robust_list rseq epoll_create1 epoll_ctl epoll_wait epoll_pwait openat open openat2 \
        getrandom prlimit64 sched_yield sched_getaffinity nanosleep clock_nanosleep clock_gettime statfs fstatfs faccessat faccessat2 \
        statx madvise sigaltstack gettid getrlimit setrlimit writev readv eventfd2 close_range time gettimeofday unlinkat";
    let names: Vec<_> = NEEDED.split_whitespace().collect();
    let text = inside(|config| {
        let seccomp = json!({
            "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 28,
            "syscalls": [{"names": names, "action": "SCMP_ACT_ALLOW"}],
        });
        config.script("mkdir /made 2>&1").set("/linux/seccomp", seccomp).script("mkdir /made 2>&1; true")
    });
    assert!(text.contains("No space left on device"), "{text}");
}

#[test]
#[ignore = "needs root"]
fn every_operator_compares_as_its_name_says() {
    // Of the signals 18 (CONT), 23 (URG) and 28 (WINCH), which a shell ignores: the second argument of kill(2).
    let denied = |op: &str, value: u64, value_two: u64| {
        let args = json!([{"index": 1, "value": value, "valueTwo": value_two, "op": op}]);
        inside(|config| {
            let rule = json!([{"names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": args}]);
            config
                .script("for s in 18 23 28; do kill -$s $$ 2>/dev/null || echo $s; done")
                .set("/linux/seccomp", filter(rule))
        })
        .replace('\n', " ")
    };
    assert_eq!(denied("SCMP_CMP_EQ", 23, 0), "23");
    assert_eq!(denied("SCMP_CMP_NE", 23, 0), "18 28");
    assert_eq!(denied("SCMP_CMP_LT", 23, 0), "18");
    assert_eq!(denied("SCMP_CMP_LE", 23, 0), "18 23");
    assert_eq!(denied("SCMP_CMP_GT", 23, 0), "28");
    assert_eq!(denied("SCMP_CMP_GE", 23, 0), "23 28");
    assert_eq!(denied("SCMP_CMP_MASKED_EQ", 1, 1), "23");
}

#[test]
#[ignore = "needs root"]
fn all_arguments_of_a_rule_must_match() {
    let text = inside(|config| {
        let args =
            json!([{"index": 1, "value": 20, "op": "SCMP_CMP_GT"}, {"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]);
        let rule = json!([{"names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": args}]);
        config.script("sleep 100 & for p in 1 $!; do for s in 18 23; do kill -$s $p 2>/dev/null || echo $p $s; done; done; kill -9 $!");
        config.set("/linux/seccomp", filter(rule))
    });
    assert_eq!(text, "1 23");
}

#[test]
#[ignore = "needs root"]
fn the_filter_is_in_place_with_and_without_new_privileges() {
    for no_new_privileges in [true, false] {
        let text = inside(|config| {
            config.set("/process/noNewPrivileges", json!(no_new_privileges)).set("/linux/seccomp", filter(json!([])));
            config.script("grep ^Seccomp: /proc/self/status")
        });
        assert_eq!(text, "Seccomp:\t2", "noNewPrivileges {no_new_privileges}");
    }
}

#[test]
#[ignore = "needs root"]
fn flags_and_architectures_are_known() {
    let text = inside(|config| {
        let mut seccomp = filter(json!([{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]));
        seccomp["flags"] = json!(["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]);
        seccomp["architectures"] =
            json!(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]);
        config.set("/linux/seccomp", seccomp).script("mkdir /made 2>/dev/null; echo $?")
    });
    assert_eq!(text, "1");
}

#[test]
#[ignore = "needs root"]
fn an_error_number_for_an_action_without_one_is_refused() {
    let rule = json!([{"names": ["mkdir"], "action": "SCMP_ACT_KILL", "errnoRet": 1}]);
    refused(|config| config.set("/linux/seccomp", filter(rule)));
    refused(|config| config.set("/linux/seccomp", json!({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1})));
}

#[test]
#[ignore = "needs root"]
fn what_does_not_exist_is_refused() {
    let rule = |key: &str, value: Value| {
        let mut rule = json!({"names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": 1, "op": "SCMP_CMP_EQ"}]});
        match key {
            "op" => rule["args"][0]["op"] = value,
            key => rule[key] = value,
        }
        filter(json!([rule]))
    };
    let with = |key: &str, value: Value| {
        let mut seccomp = filter(json!([]));
        seccomp[key] = value;
        seccomp
    };
    let bad = [
        rule("action", json!("SCMP_ACT_NOSUCH")),
        rule("op", json!("SCMP_CMP_NOSUCH")),
        rule("names", json!([])),
        with("defaultAction", json!("SCMP_ACT_NOSUCH")),
        with("defaultAction", Value::Null),
        with("architectures", json!(["SCMP_ARCH_NOSUCH"])),
        with("flags", json!(["SECCOMP_FILTER_FLAG_NOSUCH"])),
    ];
    for seccomp in bad {
        let shown = seccomp.to_string();
        let container = Container::new(|config| config.set("/linux/seccomp", seccomp));
        assert!(!container.create().succeeded(), "{shown}");
    }
}

fn notifying(config: &mut Config, path: Value) -> &mut Config {
    let mut seccomp = filter(json!([{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}]));
    seccomp["listenerPath"] = path;
    seccomp["listenerMetadata"] = json!("for the agent");
    config.set("/linux/seccomp", seccomp)
}

#[test]
#[ignore = "needs root"]
fn the_agent_gets_the_state_and_the_descriptor_once() {
    let container = Container::new(|config| {
        let path = json!(config.bundle().join("socket"));
        notifying(config, path).script("mkdir /made 2>/ran; echo >>/ran").set("/annotations", json!({"key": "value"}))
    });
    let agent = Listener::new(&container.bundle());
    container.create().ok();
    container.start().ok();
    let mut received = agent.receive();
    assert_eq!(received.rest(), "", "the connection is not used again");
    let state: Value =
        serde_json::from_str(&received.text).unwrap_or_else(|error| panic!("{error} in {}", received.text));
    assert_eq!(state["fds"], json!(["seccompFd"]));
    assert_eq!(state["metadata"], "for the agent");
    assert!(state["ociVersion"].is_string(), "{state}");
    assert!(state["pid"].as_i64().is_some_and(|pid| pid > 0), "{state}");
    assert_eq!(state["state"]["id"], container.id.as_str());
    assert_eq!(state["state"]["bundle"], container.bundle().to_str().unwrap());
    assert_eq!(state["state"]["annotations"]["key"], "value");
    assert!(!agent.has_another());

    let descriptor = received.descriptor();
    let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&descriptor));
    assert_eq!(std::fs::read_link(link).unwrap().to_str(), Some("anon_inode:seccomp notify"));
    // Without an agent, such a call is not implemented (seccomp_unotify(2)).
    drop(descriptor);
    assert!(container.wrote("ran").contains("Function not implemented"));
}

#[test]
#[ignore = "needs root"]
fn an_agent_that_is_not_there_is_an_error() {
    let container = Container::new(|config| notifying(config, json!("/nowhere/agent")));
    container.run().fails();
    refused(|config| notifying(config, Value::Null).remove("/linux/seccomp/listenerMetadata"));
}

#[test]
#[ignore = "needs root"]
fn metadata_without_an_agent_is_refused() {
    let mut seccomp = filter(json!([]));
    seccomp["listenerMetadata"] = json!("for nobody");
    refused(|config| config.set("/linux/seccomp", seccomp));
}

#[test]
#[ignore = "needs root"]
fn an_agent_that_no_rule_notifies_is_ignored() {
    let mut seccomp = filter(json!([]));
    seccomp["listenerPath"] = json!("/nowhere/agent");
    assert_eq!(inside(|config| config.script("echo ran").set("/linux/seccomp", seccomp)), "ran");
}
