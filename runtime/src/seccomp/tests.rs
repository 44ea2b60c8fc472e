//! The default profile, run call by call through the interpreter.

use std::collections::HashSet;

use oci_spec::runtime::Capability;

use super::bpf::simulate::{Call, run};
use super::*;
use crate::defaults;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

fn default_filter(extra: &[Capability]) -> Filter {
    let capabilities: HashSet<_> = defaults::capabilities().into_iter().chain(extra.iter().copied()).collect();
    compile(&defaults::seccomp(&capabilities)).unwrap()
}

fn answer(filter: &Filter, abi: Abi, name: &str, first: u64) -> u32 {
    let number = abi.number(name).unwrap_or_else(|| panic!("{name} in {abi:?}"));
    run(&filter.program, &Call { arch: abi.audit_arch(), number, arguments: [first, 0, 0, 0, 0, 0] }).0
}

#[test]
fn everyday_calls_pass_and_dangerous_ones_do_not() {
    let filter = default_filter(&[]);
    for name in ["read", "openat", "execve", "futex", "chroot", "ptrace", "close_range", "statx"] {
        assert_eq!(answer(&filter, Abi::NATIVE, name, 0), ALLOW, "{name}");
    }
    for name in
        ["mount", "bpf", "keyctl", "add_key", "request_key", "userfaultfd", "io_uring_setup", "unshare", "reboot"]
    {
        assert_eq!(answer(&filter, Abi::NATIVE, name, 0), EPERM, "{name}");
    }
}

#[test]
fn a_new_namespace_is_refused_and_clone3_unknown() {
    let filter = default_filter(&[]);
    let (threads, user) = (0x003d_0f00, libc::CLONE_NEWUSER as u64 | 17);
    assert_eq!(answer(&filter, Abi::NATIVE, "clone", threads), ALLOW);
    assert_eq!(answer(&filter, Abi::NATIVE, "clone", user), EPERM);
    assert_eq!(answer(&filter, Abi::NATIVE, "clone3", 0), ENOSYS);
}

#[test]
fn a_capability_opens_its_calls() {
    let filter = default_filter(&[Capability::SysAdmin]);
    for name in ["mount", "unshare", "clone3", "bpf"] {
        assert_eq!(answer(&filter, Abi::NATIVE, name, 0), ALLOW, "{name}");
    }
    assert_eq!(answer(&filter, Abi::NATIVE, "clone", libc::CLONE_NEWUSER as u64), ALLOW);
    assert_eq!(answer(&filter, Abi::NATIVE, "reboot", 0), EPERM);
    assert_eq!(answer(&default_filter(&[Capability::Bpf]), Abi::NATIVE, "bpf", 0), ALLOW);
    assert_eq!(answer(&default_filter(&[Capability::Perfmon]), Abi::NATIVE, "perf_event_open", 0), ALLOW);
}

#[test]
fn arguments_decide_about_socket_and_personality() {
    let filter = default_filter(&[]);
    for family in [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK, libc::AF_PACKET, 44] {
        assert_eq!(answer(&filter, Abi::NATIVE, "socket", family as u64), ALLOW, "family {family}");
    }
    for family in [12, libc::AF_VSOCK, libc::AF_ALG, 46] {
        assert_eq!(answer(&filter, Abi::NATIVE, "socket", family as u64), EPERM, "family {family}");
    }
    for (personality, expected) in [(0, ALLOW), (8, ALLOW), (0xffff_ffff, ALLOW), (1, EPERM), (u64::MAX, EPERM)] {
        assert_eq!(answer(&filter, Abi::NATIVE, "personality", personality), expected, "{personality:#x}");
    }
}

#[test]
fn calls_newer_than_the_profile_do_not_exist() {
    let filter = default_filter(&[]);
    for number in [350, 480, 10_000, 0x3fff_ffff, u32::MAX] {
        let call = Call { arch: Abi::NATIVE.audit_arch(), number, ..Call::default() };
        assert_eq!(run(&filter.program, &call).0, ENOSYS, "number {number}");
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn every_door_into_the_kernel_has_the_same_lock() {
    let filter = default_filter(&[]);
    for abi in [Abi::X86_64, Abi::X32, Abi::I386] {
        assert_eq!(answer(&filter, abi, "read", 0), ALLOW, "{abi:?}");
        assert_eq!(answer(&filter, abi, "mount", 0), EPERM, "{abi:?}");
        assert_eq!(answer(&filter, abi, "keyctl", 0), EPERM, "{abi:?}");
        assert_eq!(answer(&filter, abi, "socket", libc::AF_VSOCK as u64), EPERM, "{abi:?}");
    }
    let foreign = Call { arch: Abi::Aarch64.audit_arch(), ..Call::default() };
    assert_eq!(run(&filter.program, &foreign).0, libc::SECCOMP_RET_KILL_PROCESS);
}

#[test]
fn few_instructions_run_for_one_call() {
    let filter = default_filter(&[]);
    let longest = Abi::NATIVE
        .numbers()
        .map(|number| run(&filter.program, &Call { arch: Abi::NATIVE.audit_arch(), number, ..Call::default() }).1)
        .max();
    // Three to get there, nine levels (each perhaps with a long jump), six for a condition.
    assert!(longest.is_some_and(|steps| steps <= 30), "{longest:?} of {}", filter.program.len());
}

/// The tree and the plain list of ranges agree on every number around every border.
#[test]
fn the_tree_finds_what_the_list_says() {
    let profile = defaults::seccomp(&HashSet::from([Capability::SysTime, Capability::SysNice]));
    let filter = compile(&profile).unwrap();
    for group in interfaces(&profile) {
        let ranges = policy::ranges(&profile, &group).unwrap();
        for (position, range) in ranges.iter().enumerate() {
            let mut alone = Vec::new();
            range.verdict.emit(&mut alone);
            let last = ranges.get(position + 1).map_or(u32::MAX, |next| next.start - 1);
            for number in [range.start, last] {
                let call = Call { arch: group[0].audit_arch(), number, ..Call::default() };
                assert_eq!(run(&filter.program, &call).0, run(&alone, &call).0, "number {number}");
            }
        }
    }
}

#[test]
fn a_profile_that_allows_by_default_denies_by_name() {
    let profile: LinuxSeccomp = serde_json::from_str(
        r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
            {"names":["mkdir","mkdirat","no_such_call"],"action":"SCMP_ACT_ERRNO","errnoRet":13},
            {"names":["kill"],"action":"SCMP_ACT_KILL_PROCESS","args":[
                {"index":0,"value":1,"op":"SCMP_CMP_EQ"},{"index":1,"value":9,"op":"SCMP_CMP_GE"}]}]}"#,
    )
    .unwrap();
    let filter = compile(&profile).unwrap();
    assert_eq!(answer(&filter, Abi::NATIVE, "mkdirat", 0), libc::SECCOMP_RET_ERRNO | 13);
    assert_eq!(answer(&filter, Abi::NATIVE, "read", 0), ALLOW);
    let call = Call {
        arch: Abi::NATIVE.audit_arch(),
        number: Abi::NATIVE.number("kill").unwrap(),
        arguments: [1, 9, 0, 0, 0, 0],
    };
    assert_eq!(run(&filter.program, &call).0, libc::SECCOMP_RET_KILL_PROCESS);
    assert_eq!(run(&filter.program, &Call { arguments: [1, 8, 0, 0, 0, 0], ..call }).0, ALLOW);
    assert_eq!(run(&filter.program, &Call { number: 9999, ..call }).0, ALLOW);
}

fn compiled(json: &str) -> Result<Filter, SeccompError> {
    compile(&serde_json::from_str(json).unwrap())
}

#[test]
fn calls_are_handed_to_an_agent() {
    let filter = compiled(
        r#"{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/run/agent","listenerMetadata":"x",
            "flags":["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV","SECCOMP_FILTER_FLAG_TSYNC","SECCOMP_FILTER_FLAG_LOG"],
            "syscalls":[{"names":["mount"],"action":"SCMP_ACT_NOTIFY"}]}"#,
    )
    .unwrap();
    assert_eq!(answer(&filter, Abi::NATIVE, "mount", 0), libc::SECCOMP_RET_USER_NOTIF);
    // LOG, NEW_LISTENER and WAIT_KILLABLE_RECV.
    assert_eq!((filter.listener, filter.flags), (true, 2 | 8 | 32));
}

#[test]
fn without_calls_for_an_agent_there_is_no_listener() {
    let filter = compiled(
        r#"{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/run/agent",
            "flags":["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV","SECCOMP_FILTER_FLAG_TSYNC"]}"#,
    )
    .unwrap();
    assert_eq!((filter.listener, filter.flags), (false, 1));
}

#[test]
fn an_agent_that_could_never_answer_is_refused_by_name() {
    let syscall = |name: &str, rest: &str| {
        format!(
            r#"{{"defaultAction":"SCMP_ACT_ALLOW"{rest},"syscalls":[{{"names":["mount","{name}"],"action":"SCMP_ACT_NOTIFY"}}]}}"#
        )
    };
    let path = r#","listenerPath":"/run/agent""#;
    for (json, expected) in [
        (syscall("mkdir", ""), SeccompError::NoAgent),
        (syscall("mkdir", r#","listenerPath":"agent""#), SeccompError::ListenerPath("agent".to_owned())),
        (syscall("write", path), SeccompError::Notify("write".to_owned())),
        (syscall("sendmsg", path), SeccompError::Notify("sendmsg".to_owned())),
        (format!(r#"{{"defaultAction":"SCMP_ACT_NOTIFY"{path}}}"#), SeccompError::Notify("defaultAction".to_owned())),
        (r#"{"defaultAction":"SCMP_ACT_ALLOW","listenerMetadata":"x"}"#.to_owned(), SeccompError::Metadata),
    ] {
        assert_eq!(compiled(&json).unwrap_err(), expected, "{json}");
    }
}

#[test]
fn each_action_is_the_kernels() {
    for (action, errno, expected) in [
        ("KILL", None, libc::SECCOMP_RET_KILL_THREAD),
        ("KILL_THREAD", None, libc::SECCOMP_RET_KILL_THREAD),
        ("KILL_PROCESS", None, libc::SECCOMP_RET_KILL_PROCESS),
        ("TRAP", None, libc::SECCOMP_RET_TRAP),
        ("ERRNO", None, EPERM),
        ("ERRNO", Some(0), libc::SECCOMP_RET_ERRNO),
        ("ERRNO", Some(38), ENOSYS),
        ("TRACE", Some(7), libc::SECCOMP_RET_TRACE | 7),
        ("LOG", None, libc::SECCOMP_RET_LOG),
        ("ALLOW", None, ALLOW),
    ] {
        let number = |key: &str| errno.map_or_else(String::new, |errno: u32| format!(r#","{key}":{errno}"#));
        let named = format!(
            r#"{{"defaultAction":"SCMP_ACT_LOG","syscalls":[{{"names":["getcwd"],"action":"SCMP_ACT_{action}"{}}}]}}"#,
            number("errnoRet")
        );
        assert_eq!(answer(&compiled(&named).unwrap(), Abi::NATIVE, "getcwd", 0), expected, "{named}");
        let default = format!(r#"{{"defaultAction":"SCMP_ACT_{action}"{}}}"#, number("defaultErrnoRet"));
        let number = Abi::NATIVE.number("read").unwrap();
        let call = Call { arch: Abi::NATIVE.audit_arch(), number, ..Call::default() };
        let profile = compiled(&default).unwrap();
        let answered = run(&profile.program, &call).0;
        // Nothing is listed, so nothing is known to be older than the profile.
        assert!(answered == expected || answered == ENOSYS, "{default}: {answered:#x}");
    }
}

#[test]
fn an_error_number_that_means_nothing_is_refused() {
    let default = |rest: &str| compiled(&format!(r#"{{"defaultAction":{rest}}}"#)).unwrap_err();
    assert_eq!(
        default(r#""SCMP_ACT_ALLOW","defaultErrnoRet":1"#),
        SeccompError::ErrnoAction("SCMP_ACT_ALLOW".to_owned())
    );
    assert_eq!(default(r#""SCMP_ACT_ERRNO","defaultErrnoRet":70000"#), SeccompError::Errno(70_000));
}

#[test]
fn architectures_no_machine_of_this_kind_has_change_nothing() {
    let with = compiled(r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_S390X","SCMP_ARCH_MIPS64"]}"#);
    let without = compiled(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#);
    assert_eq!(with.unwrap().program.len(), without.unwrap().program.len());
    let unknown = r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_PDP11"]}"#;
    assert!(serde_json::from_str::<LinuxSeccomp>(unknown).unwrap_err().to_string().contains("SCMP_ARCH_PDP11"));
}
