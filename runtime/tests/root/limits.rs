//! Limits where the host keeps cgroups from us, and beside what another implementation writes.

use lighter_runtime::cgroup::{Cgroup, CgroupError};
use oci_spec::runtime::LinuxResources;
use serde_json::{Value, json};

use crate::support::{Bundle, UNIFIED};

/// A container that asks for nothing of a cgroup: not even to be kept from devices.
fn without_limits(args: &[&str]) -> Bundle {
    Bundle::new(args).with("/linux/resources", json!({"devices": [{"allow": true, "access": "rwm"}]}))
}

/// Cgroups that the host withholds: how, as a shell command, and by which words an error says so.
const WITHHELD: [(&str, &str); 3] = [
    ("umount -R /sys/fs/cgroup", "this host has no controller `pids`"),
    (
        "umount -R /sys/fs/cgroup && mkdir -p /sys/fs/cgroup && mount -t tmpfs -o ro none /sys/fs/cgroup",
        "no controller",
    ),
    (
        "umount -R /sys/fs/cgroup && mount -t cgroup2 -o ro none /sys/fs/cgroup",
        "the cgroups of `unified` cannot be written here",
    ),
];

#[test]
#[ignore = "needs root"]
fn a_container_without_limits_runs_where_cgroups_are_withheld() {
    for (withhold, _) in WITHHELD {
        let ended = without_limits(&["echo", "runs"]).verb_after(withhold, "run", &[]);
        assert_eq!((ended.code, ended.stdout.as_str()), (0, "runs\n"), "{withhold}: {ended:?}");
    }
}

#[test]
#[ignore = "needs root"]
fn a_limit_is_refused_by_its_key_where_cgroups_are_withheld() {
    for (withhold, why) in WITHHELD {
        let ended = without_limits(&["echo", "runs"]).with("/linux/resources/pids", json!({"limit": 20})).verb_after(
            withhold,
            "run",
            &[],
        );
        assert_eq!((ended.code, ended.stdout.as_str()), (125, ""), "{withhold}: {ended:?}");
        assert!(ended.stderr.contains("limit `linux.resources.pids.limit`: "), "{ended:?}");
        assert!(ended.stderr.contains(why), "{ended:?}");
    }
}

#[test]
#[ignore = "needs root"]
fn device_rules_are_refused_where_cgroups_are_withheld() {
    for (withhold, _) in WITHHELD {
        let ended = Bundle::new(&["echo", "runs"]).verb_after(withhold, "run", &[]);
        assert_eq!((ended.code, ended.stdout.as_str()), (125, ""), "{withhold}: {ended:?}");
        assert!(ended.stderr.contains("limit `linux.resources.devices`: "), "{ended:?}");
    }
}

#[test]
#[ignore = "needs root"]
fn a_controller_that_version_2_does_not_have_is_missed_by_key() {
    let ended =
        Bundle::new(&["true"]).with("/linux/resources/unified", json!({"nothing.max": "1"})).run_on_a_unified_host();
    assert_eq!(ended.code, 125, "{ended:?}");
    assert!(ended.stderr.contains("limit `linux.resources.unified.nothing.max`: there is no `"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_refusal_of_the_kernel_names_key_file_value_and_reason() {
    let ended = Bundle::new(&["true"]).with("/linux/resources/cpu", json!({"cpus": "4000"})).run();
    let said = "limit `linux.resources.cpu.cpus`: write `4000` to `/sys/fs/cgroup/cpuset/lighter/tests/";
    assert!(ended.stderr.contains(said) && ended.stderr.contains("cpuset.cpus`: Numerical result"), "{ended:?}");
}

/// What a second process sees of its cgroup, in a container whose init moved away and handed controllers on.
#[test]
#[ignore = "needs root"]
fn a_second_process_starts_where_init_went() {
    let script = "cd /sys/fs/cgroup && mkdir own && echo 0 > own/cgroup.procs && \
                  echo +$(cut -d' ' -f1 cgroup.controllers) > cgroup.subtree_control && touch /ready; sleep 60";
    let mut bundle = Bundle::new(&["sh", "-c", script]);
    let mounts = bundle.spec["mounts"].as_array_mut().expect("mounts");
    let cgroup = mounts.iter_mut().find(|mount| mount["destination"] == "/sys/fs/cgroup").expect("cgroup mount");
    cgroup["options"] = json!(["rw"]);
    let mut process = bundle.spec["process"].clone();
    process["args"] = json!(["grep", "^0:", "/proc/self/cgroup"]);
    let file = bundle.path().join("process.json");
    std::fs::write(&file, process.to_string()).unwrap();
    let ended = bundle.verb_after(UNIFIED, "later", &[file.to_str().unwrap()]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "0::/own\n"), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn a_delegated_cgroup_is_emptied_into_a_leaf_to_hand_controllers_on() {
    let place = format!("lighter-delegated-{}", std::process::id());
    let prepare = format!("{UNIFIED} && mkdir /sys/fs/cgroup/{place} && echo 0 > /sys/fs/cgroup/{place}/cgroup.procs");
    let ended = Bundle::new(&["cat", "/sys/fs/cgroup/hugetlb.2MB.max"])
        .with("/linux/cgroupsPath", json!(format!("/{place}/box")))
        .with("/linux/resources/hugepageLimits", json!([{"pageSize": "2MB", "limit": 4 << 20}]))
        .verb_after(&prepare, "run", &[]);
    let files = Cgroup::open(&format!("/{place}")).unwrap().files();
    let (_, directory) = files.into_iter().find(|(controller, _)| controller == "unified").unwrap();
    let leaf = std::fs::remove_dir(directory.join("init"));
    let left = std::fs::remove_dir(&directory);
    assert!(leaf.is_ok() && left.is_ok(), "{leaf:?} {left:?} {ended:?}");
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "4194304\n"), "{ended:?}");
}

/// A cgroup without processes, made as its files are and removed in the end.
struct Scratch(Cgroup);

impl Scratch {
    fn new(name: &str) -> Self {
        let cgroup = Cgroup::open(&format!("/lighter/tests/{name}-{}", std::process::id())).unwrap();
        for (controller, directory) in cgroup.files() {
            std::fs::create_dir_all(&directory).unwrap();
            if controller == "cpuset" {
                let own = [directory.parent().unwrap(), &directory];
                let levels =
                    directory.ancestors().take_while(|level| level.ends_with("lighter") || own.contains(level));
                let levels: Vec<_> = levels.collect();
                for level in levels.into_iter().rev() {
                    for file in ["cpuset.cpus", "cpuset.mems"] {
                        let above = std::fs::read_to_string(level.parent().unwrap().join(file)).unwrap();
                        std::fs::write(level.join(file), above.trim()).unwrap();
                    }
                }
            }
        }
        Self(cgroup)
    }

    fn update(&self, resources: &Value) -> Result<Vec<String>, CgroupError> {
        self.0.update(&serde_json::from_value(resources.clone()).unwrap())
    }

    /// What stands in the files of the controllers that limit.
    fn files(&self) -> Vec<(String, String)> {
        let mut read = Vec::new();
        for (controller, directory) in self.0.files() {
            if !["memory", "cpu", "cpuset", "pids", "blkio"].contains(&controller.as_str()) {
                continue;
            }
            for entry in std::fs::read_dir(directory).unwrap().flatten() {
                let name = entry.file_name().into_string().unwrap();
                let is_limit =
                    ["limit", "shares", "cfs_", "max", "cpuset.cpus", "cpuset.mems", "throttle", "swappiness"];
                if is_limit.iter().any(|part| name.contains(part)) && !name.contains("io_") {
                    read.push((name, std::fs::read_to_string(entry.path()).unwrap_or_default()));
                }
            }
        }
        read.sort();
        read
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.0.delete().expect("nobody is in it");
    }
}

#[test]
#[ignore = "needs root"]
fn limits_are_those_libcgroups_sets() {
    use libcgroups::common::{CgroupManager as _, ControllerOpt};
    let json = json!({
        "memory": {"limit": 64 << 20, "reservation": 32 << 20, "swap": 128 << 20, "swappiness": 10},
        "cpu": {"shares": 512, "quota": 50_000, "period": 100_000, "cpus": "0", "mems": "0"},
        "pids": {"limit": 50},
    });
    let (ours, theirs) = (Scratch::new("ours"), Scratch::new("theirs"));
    assert_eq!(ours.update(&json).unwrap(), Vec::<String>::new());
    let resources: LinuxResources = serde_json::from_value(json).unwrap();
    let options =
        ControllerOpt { resources: &resources, disable_oom_killer: false, oom_score_adj: None, freezer_state: None };
    let manager = libcgroups::v1::Manager::new(theirs.0.path().as_ref()).unwrap();
    manager.apply(&options).unwrap();
    assert_eq!(ours.files(), theirs.files());
    assert!(ours.files().contains(&("memory.memsw.limit_in_bytes".to_owned(), "134217728\n".to_owned())));
}

#[test]
#[ignore = "needs root"]
fn limits_that_bound_each_other_can_be_raised_and_lowered_together() {
    let scratch = Scratch::new("order");
    for scale in [4, 1, 16, 2] {
        let json = json!({
            "memory": {"limit": scale << 20, "swap": scale << 21},
            "cpu": {"quota": scale * 5_000, "period": 100_000, "burst": scale * 4_000},
        });
        scratch
            .update(&json)
            .unwrap_or_else(|error| panic!("{scale}: {error}: {:?}", std::error::Error::source(&error)));
        let files = scratch.files();
        let expected = [
            ("cpu.cfs_burst_us", scale * 4_000),
            ("cpu.cfs_quota_us", scale * 5_000),
            ("memory.limit_in_bytes", scale << 20),
            ("memory.memsw.limit_in_bytes", scale << 21),
        ];
        for (file, value) in expected {
            assert!(files.contains(&(file.to_owned(), format!("{value}\n"))), "{scale}: {file}");
        }
    }
    scratch.update(&json!({"memory": {"limit": -1}})).unwrap();
    assert!(scratch.files().contains(&("memory.memsw.limit_in_bytes".to_owned(), "9223372036854771712\n".to_owned())));
}

#[test]
#[ignore = "needs root"]
fn a_value_that_is_none_changes_nothing() {
    let scratch = Scratch::new("whole");
    let before = scratch.files();
    let error = scratch.update(&json!({"memory": {"limit": 4 << 20}, "blockIO": {"weight": 1001}})).unwrap_err();
    assert_eq!(error.to_string(), "limit `linux.resources.blockIO.weight`: `1001` is not between 1 and 1000");
    assert_eq!(scratch.files(), before);
}

#[test]
#[ignore = "needs root"]
fn detailed_figures_are_those_of_the_files() {
    let scratch = Scratch::new("figures");
    scratch.update(&json!({"memory": {"limit": 8 << 20, "swap": 16 << 20}, "pids": {"limit": 30}})).unwrap();
    let stats = serde_json::to_value(scratch.0.detailed_stats().unwrap()).unwrap();
    assert_eq!(stats["memory"]["usage"]["limit"], 8 << 20);
    assert_eq!(stats["memory"]["swap"]["limit"], 16 << 20);
    assert_eq!(stats["pids"], json!({"limit": 30}));
    assert!(stats["memory"]["raw"].as_object().unwrap().contains_key("cache"), "{stats}");
    assert!(!stats["cpuset"]["cpus"].as_array().unwrap().is_empty(), "{stats}");
    // Pressure is told by version 2, where that has no controllers too (accounting/psi.rst).
    let has_version_2 = std::fs::read_to_string("/proc/self/mountinfo").unwrap().contains(" - cgroup2 ");
    assert_eq!(stats["cpu"]["psi"]["some"]["avg10"].is_number(), has_version_2, "{stats}");
}
