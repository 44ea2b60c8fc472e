//! A network and a mount namespace for the thread of one test; what the thread starts is born into them.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

use super::{run, tool};

/// The namespaces the thread came from; dropping this goes back to them.
pub(crate) struct Namespaces {
    network: File,
    mounts: File,
}

impl Namespaces {
    /// Moves the calling thread into new namespaces: `lo` is up, nothing else is there, mounts do not reach the host, and
    /// name look-ups go where the file `resolv_conf` says.
    pub(crate) fn enter(resolv_conf: &Path) -> Self {
        let open = |kind: &str| File::open(format!("/proc/thread-self/ns/{kind}")).expect("procfs is mounted");
        let before = Self { network: open("net"), mounts: open("mnt") };
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("needs root: unshare");
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("make mounts private");
        mount(Some(resolv_conf), "/etc/resolv.conf", none, MsFlags::MS_BIND, none).expect("bind resolv.conf");
        run(tool("ip", ["link", "set", "lo", "up"]), Duration::from_secs(10)).ok();
        before
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        // The thread may be the one that runs every test. Its file system state is its own since unshare(2), so that it
        // may go back.
        let _ = setns(&self.network, CloneFlags::CLONE_NEWNET);
        let _ = setns(&self.mounts, CloneFlags::CLONE_NEWNS);
    }
}
