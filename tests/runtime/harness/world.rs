//! A host for one test: a directory, a network and a mount namespace, and what was there before.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

use super::scratch::{mounts, unused};
use super::{eventually, processes};

/// Time the kernel may take to finish what `delete` began.
const SETTLE: Duration = Duration::from_secs(10);

/// Where what must not stay could stay, by name.
const PLACES: [&str; 2] = ["/sys/fs/cgroup", "/run"];

/// How deep names are looked for below each of [`PLACES`].
const DEPTH: usize = 4;

/// What the containers of one test have in common.
pub(super) struct World {
    pub(super) name: String,
    pub(super) directory: PathBuf,
    before: BTreeSet<String>,
    /// Last, so that it is dropped last.
    _namespaces: Namespaces,
}

impl World {
    pub(super) fn new() -> Self {
        let (name, directory) = unused("spec");
        fs::create_dir_all(&directory).expect("the scratch folder is ours");
        let namespaces = Namespaces::enter();
        Self { name, directory, before: mounts(), _namespaces: namespaces }
    }

    /// The runtime's `--root`.
    pub(super) fn root(&self) -> PathBuf {
        self.directory.join("root")
    }

    /// Asserts that no mount, cgroup, process or state of this test's containers is left.
    #[track_caller]
    pub(super) fn leaves_nothing(&self) {
        eventually("nothing is left on the host", SETTLE, || {
            let left = self.left();
            if left.is_empty() { Ok(()) } else { Err(left.join("\n")) }
        });
    }

    fn left(&self) -> Vec<String> {
        let mut left: Vec<_> = mounts().difference(&self.before).map(|mount| format!("mount {mount}")).collect();
        for place in PLACES.map(PathBuf::from).iter().chain([&self.root()]) {
            named(place, &self.name, DEPTH, &mut left);
        }
        let processes = processes::of_scenario(&self.directory, &self.root(), None);
        left.extend(processes.into_iter().map(|process| format!("process {process:?}")));
        left
    }

    /// Ends what a failed test left running, and says where to look.
    #[expect(clippy::print_stderr, reason = "where to look after a failure")]
    pub(super) fn give_up(&self) {
        processes::kill_all(&self.directory, &self.root(), None);
        eprintln!("kept: {}", self.directory.display());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return self.give_up();
        }
        self.leaves_nothing();
        fs::remove_dir_all(&self.directory).expect("the scratch folder is ours");
    }
}

/// Collects the paths at and below `folder` whose last part contains `name`.
fn named(folder: &Path, name: &str, depth: usize, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().contains(name) {
            found.push(entry.path().display().to_string());
        } else if depth > 1 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            named(&entry.path(), name, depth - 1, found);
        }
    }
}

/// The namespaces the thread came from; dropping this goes back to them.
struct Namespaces {
    network: File,
    mounts: File,
}

impl Namespaces {
    /// Moves the calling thread into a network namespace of its own, and a mount namespace whose mounts do not reach the host.
    fn enter() -> Self {
        let open = |kind: &str| File::open(format!("/proc/thread-self/ns/{kind}")).expect("procfs is mounted");
        let before = Self { network: open("net"), mounts: open("mnt") };
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("needs root: unshare");
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("make mounts private");
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
