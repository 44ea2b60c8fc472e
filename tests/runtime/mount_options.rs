//! config.md, "Mounts": the table of options that every Linux runtime has to know.

use crate::harness::{Container, inside};

/// The options that MUST be implemented; `bind` and `rbind` have tests of their own.
const REQUIRED: [&str; 35] = [
    "async",
    "atime",
    "defaults",
    "dev",
    "diratime",
    "dirsync",
    "exec",
    "iversion",
    "lazytime",
    "loud",
    "noatime",
    "nodev",
    "nodiratime",
    "noexec",
    "noiversion",
    "nolazytime",
    "norelatime",
    "nostrictatime",
    "nosuid",
    "private",
    "relatime",
    "rprivate",
    "rshared",
    "rslave",
    "runbindable",
    "rw",
    "shared",
    "silent",
    "slave",
    "strictatime",
    "suid",
    "sync",
    "unbindable",
    "ro",
    "remount",
];

/// The options that SHOULD be implemented, but for the ones of mapped mounts.
const RECOMMENDED: [&str; 18] = [
    "nosymfollow",
    "symfollow",
    "ratime",
    "rdev",
    "rdiratime",
    "rexec",
    "rnoatime",
    "rnodev",
    "rnodiratime",
    "rnoexec",
    "rnorelatime",
    "rnostrictatime",
    "rnosuid",
    "rnosymfollow",
    "rrelatime",
    "rro",
    "rrw",
    "rsuid",
];

/// Asserts that a container with a tmpfs for each of `options` runs. A tmpfs refuses what it does not know, so that an option
/// taken for one of the file system's does not go unnoticed.
fn are_known(options: &[&str]) {
    let container = Container::new(|config| {
        for option in options {
            config.mount(&format!("/mnt/{option}"), "tmpfs", "tmpfs", &[option]);
        }
        config
    });
    container.run().ok();
}

/// Returns the options of a mount point in proc_pid_mountinfo(5), of the mount and of its file system.
fn shown(kind: &str, options: &[&str]) -> Vec<String> {
    let text = inside(|config| {
        let source = config.folder("tree");
        config.mount("/mnt/point", kind, source, options);
        config.script("sed -n '/ \\/mnt\\/point /s/^[^ ]* [^ ]* [^ ]* [^ ]* [^ ]* \\([^ ]*\\) .* \\([^ ]*\\)$/\\1,\\2/p' /proc/self/mountinfo")
    });
    text.split(',').map(str::to_owned).collect()
}

#[test]
#[ignore = "needs root"]
fn every_required_option_is_known() {
    let options: Vec<_> = REQUIRED.into_iter().filter(|option| *option != "remount").collect();
    are_known(&options);
}

#[test]
#[ignore = "needs root"]
fn every_recommended_option_is_known() {
    are_known(&RECOMMENDED);
    are_known(&["rstrictatime", "rsymfollow"]);
}

#[test]
#[ignore = "needs root"]
fn options_take_effect() {
    for kind in ["tmpfs", "bind"] {
        let bind: &[_] = if kind == "bind" { &["bind"] } else { &[] };
        for option in ["ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime", "nosymfollow"] {
            let options = shown(kind, &[bind, &[option]].concat());
            assert!(options.iter().any(|shown| shown == option), "{kind} {option}: {options:?}");
        }
    }
    for option in ["sync", "dirsync", "lazytime"] {
        let options = shown("tmpfs", &[option]);
        assert!(options.iter().any(|shown| shown == option), "{option}: {options:?}");
    }
}

#[test]
#[ignore = "needs root"]
fn an_option_undoes_the_one_before_it() {
    for (set, clear) in [
        ("ro", "rw"),
        ("nosuid", "suid"),
        ("nodev", "dev"),
        ("noexec", "exec"),
        ("noatime", "atime"),
        ("sync", "async"),
    ] {
        let options = shown("tmpfs", &[set, clear]);
        assert!(!options.iter().any(|shown| shown == set), "{set},{clear}: {options:?}");
        let options = shown("tmpfs", &[clear, set]);
        assert!(options.iter().any(|shown| shown == set), "{clear},{set}: {options:?}");
    }
}

#[test]
#[ignore = "needs root"]
fn recursive_options_take_effect() {
    for (option, expected) in
        [("rro", "ro"), ("rnosuid", "nosuid"), ("rnodev", "nodev"), ("rnoexec", "noexec"), ("rnoatime", "noatime")]
    {
        let options = shown("bind", &["rbind", option]);
        assert!(options.iter().any(|shown| shown == expected), "{option}: {options:?}");
    }
}

#[test]
#[ignore = "needs root"]
fn a_remount_changes_the_mount_that_is_there() {
    let text = inside(|config| {
        config.mount("/mnt", "tmpfs", "tmpfs", &[]).mount("/mnt", "tmpfs", "tmpfs", &["remount", "ro"]);
        config.script("touch /mnt/file 2>/dev/null || echo refused; grep -c ' /mnt ' /proc/self/mountinfo")
    });
    assert_eq!(text, "refused\n1");
}
