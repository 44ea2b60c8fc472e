//! config-linux.md, "Devices" and "Default Devices"; runtime-linux.md, "Dev symbolic links".

use serde_json::{Value, json};

use crate::harness::{Container, inside, refused};

fn device(path: &str, kind: &str, numbers: (u32, u32)) -> Value {
    json!({"path": path, "type": kind, "major": numbers.0, "minor": numbers.1})
}

#[test]
#[ignore = "needs root"]
fn the_default_devices_are_there() {
    let text = inside(|config| config.script("cd /dev; stat -c '%n %F %t:%T %a' null zero full random urandom tty"));
    let device = |name: &str, numbers: &str| format!("{name} character special file {numbers} 666");
    let expected =
        [("null", "1:3"), ("zero", "1:5"), ("full", "1:7"), ("random", "1:8"), ("urandom", "1:9"), ("tty", "5:0")];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected.map(|(name, numbers)| device(name, numbers)));
}

#[test]
#[ignore = "needs root"]
fn the_default_devices_work() {
    let text = inside(|config| {
        config.script("echo x >/dev/null; head -c 3 /dev/zero | wc -c; head -c 5 /dev/urandom | wc -c; echo x 2>&1 >/dev/full | grep -o 'No space'")
    });
    assert_eq!(text, "3\n5\nNo space");
}

#[test]
#[ignore = "needs root"]
fn ptmx_is_the_one_of_the_containers_devpts() {
    let text = inside(|config| config.script("stat -L -c '%t:%T %i' /dev/ptmx /dev/pts/ptmx"));
    let (ptmx, pts) = text.split_once('\n').unwrap();
    assert_eq!(ptmx, pts);
    assert!(ptmx.starts_with("5:2 "), "{ptmx}");
}

#[test]
#[ignore = "needs root"]
fn the_links_to_the_standard_streams_are_there() {
    let text = inside(|config| config.script("cd /dev; for link in fd stdin stdout stderr; do readlink $link; done"));
    assert_eq!(text, "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2");
}

#[test]
#[ignore = "needs root"]
fn a_listed_device_has_numbers_mode_and_owner() {
    let text = inside(|config| {
        let mut owned = device("/dev/fuse", "c", (10, 229));
        owned["fileMode"] = json!(0o640);
        (owned["uid"], owned["gid"]) = (json!(12), json!(34));
        config.push("/linux/devices", owned).push("/linux/devices", device("/dev/loop7", "b", (7, 7)));
        config.script("cd /dev; stat -c '%n %F %t:%T' fuse loop7; stat -c '%a %u %g' fuse")
    });
    assert_eq!(text, "fuse character special file a:e5\nloop7 block special file 7:7\n640 12 34");
}

#[test]
#[ignore = "needs root"]
fn a_device_may_be_a_fifo_and_need_not_be_in_dev() {
    let text = inside(|config| {
        config.push("/linux/devices", json!({"path": "/run/deep/fifo", "type": "p"}));
        config.push("/linux/devices", device("/etc/null", "u", (1, 3)));
        config.script("stat -c %F /run/deep/fifo; stat -c '%F %t:%T' /etc/null")
    });
    assert_eq!(text, "fifo\ncharacter special file 1:3");
}

#[test]
#[ignore = "needs root"]
fn another_file_in_the_place_of_a_device_is_an_error() {
    refused(|config| {
        config.file("rootfs/etc/device", "text");
        config.push("/linux/devices", device("/etc/device", "c", (1, 3)))
    });
}

#[test]
#[ignore = "needs root"]
fn a_device_that_does_not_exist_is_refused() {
    refused(|config| config.push("/linux/devices", device("/dev/nosuch", "x", (1, 3))));
    refused(|config| config.push("/linux/devices", json!({"path": "/dev/nosuch", "type": "c"})));
    refused(|config| config.push("/linux/devices", json!({"type": "c", "major": 1, "minor": 3})));
}

#[test]
#[ignore = "needs root"]
fn a_device_that_is_not_listed_cannot_be_made_and_used() {
    let container = Container::new(|config| {
        config.set("/linux/resources", json!({"devices": [{"allow": false, "access": "rwm"}]}));
        config.script("mknod /tmp/kmsg c 1 11 && cat /tmp/kmsg >/dev/null")
    });
    container.run().fails();
}
