//! The command of every kind of step, and words that are one word to a real shell.

use std::process::Command;

use proptest::prelude::*;

use super::*;

fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn inside(path: &str) -> Target {
    Target::InRoot { in_root: path.to_owned() }
}

fn outside(path: &str) -> Target {
    Target::Path(path.to_owned())
}

/// What a shell makes of a script, its standard output.
#[expect(clippy::disallowed_methods, reason = "only a shell knows what a shell makes of a word")]
fn sh(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("sh").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    output.stdout
}

#[expect(clippy::too_many_lines, reason = "a list of all there are")]
fn all() -> Vec<(Effect, &'static str)> {
    let (path, id) = ("/a b".to_owned(), "x".to_owned());
    vec![
        (Effect::Spawn { program: "lighter".into(), args: texts(&["__monitor"]) }, "lighter __monitor &"),
        (
            Effect::Clone { namespaces: texts(&["mnt", "uts", "pid"]), cgroup: Some("/sys/fs/cgroup/x".into()) },
            "echo $$ > /sys/fs/cgroup/x/cgroup.procs && unshare --mount --uts --pid --fork",
        ),
        (Effect::Clone { namespaces: Vec::new(), cgroup: None }, "sh"),
        (Effect::Join { namespace: "net".into(), path: "/run/netns/x".into() }, "nsenter --net=/run/netns/x"),
        (
            Effect::Join { namespace: "mnt,pid".into(), path: "/proc/7/ns".into() },
            "nsenter --mount=/proc/7/ns/mnt --pid=/proc/7/ns/pid",
        ),
        (Effect::Unshare { namespaces: texts(&["cgroup"]) }, "unshare --cgroup"),
        (Effect::MakeDirectory { path: path.clone() }, "mkdir -p '/a b'"),
        (Effect::RemoveDirectory { path: path.clone() }, "rmdir '/a b'"),
        (Effect::Write { path: "/sys/memory.max".into(), value: "64".into() }, "echo 64 > /sys/memory.max"),
        (Effect::Write { path: "/f".into(), value: "a\tb\nc%\n".into() }, r"printf 'a\tb\nc%%\n' > /f"),
        (
            Effect::FilterDevices { cgroup: path.clone(), instructions: 9 },
            "# no shell equivalent: device program of 9 instructions",
        ),
        (
            Effect::StartUnit { unit: "x.scope".into(), pid: 7 },
            "# no shell equivalent: StartTransientUnit of \"x.scope\" around process 7, by D-Bus",
        ),
        (
            Effect::Mount {
                fstype: "proc".into(),
                source: "proc".into(),
                target: inside("/proc"),
                options: texts(&["nosuid", "nodev"]),
                copy_up: false,
            },
            "mount -t proc -o nosuid,nodev proc \"$ROOT\"/proc",
        ),
        (
            Effect::Mount {
                fstype: "tmpfs".into(),
                source: "tmpfs".into(),
                target: inside("/var"),
                options: Vec::new(),
                copy_up: true,
            },
            "NEW=$(mktemp -d) && mount -t tmpfs tmpfs \"$NEW\" && cp -a \"$ROOT\"/var/. \"$NEW\" && mount --move \"$NEW\" \"$ROOT\"/var",
        ),
        (
            Effect::Bind { source: outside("/a b"), target: inside("/c"), recursive: true, options: texts(&["ro"]) },
            "mount --rbind -o ro '/a b' \"$ROOT\"/c",
        ),
        (
            Effect::Bind { source: inside("/dev/null"), target: inside("/c"), recursive: false, options: Vec::new() },
            "mount --bind \"$ROOT\"/dev/null \"$ROOT\"/c",
        ),
        (Effect::Remount { target: inside("/"), options: texts(&["ro"]) }, "mount -o remount,bind,ro \"$ROOT\""),
        (Effect::Propagate { target: outside("/"), how: "rprivate".into() }, "mount --make-rprivate /"),
        (Effect::MountRoot { path: path.clone() }, "ROOT='/a b'; mount --rbind --make-private \"$ROOT\" \"$ROOT\""),
        (Effect::PivotRoot, "cd \"$ROOT\" && pivot_root . ."),
        (Effect::MoveRoot, "cd \"$ROOT\" && mount --move . / && exec chroot ."),
        (Effect::Unmount { target: outside(".") }, "umount -l ."),
        (
            Effect::MakeNode {
                target: inside("/dev/null"),
                kind: 'c',
                major: 1,
                minor: 3,
                mode: 0o666,
                uid: 0,
                gid: 0,
            },
            "mknod -m 666 \"$ROOT\"/dev/null c 1 3",
        ),
        (
            Effect::MakeNode { target: outside("/f"), kind: 'p', major: 0, minor: 0, mode: 0o600, uid: 7, gid: 8 },
            "mknod -m 600 /f p && chown 7:8 /f",
        ),
        (
            Effect::Link { target: inside("/dev/fd"), to: "/proc/self/fd".into() },
            "ln -s /proc/self/fd \"$ROOT\"/dev/fd",
        ),
        (Effect::CopyTree { from: path.clone(), to: "/v".into() }, "cp -a '/a b/.' /v"),
        (Effect::SetHostName { name: id.clone() }, "hostname x"),
        (Effect::SetDomainName { name: id.clone() }, "domainname x"),
        (
            Effect::SetSysctl { name: "net.ipv4.ping_group_range".into(), value: "0 1".into() },
            "sysctl -w 'net.ipv4.ping_group_range=0 1'",
        ),
        (Effect::JoinKeyring { name: id.clone() }, "keyctl session x"),
        (Effect::StartSession, "setsid sh"),
        (Effect::EnterDirectory { path }, "cd '/a b'"),
        (
            Effect::SetLimit { resource: "RLIMIT_NOFILE".into(), soft: Some(1024), hard: None },
            "prlimit --pid $$ --nofile=1024:unlimited",
        ),
        (Effect::SetUser { uid: 1, gid: 2, groups: Vec::new() }, "setpriv --regid 2 --reuid 1 --clear-groups sh"),
        (Effect::SetUser { uid: 1, gid: 2, groups: vec![3, 4] }, "setpriv --regid 2 --reuid 1 --groups 3,4 sh"),
        (
            Effect::AssumeIdentity {
                uid: 1,
                gid: 2,
                groups: vec![3, 4],
                bounding: texts(&["CAP_CHOWN", "CAP_NET_RAW"]),
                effective: texts(&["CAP_CHOWN"]),
                permitted: texts(&["CAP_CHOWN"]),
                inheritable: texts(&["CAP_NET_RAW"]),
                ambient: texts(&["CAP_NET_RAW"]),
            },
            "setpriv --bounding-set -all,+chown,+net_raw --inh-caps -all,+net_raw --ambient-caps -all,+net_raw --regid 2 --reuid 1 --groups 3,4 sh",
        ),
        (
            Effect::AssumeIdentity {
                uid: 1,
                gid: 2,
                groups: Vec::new(),
                bounding: Vec::new(),
                effective: Vec::new(),
                permitted: Vec::new(),
                inheritable: Vec::new(),
                ambient: Vec::new(),
            },
            "setpriv --bounding-set -all --regid 2 --reuid 1 --clear-groups sh",
        ),
        (Effect::ForbidPrivileges, "setpriv --no-new-privs sh"),
        (Effect::FilterCalls { instructions: 312 }, "# no shell equivalent: filter of 312 instructions"),
        (
            Effect::SetAttribute { field: "process.scheduler".into(), value: String::new() },
            "# no shell equivalent: process.scheduler",
        ),
        (
            Effect::RunHook { field: "hooks.prestart[0]".into(), path: "/h".into(), args: texts(&["h", "-x y"]) },
            "/h '-x y' < state.json",
        ),
        (Effect::Network { what: id.clone(), commands: texts(&["ip link", "nft list"]) }, "ip link\nnft list"),
        (Effect::Network { what: id, commands: Vec::new() }, "# no shell equivalent: lighter does it itself"),
        (
            Effect::Execute { program: "/bin/sh".into(), args: texts(&["sh", "-c", "echo 1"]) },
            "exec /bin/sh -c 'echo 1'",
        ),
    ]
}

#[test]
fn every_step_has_its_command() {
    for (effect, expected) in all() {
        assert_eq!(effect.shell(), expected, "{effect:?}");
    }
}

#[test]
fn every_command_is_one_to_a_shell() {
    let script: Vec<String> = all().iter().map(|(effect, _)| effect.shell()).collect();
    sh(&["-n", "-c", &script.join("\n")]);
}

#[test]
fn every_step_is_told_in_words_and_read_back_from_json() {
    for (effect, _) in all() {
        assert!(!effect.to_string().is_empty(), "{effect:?}");
        let json = serde_json::to_string(&effect).unwrap();
        assert_eq!(serde_json::from_str::<Effect>(&json).unwrap(), effect, "{json}");
    }
}

#[test]
fn no_word_steers_a_terminal() {
    for text in ["a\u{1b}]0;x\u{7}", "a\u{202e}b", "\u{9b}2J", "-n\r"] {
        assert!(!word(text).chars().any(is_harmful), "{:?}", word(text));
        assert_eq!(sh(&["-c", &format!("printf %s {}", word(text))]), text.as_bytes());
    }
}

#[test]
fn what_is_written_is_what_the_command_writes() {
    for value in ["64M", "+memory +pids", "c 1:3 rwm", "-1", "a\nb\n", "back\\slash", "-n", "100%"] {
        let printed = String::from_utf8(sh(&["-c", &printer(value)])).unwrap();
        assert_eq!(printed.trim_end_matches('\n'), value.trim_end_matches('\n'));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_one_word(text in "[^\0]{0,12}") {
        let script = format!("printf '%s' {}", word(&text));
        prop_assert_eq!(String::from_utf8(sh(&["-c", &script])).unwrap(), text);
    }

    #[test]
    fn text_of_what_shells_and_printf_look_at_is_one_word(text in "[-%\\\\'\"$`n\n\t\u{1b} a]{0,8}") {
        let script = format!("printf '%s' {}", word(&text));
        prop_assert_eq!(String::from_utf8(sh(&["-c", &script])).unwrap(), text);
    }
}
