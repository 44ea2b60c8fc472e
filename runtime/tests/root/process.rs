//! What a container runs, and as whom.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::support::Bundle;

#[test]
#[ignore = "needs root"]
fn a_command_that_is_not_there_is_127() {
    for args in [&["nosuch"], &["/bin/nosuch"], &["/nosuch/dir/x"]] {
        let ended = Bundle::new(args).run();
        assert_eq!(ended.code, 127, "{ended:?}");
        assert!(ended.stderr.contains(args[0]), "{ended:?}");
    }
}

#[test]
#[ignore = "needs root"]
fn a_file_that_cannot_be_invoked_is_126() {
    let bundle = Bundle::new(&["/etc/passwd"]);
    assert_eq!(bundle.run().code, 126);
    let ended = Bundle::new(&["/etc"]).run();
    assert_eq!(ended.code, 126);
    assert!(ended.stderr.contains("directory"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn the_reason_why_a_program_does_not_start_is_found() {
    for (content, code, reason) in [
        (&b"#!/bin/bash\nexit\n"[..], 127, "`/bin/bash`"),
        (&b"exit 0\n"[..], 126, "begins with `#!`"),
        (&foreign_program(), 126, "it is for riscv64"),
    ] {
        let bundle = Bundle::new(&["script"]);
        let file = bundle.root().join("bin/script");
        std::fs::write(&file, content).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        let ended = bundle.run();
        assert_eq!(ended.code, code, "{ended:?}");
        assert!(ended.stderr.contains(reason), "{ended:?}");
    }
}

/// The head of an ELF program of a machine this one is not.
fn foreign_program() -> Vec<u8> {
    let mut program = std::fs::read("/bin/busybox").unwrap();
    program[18] = 243;
    program
}

#[test]
#[ignore = "needs root"]
fn the_user_has_its_groups_and_no_capability_in_effect() {
    let script = "id -u; id -g; id -G; echo $HOME; grep CapEff /proc/self/status; touch /x 2>/dev/null || echo refused; \
                  echo x > /dev/stdout; umask";
    let ended = Bundle::new(&["sh", "-c", script])
        .with("/process/user", json!({"uid": 1000, "gid": 1001, "additionalGids": [1001, 44], "umask": 0o027}))
        .verb("pipes", &[]);
    let expected = "1000\n1001\n1001 44\n/home/user\nCapEff:\t0000000000000000\nrefused\nx\n0027\n";
    assert_eq!(ended.stdout, expected, "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn ambient_capabilities_reach_a_user_that_is_not_root() {
    let one = json!(["CAP_NET_BIND_SERVICE"]);
    let sets = json!({"bounding": one, "effective": one, "inheritable": one, "permitted": one, "ambient": one});
    let ended = Bundle::new(&["grep", "Cap", "/proc/self/status"])
        .with("/process/user", json!({"uid": 1000, "gid": 1000}))
        .with("/process/capabilities", sets)
        .run();
    assert_eq!(ended.stdout.matches("0000000000000400").count(), 5, "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn without_capabilities_there_are_none() {
    let ended = Bundle::new(&["grep", "CapBnd", "/proc/self/status"]).with("/process/capabilities", json!(null)).run();
    assert_eq!(ended.stdout, "CapBnd:\t0000000000000000\n", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn no_new_privileges_holds_and_the_filter_still_loads() {
    let ended = Bundle::new(&["grep", "-E", "NoNewPrivs|Seccomp:", "/proc/self/status"])
        .with("/process/noNewPrivileges", json!(true))
        .run();
    assert_eq!(ended.stdout, "NoNewPrivs:\t1\nSeccomp:\t2\n", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_limit_the_host_does_not_permit_is_cut_and_said() {
    let ended = Bundle::new(&["sh", "-c", "ulimit -n; ulimit -c"])
        .with(
            "/process/rlimits",
            json!([
                {"type": "RLIMIT_NOFILE", "soft": 1u64 << 40, "hard": 1u64 << 40},
                {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
            ]),
        )
        .run();
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.ends_with("\n0\n"), "{ended:?}");
    assert!(ended.stderr.contains("RLIMIT_NOFILE"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn signals_start_at_their_defaults() {
    // Rust programs ignore SIGPIPE (bit 12); a container's must not.
    let ended = Bundle::new(&["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"]).run();
    assert_eq!(ended.stdout.matches("0000000000000000").count(), 3, "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_terminal_is_the_containers_own() {
    let script = "tty; stty size; ls -l /dev/console | cut -c1; echo to > /dev/tty; test -t 2 && echo yes";
    let bundle = Bundle::new(&["sh", "-c", &script.replace("cut -c1", "head -c 1")]);
    let ended = bundle.verb("terminal", &[]);
    assert_eq!(ended.stdout.replace("\r\n", "\n"), "/dev/pts/0\n40 120\ncto\nyes\n", "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn the_keyring_of_the_host_is_out_of_reach() {
    let ended = Bundle::new(&["cat", "/proc/keys"]).with("/linux/maskedPaths", json!([])).run();
    assert!(ended.stdout.contains("lighter:/lighter/tests/"), "{ended:?}");
}
