//! Limits on cgroup version 2, by what they do rather than by what stands in their files.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::guest::{self, sh};
use crate::support::Bundle;

/// Returns the number after `key ` in text of lines `key number`.
fn value(text: &str, key: &str) -> u64 {
    let found = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no `{key}` in {text}")).parse().expect("a number")
}

/// Device numbers of the disk that holds [`guest::state`].
fn disk() -> (i64, i64) {
    let source = sh(&format!("findmnt -no SOURCE --target {}", guest::state().display()));
    let numbers = fs::read_to_string(format!("/sys/class/block/{}/dev", source.trim_start_matches("/dev/"))).unwrap();
    let (major, minor) = numbers.trim().split_once(':').expect("MAJOR:MINOR");
    (major.parse().unwrap(), minor.parse().unwrap())
}

#[test]
#[ignore = "needs a virtual machine"]
fn a_processor_quota_throttles() {
    let script = "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu.stat";
    let ended = Bundle::new(&["sh", "-c", script])
        .with("/linux/resources/cpu", json!({"quota": 20_000, "period": 100_000}))
        .run();
    assert!(ended.stdout.starts_with("20000 100000\n"), "{ended:?}");
    assert!(value(&ended.stdout, "nr_throttled") > 0, "{ended:?}");
}

#[test]
#[ignore = "needs a virtual machine"]
fn a_set_of_processors_is_all_there_is() {
    let ended = Bundle::new(&["grep", "Cpus_allowed_list", "/proc/self/status"])
        .with("/linux/resources/cpu", json!({"cpus": "1"}))
        .run();
    assert_eq!(ended.stdout, "Cpus_allowed_list:\t1\n", "{ended:?}");
}

#[test]
#[ignore = "needs a virtual machine"]
fn writing_to_a_disk_is_no_faster_than_its_limit() {
    let (major, minor) = disk();
    let folder = guest::state().join("io");
    fs::create_dir_all(&folder).unwrap();
    let script = "cat /sys/fs/cgroup/io.max; dd if=/dev/zero of=/disk/file bs=1M count=4 oflag=direct && echo written";
    let bundle = |rate: Option<u64>| {
        let mount = json!({"destination": "/disk", "source": folder, "options": ["bind"]});
        let bundle = Bundle::new(&["sh", "-c", script]).mounted(mount);
        match rate {
            Some(rate) => {
                let limit = json!({"throttleWriteBpsDevice": [{"major": major, "minor": minor, "rate": rate}]});
                bundle.with("/linux/resources/blockIO", limit)
            }
            None => bundle,
        }
    };
    let timed = |bundle: Bundle| {
        let started = Instant::now();
        let ended = bundle.run();
        assert!(ended.stdout.ends_with("written\n"), "{ended:?}");
        (started.elapsed(), ended)
    };
    let (free, _) = timed(bundle(None));
    let (limited, ended) = timed(bundle(Some(512 << 10)));
    assert!(ended.stdout.contains(&format!("{major}:{minor} rbps=max wbps=524288")), "{ended:?}");
    // 4 MiB at 512 KiB/s are 8 s; the kernel lets a first slice of up to 100 ms through.
    assert!(limited > free + Duration::from_secs(5), "{free:?} without a limit, {limited:?} with one");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
#[ignore = "needs a virtual machine"]
fn out_of_memory_ends_one_process_or_the_whole_group_as_asked() {
    // `tail` keeps the one long line in memory, and nobody else asks for any: a second process that does may be refused while
    // the first is being killed, and the next victim is the shell (seen on Linux 7.3).
    let run = |group: &str| {
        Bundle::new(&["sh", "-c", "tail -n 1 /dev/zero; exit 3"])
            .with("/linux/resources/memory", json!({"limit": 16 << 20, "swap": 16 << 20}))
            .with("/linux/resources/unified", json!({"memory.oom.group": group}))
            .run()
    };
    let (one, all) = (run("0"), run("1"));
    assert_eq!((one.code, all.code), (3, 137), "{one:?}\n{all:?}");
}

#[test]
#[ignore = "needs a virtual machine"]
fn swap_is_limited_to_what_memory_and_swap_are_apart() {
    let file = guest::state().join("swap");
    let path = file.display();
    sh(&format!(
        "dd if=/dev/zero of={path} bs=1M count=64 status=none; chmod 600 {path}; mkswap -q {path}; swapon {path}"
    ));
    let ended = Bundle::new(&["cat", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.swap.max"])
        .with("/linux/resources/memory", json!({"limit": 32 << 20, "swap": 48 << 20}))
        .run();
    sh(&format!("swapoff {path}; rm {path}"));
    assert_eq!(ended.stdout, "33554432\n16777216\n", "{ended:?}");
}

#[test]
#[ignore = "needs a virtual machine"]
fn pressure_is_measured_for_the_container_alone() {
    if !std::path::Path::new("/proc/pressure").exists() {
        let test = "limits::pressure_is_measured_for_the_container_alone";
        return guest::not_applicable(test, "this kernel measures no pressure");
    }
    let script = "cd /sys/fs/cgroup; for kind in cpu io memory; do cat $kind.pressure; done";
    let ended = Bundle::new(&["sh", "-c", script]).run();
    assert_eq!(ended.stdout.matches("some avg10=").count(), 3, "{ended:?}");
}

#[test]
#[ignore = "needs a virtual machine"]
fn a_disk_is_usable_exactly_as_its_rule_says() {
    let (major, minor) = disk();
    let script = format!(
        "mknod /dev/disk b {major} {minor} && echo made; dd if=/dev/disk of=/dev/null bs=4096 count=1 && echo read; \
         dd if=/dev/zero of=/dev/disk bs=4096 count=0 || echo refused"
    );
    let run = |access: &str| {
        let mut bundle = Bundle::new(&["sh", "-c", &script]);
        let rules = bundle.spec["linux"]["resources"]["devices"].as_array_mut().expect("rules");
        rules.push(json!({"allow": true, "type": "b", "major": major, "minor": minor, "access": access}));
        bundle.run().stdout
    };
    assert_eq!(run("rm"), "made\nread\nrefused\n");
    assert_eq!(run("m"), "made\nrefused\n");
}
