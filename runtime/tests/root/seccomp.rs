//! System calls that are refused, and those an agent answers for.

use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixListener;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixAddr, recvmsg};
use serde_json::{Value, json};

use crate::support::Bundle;

/// Takes one listener as an agent does; returns what was told, and what the descriptor is, which is then closed:
/// the kernel answers ENOSYS for an agent that is gone.
fn take(listener: &UnixListener) -> (Value, String) {
    let (socket, _) = listener.accept().unwrap();
    let mut text = vec![0; 64 * 1024];
    let mut control = nix::cmsg_space!([RawFd; 1]);
    let mut data = [IoSliceMut::new(&mut text)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<UnixAddr>(socket.as_raw_fd(), &mut data, Some(&mut control), flags).unwrap();
    let told: Value = serde_json::from_slice(message.iovs().next().unwrap()).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", told["pid"])).unwrap_or_default();
    assert!(status.contains("Seccomp:\t2\n"), "nobody with a filter has the pid that was told: {told}");
    let mut kind = String::new();
    for part in message.cmsgs().unwrap() {
        if let ControlMessageOwned::ScmRights(numbers) = part {
            for number in numbers {
                kind = std::fs::read_link(format!("/proc/self/fd/{number}")).unwrap().display().to_string();
                nix::unistd::close(number).unwrap();
            }
        }
    }
    (told, kind)
}

fn with_agent(mut bundle: Bundle) -> (Bundle, UnixListener) {
    let path = bundle.path().join("agent");
    let listener = UnixListener::bind(&path).unwrap();
    bundle.spec["annotations"] = json!({"colour": "blue"});
    bundle.spec["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path, "listenerMetadata": "mine",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}],
    });
    (bundle, listener)
}

#[test]
#[ignore = "needs root"]
fn an_agent_gets_the_listener_and_answers() {
    for no_new_privileges in [false, true] {
        let (bundle, listener) = with_agent(Bundle::new(&["sh", "-c", "mkdir /x; test -d /x || echo not made"]));
        let bundle = bundle.with("/process/noNewPrivileges", json!(no_new_privileges));
        let (ended, (told, kind)) = std::thread::scope(|scope| {
            let agent = scope.spawn(|| take(&listener));
            (bundle.run(), agent.join().unwrap())
        });
        assert_eq!(ended.stdout, "not made\n", "{ended:?}");
        assert!(ended.stderr.contains("Function not implemented"), "{ended:?}");
        assert_eq!(kind, "anon_inode:seccomp notify");
        assert_eq!((&told["fds"], &told["metadata"]), (&json!(["seccompFd"]), &json!("mine")));
        assert_eq!(told["state"]["id"], json!(bundle.id));
        assert_eq!((&told["state"]["annotations"]["colour"], &told["state"]["pid"]), (&json!("blue"), &told["pid"]));
        assert!(told["pid"].as_i64().is_some_and(|pid| pid > 1), "the pid is the host's: {told}");
    }
}

#[test]
#[ignore = "needs root"]
fn a_second_process_has_a_listener_of_its_own() {
    let (bundle, listener) = with_agent(Bundle::new(&["sleep", "20"]));
    let (ended, told) = std::thread::scope(|scope| {
        let agent = scope.spawn(|| [take(&listener).0, take(&listener).0]);
        (bundle.exec(&["mkdir", "/x"], |_| {}), agent.join().unwrap())
    });
    assert!(ended.stderr.contains("Function not implemented"), "{ended:?}");
    assert_eq!(told[1]["state"]["pid"], told[0]["pid"], "the container's init");
    assert_ne!(told[1]["pid"], told[0]["pid"]);
    assert_eq!((&told[1]["state"]["status"], &told[1]["state"]["id"]), (&json!("running"), &json!(bundle.id)));
}

#[test]
#[ignore = "needs root"]
fn an_agent_that_is_not_there_is_named() {
    let (bundle, listener) = with_agent(Bundle::new(&["true"]));
    drop(listener);
    let ended = bundle.run();
    assert!(ended.code == 125 && ended.stderr.contains("`linux.seccomp.listenerPath`"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_call_without_which_no_agent_can_be_told_is_refused() {
    let (bundle, _listener) = with_agent(Bundle::new(&["true"]));
    let ended = bundle.with("/linux/seccomp/syscalls/0/names", json!(["write"])).run();
    assert!(ended.code == 125 && ended.stderr.contains("`write`"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_call_that_is_killed_ends_the_process() {
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS"},
                     {"names": ["chdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13}],
    });
    let ended = Bundle::new(&["sh", "-c", "cd /tmp; mkdir /x; echo $?"]).with("/linux/seccomp", profile).run();
    assert_eq!(ended.stdout, "159\n", "128 and SIGSYS: {ended:?}");
    assert!(ended.stderr.contains("Permission denied"), "{ended:?}");
}
