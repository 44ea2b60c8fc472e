//! A host for one test: a directory, a network and a mount namespace with a `/run` of its own, and what was there before.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};

use super::scratch::{mounts, unused};
use super::{eventually, images, processes, run, tool};

/// Time the kernel may take to finish what the removal of a container began.
const SETTLE: Duration = Duration::from_secs(15);

/// Folders outside `/run` where engines keep state whatever they are told.
const STATE: [&str; 3] = ["/run", "/var/lib/cni", "/etc/cni/net.d"];

/// How deep names are looked for.
const DEPTH: usize = 7;

/// What the containers of one test have in common.
pub(super) struct World {
    /// Also the name of the cgroup that its containers' cgroups are in.
    pub(super) name: String,
    pub(super) directory: PathBuf,
    before: BTreeSet<String>,
    /// Last, so that it is dropped last.
    _namespaces: Namespaces,
}

impl World {
    pub(super) fn new() -> Self {
        let (name, directory) = unused("engines");
        fs::create_dir_all(&directory).expect("the scratch folder is ours");
        let namespaces = Namespaces::enter();
        run(tool("ip", ["link", "set", "lo", "up"]), &directory).ok();
        let runtime = directory.join("lighter-runc");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_lighter"), runtime).expect("the directory is new");
        Self { name, directory, before: mounts(), _namespaces: namespaces }
    }

    /// The runtime under test, under a name by which it is nothing else.
    pub(super) fn runtime(&self) -> String {
        self.path("lighter-runc")
    }

    /// Returns the archive of an image.
    #[track_caller]
    pub(super) fn archive(&self, image: &str) -> String {
        let archive = images::archive(image, self.directory.parent().expect("it is in the scratch folder"));
        archive.to_str().expect("paths of tests are text").to_owned()
    }

    /// Returns the path of something in the test's directory.
    pub(super) fn path(&self, name: &str) -> String {
        self.directory.join(name).to_str().expect("paths of tests are text").to_owned()
    }

    /// Writes a file of the test's directory and returns its path.
    pub(super) fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.directory.join(name), text).expect("the test's directory is ours");
        self.path(name)
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
        let new = mounts();
        let new = new.difference(&self.before).filter(|mount| !self.is_engines(mount));
        let mut left: Vec<_> = new.map(|mount| format!("mount {mount}")).collect();
        states(Path::new("/run"), &self.name, DEPTH, &mut left);
        left.extend(self.cgroups().into_iter().flat_map(|cgroup| children(&cgroup)));
        let processes = processes::of_scenario(&self.directory, &self.directory, None);
        left.extend(processes.into_iter().map(|process| format!("process {process:?}")));
        left
    }

    /// Whether a mount is an engine's own, which it makes with its first container and keeps: podman's storage and its folder
    /// of network namespaces, on themselves, and the host's network namespace as docker holds it.
    fn is_engines(&self, mount: &str) -> bool {
        let storage = self.path("storage/overlay");
        let kept = [storage.as_str(), "/run/netns", "/run/docker-exec/netns/default"];
        mount.split(' ').nth(1).is_some_and(|place| kept.contains(&place))
    }

    /// The cgroups that this test's containers' cgroups are in. Engines make them and leave them.
    fn cgroups(&self) -> Vec<PathBuf> {
        let hierarchies = fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path());
        let all = hierarchies.chain([PathBuf::from("/sys/fs/cgroup")]).map(|folder| folder.join(&self.name));
        all.filter(|cgroup| cgroup.is_dir()).collect()
    }

    /// Ends what a failed test left running, and says where to look.
    #[expect(clippy::print_stderr, reason = "where to look after a failure")]
    fn give_up(&self) {
        processes::kill_all(&self.directory, &self.directory, None);
        eprintln!("kept: {}", self.directory.display());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.give_up();
        } else {
            self.leaves_nothing();
        }
        for cgroup in self.cgroups() {
            OF_ENGINES.iter().for_each(|name| _ = fs::remove_dir(cgroup.join(name)));
            let _ = fs::remove_dir(cgroup);
        }
        if !std::thread::panicking() {
            let _ = nix::mount::umount2(self.path("storage/overlay").as_str(), nix::mount::MntFlags::MNT_DETACH);
            fs::remove_dir_all(&self.directory).expect("the scratch folder is ours");
        }
    }
}

/// Collects the folders below `folder` that are named by a container: an id as docker and podman give it, or a name that
/// begins with the test's.
fn states(folder: &Path, name: &str, depth: usize, found: &mut Vec<String>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        let file_name = entry.file_name().to_string_lossy().into_owned();
        let is_id = file_name.len() == 64 && file_name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_id || file_name.strip_prefix(name).is_some_and(|rest| rest.starts_with('-')) {
            found.push(format!("state {}", entry.path().display()));
        } else if depth > 1 {
            states(&entry.path(), name, depth - 1, found);
        }
    }
}

/// What podman keeps its monitors in, and BuildKit its steps.
const OF_ENGINES: [&str; 2] = ["conmon", "buildkit"];

/// The cgroups in `cgroup`, but for those that engines leave.
fn children(cgroup: &Path) -> Vec<String> {
    let entries = fs::read_dir(cgroup).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let left = folders.filter(|entry| !OF_ENGINES.iter().any(|name| entry.file_name() == *name));
    left.map(|entry| format!("cgroup {}", entry.path().display())).collect()
}

/// The namespaces the thread came from; dropping this goes back to them.
struct Namespaces {
    network: File,
    mounts: File,
}

impl Namespaces {
    /// Moves the calling thread into a network namespace of its own, and a mount namespace whose mounts do not reach the host
    /// and where the folders that engines cannot be kept from are empty.
    fn enter() -> Self {
        let open = |kind: &str| File::open(format!("/proc/thread-self/ns/{kind}")).expect("procfs is mounted");
        let before = Self { network: open("net"), mounts: open("mnt") };
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).expect("needs root: unshare");
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("make mounts private");
        for folder in STATE.iter().filter(|folder| Path::new(folder).is_dir()) {
            mount(none, *folder, Some("tmpfs"), MsFlags::empty(), Some("mode=755")).expect("mount a tmpfs");
        }
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
