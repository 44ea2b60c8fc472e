//! Somebody who exchanges files while a container is being made: another container with the same volume.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use serde_json::json;

use crate::support::{Bundle, Ended};

/// Containers made while files are exchanged; enough to meet each step a few times.
const STARTS: usize = 40;

/// Ends the exchanging, also when a check has failed.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Makes containers while each pair of paths is exchanged as fast as can be; returns how they ended.
fn while_exchanging(pairs: &[(PathBuf, PathBuf)], make: impl Fn() -> Ended) -> Vec<Ended> {
    let over = AtomicBool::new(false);
    let over = &over;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                for (one, other) in pairs {
                    renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE).unwrap();
                }
            }
        });
        let _end = End(over);
        (0..STARTS).map(|_| make()).collect()
    })
}

fn entries(directory: &Path) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

#[test]
#[ignore = "needs root"]
fn nothing_is_mounted_or_made_where_an_exchanged_link_leads() {
    let (volume, canary) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (directory, link) = (volume.path().join("dir"), volume.path().join("link"));
    std::fs::create_dir(&directory).unwrap();
    symlink(canary.path(), &link).unwrap();
    let bundle = Bundle::new(&["true"])
        .mounted(json!({"destination": "/v", "source": volume.path(), "options": ["rbind", "rprivate"]}))
        .mounted(json!({"destination": "/v/dir/sub", "type": "tmpfs", "source": "tmpfs"}))
        .with("/process/cwd", json!("/v/dir/work"))
        .with("/linux/devices", json!([{"path": "/v/dir/node", "type": "c", "major": 1, "minor": 3}]));
    // `run` looks for mounts that are left.
    let ended = while_exchanging(&[(directory, link)], || bundle.run());
    assert!(ended.iter().all(|ended| matches!(ended.code, 0 | 125)), "{ended:?}");
    assert_eq!(entries(canary.path()), 0);
}

#[test]
#[ignore = "needs root"]
fn masks_are_the_null_device_whatever_is_exchanged_for_it() {
    let dev = tempfile::tempdir().unwrap();
    let null = dev.path().join("null");
    mknod(&null, SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(1, 3)).unwrap();
    let file = dev.path().join("file");
    std::fs::write(&file, "not empty\n").unwrap();
    let script = "cat /proc/keys /proc/timer_list /proc/interrupts";
    let bundle = Bundle::new(&["sh", "-c", script]);
    let mounts = bundle.spec["mounts"].as_array().unwrap().iter();
    let mounts: Vec<_> = mounts.filter(|mount| mount["destination"] != "/dev").cloned().collect();
    let bundle = bundle.with("/mounts", json!([]));
    let dev_mount = json!({"destination": "/dev", "source": dev.path(), "options": ["rbind", "rprivate"]});
    let bundle = mounts.into_iter().fold(bundle.mounted(dev_mount), Bundle::mounted);
    let ended = while_exchanging(&[(null, file.clone())], || bundle.run());
    assert!(ended.iter().all(|ended| ended.stdout.is_empty()), "{ended:?}");
    assert!(ended.iter().all(|ended| matches!(ended.code, 0 | 125)), "{ended:?}");
}

#[test]
#[ignore = "needs root"]
fn kernel_file_systems_stay_where_they_are_when_directories_become_links() {
    let canary = tempfile::tempdir().unwrap();
    std::fs::create_dir(canary.path().join("sys")).unwrap();
    let bundle = Bundle::new(&["cat", "/proc/sys/kernel/ostype"]);
    let mut pairs = Vec::new();
    for name in ["proc", "sys", "dev"] {
        let link = bundle.root().join(format!("{name}-link"));
        symlink(canary.path(), &link).unwrap();
        pairs.push((bundle.root().join(name), link));
    }
    let ended = while_exchanging(&pairs, || bundle.run());
    assert!(ended.iter().all(|ended| matches!(ended.code, 0 | 1 | 125..=127)), "{ended:?}");
    assert_eq!((entries(canary.path()), entries(&canary.path().join("sys"))), (1, 0));
}
