//! Bundles made of a static busybox, run by the `launch` example; a leak check after each.
//!
//! Run all targets of the crate (`cargo test -p lighter-runtime`): `--test root` alone does not rebuild the
//! example.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

/// Where Debian's `busybox-static` puts it.
const BUSYBOX: &str = "/bin/busybox";

const APPLETS: &str = "sh true cat ls id env stat grep mount hostname sleep echo mkdir touch ps wc readlink pwd test \
                       dd mknod unshare head tail tty stty kill chmod tr sort ionice uname umount";

/// Leaves nothing but a version 2 hierarchy.
pub(crate) const UNIFIED: &str = "umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup";

/// A container to be: its files, and the spec to change before it runs.
pub(crate) struct Bundle {
    directory: tempfile::TempDir,
    pub(crate) id: String,
    pub(crate) spec: Value,
}

/// A process that holds namespaces of its own, for others to join.
pub(crate) struct Holder(std::process::Child);

impl Holder {
    /// Starts one by unshare(1) with these options, and waits until it is where it should be.
    pub(crate) fn new(options: &[&str]) -> Self {
        #[expect(clippy::disallowed_methods, reason = "namespaces of its own take a process of its own")]
        let mut command = Command::new("unshare");
        command.args(options).args(["sh", "-c", "echo ready; exec sleep 300"]).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().expect("`unshare` is installed");
        let mut said = [0; 6];
        let stdout = child.stdout.as_mut().expect("a pipe");
        std::io::Read::read_exact(stdout, &mut said).expect("`unshare` makes the namespaces");
        Self(child)
    }

    /// The file that names one of its namespaces.
    pub(crate) fn path(&self, kind: &str) -> String {
        format!("/proc/{}/ns/{kind}", self.0.id())
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// What a run left behind to look at.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Bundle {
    /// A container that runs `args` with everything at its default.
    pub(crate) fn new(args: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = tempfile::tempdir().expect("temporary directory");
        let id = format!("t{}-{number}", std::process::id());
        let bundle = Self { spec: spec(&id, args), directory, id };
        bundle.make_root();
        bundle
    }

    fn make_root(&self) {
        let root = self.root();
        for name in ["bin", "etc", "tmp", "root", "dev", "proc", "sys", "home/user"] {
            std::fs::create_dir_all(root.join(name)).expect("directory of the rootfs");
        }
        std::fs::copy(BUSYBOX, root.join("bin/busybox")).expect("`busybox-static` is installed");
        for applet in APPLETS.split_whitespace() {
            symlink("busybox", root.join("bin").join(applet)).expect("applet");
        }
        let passwd = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n";
        std::fs::write(root.join("etc/passwd"), passwd).expect("passwd");
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.path().join("rootfs")
    }

    /// Changes a part of the spec, named by a JSON pointer.
    pub(crate) fn with(mut self, pointer: &str, value: Value) -> Self {
        let (parent, key) = pointer.rsplit_once('/').expect("pointer");
        self.spec.pointer_mut(parent).unwrap_or_else(|| panic!("`{parent}` in the spec"))[key] = value;
        self
    }

    /// Adds a mount at the end.
    pub(crate) fn mounted(mut self, mount: Value) -> Self {
        self.spec["mounts"].as_array_mut().expect("mounts").push(mount);
        self
    }

    /// Runs it to the end.
    pub(crate) fn run(&self) -> Ended {
        self.verb("run", &[])
    }

    /// Runs it, and a second process beside it; the answer is the second one's.
    pub(crate) fn exec(&self, args: &[&str], change: impl FnOnce(&mut Value)) -> Ended {
        let mut process = self.spec["process"].clone();
        process["args"] = json!(args);
        change(&mut process);
        let file = self.path().join("process.json");
        std::fs::write(&file, process.to_string()).expect("process.json");
        self.verb("exec", &[file.to_str().expect("UTF-8")])
    }

    /// Runs a verb of the example and checks that nothing is left of the container.
    pub(crate) fn verb(&self, verb: &str, rest: &[&str]) -> Ended {
        std::fs::write(self.path().join("config.json"), self.spec.to_string()).expect("config.json");
        #[expect(clippy::disallowed_methods, reason = "the monitor under test is a process of its own")]
        let mut command = Command::new(example());
        command.arg(verb).arg(self.path()).arg(&self.id).args(rest);
        self.observe(&mut command)
    }

    /// Runs it to the end where nothing but a version 2 hierarchy is mounted, whatever the host has.
    pub(crate) fn run_on_a_unified_host(&self) -> Ended {
        self.verb_after(UNIFIED, "run", &[])
    }

    /// As [`verb`](Self::verb), in a mount namespace of its own that the shell command `prepare` has changed.
    pub(crate) fn verb_after(&self, prepare: &str, verb: &str, rest: &[&str]) -> Ended {
        std::fs::write(self.path().join("config.json"), self.spec.to_string()).expect("config.json");
        let script = format!("{prepare} && exec \"$@\"");
        #[expect(clippy::disallowed_methods, reason = "mounts of its own take a process of its own")]
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", &script, "sh"]).arg(example()).arg(verb);
        self.observe(command.arg(self.path()).arg(&self.id).args(rest))
    }

    fn observe(&self, command: &mut Command) -> Ended {
        let before = mounts();
        let output = command.output().expect("the `launch` example is built");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let ended = Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        };
        assert_eq!(self.leftovers(), Vec::<PathBuf>::new(), "cgroups left after {ended:?}");
        assert_eq!(mounts(), before, "mounts changed by {ended:?}");
        ended
    }

    /// Directories of the container's cgroup in any hierarchy.
    fn leftovers(&self) -> Vec<PathBuf> {
        let cgroup = lighter_runtime::cgroup::Cgroup::open(&self.cgroup()).expect("path of a cgroup");
        cgroup.files().into_iter().map(|(_, directory)| directory).filter(|directory| directory.exists()).collect()
    }

    fn cgroup(&self) -> String {
        format!("/lighter/tests/{}", self.id)
    }
}

/// `launch`, which cargo builds beside the tests: `target/debug/examples/launch`.
fn example() -> PathBuf {
    let test = std::env::current_exe().expect("path of the test");
    let target = test.parent().and_then(Path::parent).expect("directory of the build");
    target.join("examples/launch")
}

/// Mount points of this namespace that lie below a temporary directory, where the tests have theirs.
fn mounts() -> Vec<String> {
    let mountinfo = std::fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    let points = mountinfo.lines().filter_map(|line| line.split(' ').nth(4));
    points.filter(|point| point.starts_with("/tmp/.tmp")).map(str::to_owned).collect()
}

/// Everything at its default, as the example writes it.
fn spec(id: &str, args: &[&str]) -> Value {
    #[expect(clippy::disallowed_methods, reason = "the example is a program of its own")]
    let output = Command::new(example()).arg("spec").arg(id).args(args).output().expect("the `launch` example");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}
