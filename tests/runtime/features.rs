//! features.md and features-linux.md: what the runtime says of itself, and that it is true.

use serde_json::{Value, json};

use crate::harness::{Container, inside, run, runtime};

fn features() -> Value {
    let folder = Container::new(|config| config);
    let mut command = runtime();
    command.arg("features");
    let text = run(command, &folder.bundle(), "features").ok().text();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// The strings of the array at a JSON pointer.
fn names(features: &Value, pointer: &str) -> Vec<String> {
    let array = features.pointer(pointer).and_then(Value::as_array).unwrap_or_else(|| panic!("no `{pointer}`"));
    array.iter().map(|name| name.as_str().expect("names are strings").to_owned()).collect()
}

#[test]
#[ignore = "needs root"]
fn every_version_of_the_range_is_accepted() {
    let features = features();
    let version = |key: &str| features[key].as_str().expect("the version is a string").to_owned();
    let number =
        |text: &str| text.split(['.', '-']).take(3).map(|part| part.parse::<u32>().unwrap()).collect::<Vec<_>>();
    assert!(number(&version("ociVersionMin")) <= number(&version("ociVersionMax")));
    for key in ["ociVersionMin", "ociVersionMax"] {
        assert_eq!(inside(|config| config.script("echo ran").set("/ociVersion", json!(version(key)))), "ran", "{key}");
    }
}

#[test]
#[ignore = "needs root"]
fn the_hooks_are_all_six() {
    let kinds = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
    assert_eq!(names(&features(), "/hooks"), kinds);
}

#[test]
#[ignore = "needs root"]
fn every_mount_option_is_recognized() {
    let options = names(&features(), "/mountOptions");
    for required in
        ["bind", "rbind", "ro", "nosuid", "nodev", "noexec", "rprivate", "rshared", "rslave", "relatime", "strictatime"]
    {
        assert!(options.iter().any(|option| option == required), "{required}");
    }
    // These say what is mounted rather than how.
    let how = options
        .iter()
        .filter(|option| !["bind", "rbind", "remount", "idmap", "ridmap", "tmpcopyup"].contains(&option.as_str()));
    let container = Container::new(|config| {
        for option in how {
            config.mount(&format!("/mnt/{option}"), "tmpfs", "tmpfs", &[option]);
        }
        config
    });
    container.run().ok();
}

#[test]
#[ignore = "needs root"]
fn every_namespace_is_recognized() {
    let kinds = names(&features(), "/linux/namespaces");
    for required in ["cgroup", "ipc", "mount", "network", "pid", "user", "uts"] {
        assert!(kinds.iter().any(|kind| kind == required), "{required}");
    }
    for kind in kinds {
        let container = Container::new(|config| {
            if kind == "user" {
                let mapping = json!([{"containerID": 0, "hostID": 200000, "size": 1000}]);
                config.set("/linux/uidMappings", mapping.clone()).set("/linux/gidMappings", mapping);
            }
            config.namespace(json!({"type": kind}))
        });
        container.run().ok();
    }
}

#[test]
#[ignore = "needs root"]
fn every_capability_is_recognized() {
    let capabilities = names(&features(), "/linux/capabilities");
    assert!(capabilities.iter().any(|name| name == "CAP_CHECKPOINT_RESTORE"));
    // Recognized, whether or not the caller has it: no word of an unknown one.
    let output =
        Container::new(|config| config.set("/process/capabilities", json!({"bounding": capabilities}))).run().ok();
    assert!(!output.stderr.contains("unknown"), "{output}");
}

#[test]
#[ignore = "needs root"]
fn the_cgroup_versions_are_said() {
    let cgroup = features()["linux"]["cgroup"].clone();
    assert_eq!((&cgroup["v1"], &cgroup["v2"]), (&json!(true), &json!(true)), "{cgroup}");
    assert!(cgroup["systemd"].is_boolean() && cgroup["systemdUser"].is_boolean(), "{cgroup}");
}

#[test]
#[ignore = "needs root"]
fn everything_of_seccomp_is_recognized() {
    let features = features();
    assert_eq!(features["linux"]["seccomp"]["enabled"], true);
    let (actions, operators) =
        (names(&features, "/linux/seccomp/actions"), names(&features, "/linux/seccomp/operators"));
    let rule = |action: &str, op: &str| json!({"names": ["acct"], "action": action, "args": [{"index": 0, "value": 1, "op": op}]});
    // One that notifies needs a listener, and has tests of its own.
    let actions = actions.iter().filter(|action| *action != "SCMP_ACT_NOTIFY");
    let rules = actions.map(|action| rule(action, "SCMP_CMP_EQ"));
    let rules = rules.chain(operators.iter().map(|op| rule("SCMP_ACT_ERRNO", op)));
    for rule in rules {
        let seccomp = json!({"defaultAction": "SCMP_ACT_LOG", "syscalls": [rule.clone()]});
        assert!(Container::new(|config| config.set("/linux/seccomp", seccomp)).run().succeeded(), "{rule}");
    }
    for name in names(&features, "/linux/seccomp/archs") {
        let seccomp = json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": [name]});
        assert!(Container::new(|config| config.set("/linux/seccomp", seccomp)).run().succeeded(), "{name}");
    }
}

#[test]
#[ignore = "needs root"]
fn supported_seccomp_flags_are_known_ones_and_work() {
    let features = features();
    let (known, supported) =
        (names(&features, "/linux/seccomp/knownFlags"), names(&features, "/linux/seccomp/supportedFlags"));
    assert!(supported.iter().all(|flag| known.contains(flag)), "{supported:?} of {known:?}");
    // This one is for a filter with a listener.
    let flags: Vec<_> = supported.into_iter().filter(|flag| flag != "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV").collect();
    let seccomp = json!({"defaultAction": "SCMP_ACT_ALLOW", "flags": flags});
    Container::new(|config| config.set("/linux/seccomp", seccomp)).run().ok();
}

#[test]
#[ignore = "needs root"]
fn the_other_parts_say_whether_they_are_enabled() {
    let linux = features()["linux"].clone();
    for part in ["apparmor", "selinux", "intelRdt"] {
        assert!(linux[part]["enabled"].is_boolean(), "{part}: {linux}");
    }
    assert!(linux["mountExtensions"]["idmap"]["enabled"].is_boolean(), "{linux}");
}

#[test]
#[ignore = "needs root"]
fn there_is_nothing_that_the_specification_has_not() {
    let known = [
        ("", "ociVersionMin ociVersionMax hooks mountOptions linux annotations potentiallyUnsafeConfigAnnotations"),
        (
            "/linux",
            "namespaces capabilities cgroup seccomp apparmor selinux intelRdt memoryPolicy mountExtensions netDevices",
        ),
        ("/linux/cgroup", "v1 v2 systemd systemdUser rdma"),
        ("/linux/seccomp", "enabled actions operators archs knownFlags supportedFlags"),
    ];
    let features = features();
    for (pointer, keys) in known {
        for key in features.pointer(pointer).and_then(Value::as_object).expect("it is an object").keys() {
            assert!(keys.split(' ').any(|known| known == key), "`{key}` in `{pointer}`");
        }
    }
    let unsafe_keys = features["potentiallyUnsafeConfigAnnotations"].as_array().cloned().unwrap_or_default();
    assert!(unsafe_keys.iter().all(Value::is_string), "{unsafe_keys:?}");
    let annotations = features["annotations"].as_object().cloned().unwrap_or_default();
    assert!(annotations.values().all(Value::is_string), "{annotations:?}");
}
