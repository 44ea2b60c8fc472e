//! lighter in a container of somebody else's.

use crate::guest::{self, said, sh, tool};
use crate::registry::{IMAGE, lighter};

#[test]
#[ignore = "needs a virtual machine"]
fn inside_podman_containers_run_with_their_limits_on_a_volume_and_on_podmans_own_layer() {
    let lighter = lighter("nested");
    // The guest's own root without what is mounted on it: podman puts a layer of its own on top.
    let outer = guest::state().join("outer");
    sh(&format!("mkdir {0}; mount --bind / {0}", outer.display()));
    let script = format!(
        "test $(lighter run --rm --network none --memory 64m {IMAGE} cat /sys/fs/cgroup/memory.max) = 67108864
         lighter --root /copied run --rm --network none {IMAGE} ls /veiled
         test -z \"$(lighter ps --all --quiet)\""
    );
    let volumes = [
        format!("{}:/var/lib/lighter", lighter.root.display()),
        format!("{}:/usr/local/bin/lighter:ro", env!("CARGO_BIN_EXE_lighter")),
        format!("{}:/etc/lighter/config.toml:ro", lighter.root.with_extension("toml").display()),
    ];
    let mut podman = tool("podman");
    podman.arg("--root").arg(guest::state().join("podman"));
    podman.args(["--cgroup-manager", "cgroupfs", "--events-backend", "file", "run", "--rm", "--privileged"]);
    podman.args(["--network", "host", "--log-driver", "k8s-file"]);
    for volume in &volumes {
        podman.args(["--volume", volume]);
    }
    let ended = said(podman.arg("--rootfs").arg(format!("{}:O", outer.display())).args(["sh", "-ec", &script]));
    sh(&format!("umount {}", outer.display()));
    assert_eq!((ended.code, ended.stdout.trim()), (0, "new"), "{ended:?}");
    assert_eq!(ended.stderr.matches("overlayfs cannot be used here").count(), 1, "{ended:?}");
}
