//! A root filesystem of busybox alone.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::{run, tool};

/// The static busybox of the host; Debian's package is busybox-static.
const BUSYBOX: &str = "/bin/busybox";

const FOLDERS: [&str; 8] = ["bin", "dev", "etc", "mnt", "proc", "run", "sys", "tmp"];

/// The programs that tests call by name.
const APPLETS: [&str; 35] = [
    "awk", "cat", "chmod", "dd", "echo", "env", "false", "find", "grep", "head", "hostname", "id", "ionice", "ip",
    "kill", "ln", "ls", "mkdir", "mknod", "mount", "nice", "pwd", "readlink", "rm", "sed", "sh", "sleep", "sort",
    "stat", "stty", "touch", "true", "tty", "uname", "wc",
];

/// Fills the new folder `rootfs`.
pub(super) fn fill(rootfs: &Path) {
    for folder in FOLDERS {
        fs::create_dir_all(rootfs.join(folder)).expect("the bundle is ours");
    }
    let beside = rootfs.ancestors().nth(3).expect("a rootfs is in a bundle in a world in the scratch folder");
    fs::hard_link(busybox(beside), rootfs.join("bin/busybox")).expect("both are below the scratch folder");
    for applet in APPLETS {
        symlink("busybox", rootfs.join("bin").join(applet)).expect("the bundle is ours");
    }
}

/// Returns the copy that every root filesystem links to.
///
/// Another process makes it: a file that this one holds open for writing would be busy for the programs of other threads.
fn busybox(scratch: &Path) -> &'static Path {
    static COPY: OnceLock<PathBuf> = OnceLock::new();
    COPY.get_or_init(|| {
        let (copy, new) = (scratch.join("busybox"), scratch.join(format!("busybox-{}", std::process::id())));
        if !copy.exists() {
            run(tool("cp", [Path::new(BUSYBOX), &new]), scratch, "cp").ok();
            fs::rename(new, &copy).expect("the scratch folder is ours");
        }
        copy
    })
}
